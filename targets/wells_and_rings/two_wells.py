"""Two wells along the first coordinate, a normal along the second."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from targets.base import Truth
from targets.numerics.quadrature import interval
from targets.numerics.raw_moments import raw_moments
from targets.numerics.rejection_sampling import accepted
from targets.tempering import TemperedFamily


class TwoWells(TemperedFamily):
    """Energy k (x0^2 - m)^2 - c x0 + e + x1^2 / 2, wells near x0 = -sqrt(m) and sqrt(m).

    ``steepness`` is k > 0, ``square`` is m > 0, ``tilt`` is c >= 0 (it favours the right well) and
    ``offset`` is e. log_prob is minus the energy, not normalised; log Z, moments and the masses of
    the two half-planes by Gauss-Legendre quadrature on each half-line (doubling the nodes moves
    them by less than 1e-12). A mode is a half-plane: x0 <= 0 or x0 > 0.
    """

    dim = 2
    has_reference = True
    reference_note = "exact: rejection from two normals for x0, a normal draw for x1"

    def __init__(self, steepness: float, square: float, scale: float, tilt: float = 0.0,
                 offset: float = 0.0) -> None:
        self.scale = scale
        self._square = square
        self._offset = offset
        self._energies = (steepness, tilt)
        self._set_temperature(1.0)

    def _set_temperature(self, tau: float) -> None:
        """Everything at temperature tau; k and c are divided by it once, here."""
        self._tau = tau
        self._k, self._c = (value / tau for value in self._energies)
        # at sqrt(m) + t the energy is 4 k m t^2 at least, so that less than e^-140 is cut off
        far = math.sqrt(self._square) + 6.0 / math.sqrt(min(self._k * self._square, 1.0))
        a, w = interval(0.0, far, 600)
        well = w * np.exp(-self._k * (a * a - self._square) ** 2)
        left, right = well * np.exp(-self._c * a), well * np.exp(self._c * a)
        mass = float((left + right).sum())
        self.log_z = math.log(mass) - self._offset / tau + 0.5 * math.log(2 * math.pi * tau)
        self.mode_weights = torch.tensor([left.sum() / mass, right.sum() / mass])
        self._first = float((right - left) @ a / mass)
        self._second = float((left + right) @ (a * a) / mass)

    def log_prob(self, x: Tensor) -> Tensor:
        """Minus the energy over the temperature: (n, 2) -> (n,)."""
        a = x[:, 0]
        return (-self._k * (a * a - self._square) ** 2 + self._c * a
                - (self._offset + 0.5 * x[:, 1] ** 2) / self._tau)

    def score(self, x: Tensor) -> Tensor:
        """(-4 k x0 (x0^2 - m) + c, -x1 / tau), k and c over tau already: (n, 2) -> (n, 2)."""
        a = x[:, 0]
        return torch.stack([-4.0 * self._k * a * (a * a - self._square) + self._c,
                            -x[:, 1] / self._tau], 1)

    def hvp(self, x: Tensor, v: Tensor) -> Tensor:
        """The Hessian is diagonal: (-4 k (3 x0^2 - m), -1 / tau), k over tau already."""
        a = x[:, 0]
        return torch.stack([-4.0 * self._k * (3.0 * a * a - self._square) * v[:, 0],
                            -v[:, 1] / self._tau], 1)

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """n independent points, shape (n, 2).

        a = |x0| has the density exp(-k (a^2 - m)^2) cosh(c a). With r = sqrt(m), (a^2 - m)^2 >= m
        (a - r)^2 and cosh(c a) <= exp(c a), so a normal at r + c / (2 k m) of variance 1 / (2 k m)
        proposes. Given a, x0 is negative with probability 1 / (1 + exp(2 c a)).
        """
        m, r = self._square, math.sqrt(self._square)
        spread = 1.0 / math.sqrt(2.0 * self._k * m)

        def propose(size: int) -> tuple[Tensor, Tensor]:
            z = torch.randn(size, generator=rng, device=self.device, dtype=self.dtype)
            u = torch.rand(size, generator=rng, device=self.device, dtype=self.dtype)
            a = r + self._c * spread**2 + spread * z
            surplus = self._k * ((a * a - m) ** 2 - m * (a - r) ** 2)
            one_side = 0.5 * (1.0 + torch.exp(-2.0 * self._c * a))  # cosh(c a) / exp(c a)
            return a, (a > 0) & (u < torch.exp(-surplus) * one_side)

        a = accepted(propose, n)
        u = torch.rand(n, generator=rng, device=self.device, dtype=self.dtype)
        z = torch.randn(n, generator=rng, device=self.device, dtype=self.dtype)
        negative = u < torch.sigmoid(-2.0 * self._c * a)
        return torch.stack([torch.where(negative, -a, a), math.sqrt(self._tau) * z], 1)

    def truths(self) -> tuple[Truth, ...]:
        """Raw moments, by quadrature along x0."""
        return raw_moments(np.array([self._first, 0.0]), np.diag([self._second, self._tau]))

    def mode_of(self, x: Tensor) -> Tensor:
        """0 in the left well, 1 in the right one, by the sign of x0."""
        return (x[:, 0] > 0).long()

    def view(self) -> tuple[float, float, float, float]:
        """Both wells."""
        reach = math.sqrt(self._square) + 1.0
        return (-reach, reach, -3.5, 3.5)
