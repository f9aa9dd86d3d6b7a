"""A ring."""

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

_RADIUS = 2.5
_TINY = 1e-12


class Donut(TemperedFamily):
    """A ring of radius 2.5: log p(x) = -(|x| - 2.5)^2 / 0.5, not normalised.

    There is no factor 1/2 in the exponent, and the density is with respect to dx, so the radius r
    has the density r exp(-(r - 2.5)^2 / 0.5). Log Z by quadrature.

    From Denoising Fisher Training (Table 1), which names but does not define it; radius and width
    are those of louissharrock/Coin-SVGD.

    Scale: the root mean square coordinate, 1.87, to the nearest half.

    Useful because its mode is a curve: no mixture of few Gaussians fits, mean and covariance
    cannot distinguish it from a blob, and the score is undefined at the origin (here it is 0
    there).
    """

    name = "donut"
    citation = "Denoising Fisher Training, Table 1; louissharrock/Coin-SVGD distributions.py"

    dim = 2
    scale = 2.0
    has_reference = True
    reference_note = "exact: rejection from a normal for the radius, a uniform angle"

    def __init__(self) -> None:
        self._set_temperature(1.0)

    def _set_temperature(self, tau: float) -> None:
        self._tau = tau
        self._width = 0.5 * tau
        r, w = interval(0.0, _RADIUS + 10.0 * math.sqrt(self._width), 400)
        mass = w * r * np.exp(-((r - _RADIUS) ** 2) / self._width)
        self.log_z = math.log(2.0 * math.pi * float(mass.sum()))
        self._radius = float(mass @ r / mass.sum())
        self._square = float(mass @ (r * r) / mass.sum())

    def _polar(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Radius (n, 1), kept off zero so that derivatives exist, and direction (n, 2)."""
        r = (x * x).sum(1, keepdim=True).clamp(min=_TINY).sqrt()
        return r, x / r

    def log_prob(self, x: Tensor) -> Tensor:
        """Minus the squared distance to the ring over the width: (n, 2) -> (n,)."""
        r, _ = self._polar(x)
        return -((r[:, 0] - _RADIUS) ** 2) / self._width

    def score(self, x: Tensor) -> Tensor:
        """-2 (r - 2.5) x / (r width): (n, 2) -> (n, 2)."""
        r, direction = self._polar(x)
        return -2.0 * (r - _RADIUS) / self._width * direction

    def hvp(self, x: Tensor, v: Tensor) -> Tensor:
        """-2 / width [(1 - 2.5 / r) v + 2.5 / r (n.v) n] with n = x / r."""
        r, direction = self._polar(x)
        along = (direction * v).sum(1, keepdim=True) * direction
        return -2.0 / self._width * (v - _RADIUS / r * (v - along))

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """n independent points, shape (n, 2).

        log r <= log a + (r - a) / a turns the radial distribution into a normal; with a its own
        mode, a (a - 2.5) = width / 2, the mean of that normal is a and nearly all proposals are
        kept.
        """
        a = 0.5 * (_RADIUS + math.sqrt(_RADIUS**2 + 2.0 * self._width))

        def propose(m: int) -> tuple[Tensor, Tensor]:
            z = torch.randn(m, generator=rng, device=self.device, dtype=self.dtype)
            u = torch.rand(m, generator=rng, device=self.device, dtype=self.dtype)
            r = a + math.sqrt(0.5 * self._width) * z
            return r, (r > 0) & (u < r / a * torch.exp(1.0 - r / a))

        r = accepted(propose, n)
        angle = torch.rand(n, generator=rng, device=self.device, dtype=self.dtype) * 2.0 * math.pi
        return torch.stack([r * angle.cos(), r * angle.sin()], 1)

    def truths(self) -> tuple[Truth, ...]:
        """Raw moments by symmetry and quadrature, and the mean radius."""
        moments = raw_moments(np.zeros(2), np.diag([0.5 * self._square] * 2))
        return (*moments, Truth("radius", lambda x: x.norm(dim=1), self._radius))

    def view(self) -> tuple[float, float, float, float]:
        """The ring with its width."""
        return (-4.5, 4.5, -4.5, 4.5)
