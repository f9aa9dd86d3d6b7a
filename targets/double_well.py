"""Two curved wells."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from targets.base import Truth
from targets.parts.moments import raw_moments
from targets.parts.quadrature import interval
from targets.parts.rejection import accepted
from targets.parts.tempering import TemperedFamily


class DoubleWell(TemperedFamily):
    """A double well: energy k (x0^2 - 1)^2 + x1^2 / 2 with k = 3.

    log p(x) = -3 (x0^2 - 1)^2 - x1^2 / 2, not normalised; log Z by quadrature.

    Named by the drifting paper (arXiv 2603.17579), which gives no formula; form and k are our
    choice among the forms in use, and no agreement with its Table 1 is claimed.

    Scale: the root mean square coordinate, 0.97, to the nearest half.

    Useful because the wells are not Gaussian and the barrier (3 nats) is low enough that chains
    cross it now and then: the mode weights measure how often.
    """

    name = "double_well"
    reference = "arXiv 2603.17579, section 5 (formula not given there: ours)"

    dim = 2
    scale = 1.0
    has_reference = True
    reference_note = "exact: rejection from two normals for x0, a normal draw for x1"

    def __init__(self) -> None:
        self._set_temperature(1.0)
        self.mode_weights = torch.full((2,), 0.5, dtype=torch.float64)

    def _set_temperature(self, tau: float) -> None:
        self._tau = tau
        self._k = 3.0 / tau
        x, w = interval(0.0, 1.0 + 8.0 / math.sqrt(min(self._k, 1.0)), 400)
        mass = 2.0 * w * np.exp(-self._k * (x * x - 1.0) ** 2)
        self.log_z = float(np.log(mass.sum())) + 0.5 * math.log(2 * math.pi * tau)
        self._square = float(mass @ (x * x) / mass.sum())

    def log_prob(self, x: Tensor) -> Tensor:
        """Minus the energy over the temperature: (n, 2) -> (n,)."""
        return -self._k * (x[:, 0] ** 2 - 1.0) ** 2 - x[:, 1] ** 2 / (2.0 * self._tau)

    def score(self, x: Tensor) -> Tensor:
        """(-4 k x0 (x0^2 - 1), -x1) / tau: (n, 2) -> (n, 2)."""
        a = x[:, 0]
        return torch.stack([-4.0 * self._k * a * (a * a - 1.0), -x[:, 1] / self._tau], 1)

    def hvp(self, x: Tensor, v: Tensor) -> Tensor:
        """The Hessian is diagonal: (-4 k (3 x0^2 - 1), -1) / tau."""
        a = x[:, 0]
        return torch.stack([-4.0 * self._k * (3.0 * a * a - 1.0) * v[:, 0],
                            -v[:, 1] / self._tau], 1)

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """n independent points, shape (n, 2).

        For a = |x0|, k (a^2 - 1)^2 >= k (a - 1)^2, so N(1, 1 / 2k) proposes; about half are kept.
        """
        def propose(m: int) -> tuple[Tensor, Tensor]:
            z = torch.randn(m, generator=rng, device=self.device, dtype=self.dtype)
            u = torch.rand(m, generator=rng, device=self.device, dtype=self.dtype)
            a = 1.0 + z / math.sqrt(2.0 * self._k)
            surplus = self._k * ((a * a - 1.0) ** 2 - (a - 1.0) ** 2)
            return a, (a > 0) & (u < torch.exp(-surplus))

        a = accepted(propose, n)
        u = torch.rand(n, generator=rng, device=self.device, dtype=self.dtype)
        z = torch.randn(n, generator=rng, device=self.device, dtype=self.dtype)
        return torch.stack([torch.where(u < 0.5, -a, a), math.sqrt(self._tau) * z], 1)

    def truths(self) -> tuple[Truth, ...]:
        """Raw moments: zero by symmetry but for the squares."""
        return raw_moments(np.zeros(2), np.diag([self._square, self._tau]))

    def mode_of(self, x: Tensor) -> Tensor:
        """0 in the left well, 1 in the right one, by the sign of x0."""
        return (x[:, 0] > 0).long()

    def view(self) -> tuple[float, float, float, float]:
        """Both wells."""
        return (-2.0, 2.0, -3.5, 3.5)
