"""Concentric rings in the plane."""

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

_TINY = 1e-12  # keeps |x - c| off zero, where it has no derivative


class Rings(TemperedFamily):
    """log p(x) = -min_k (|x - c| - r_k)^2 / w, not normalised; radii r_1 < ... < r_K, width w.

    The density is with respect to dx, so the radius r = |x - c| has the density
    r exp(-min_k (r - r_k)^2 / w): rings of one width hold mass about in proportion to r_k.
    A mode is a ring, that is, all points nearer to it than to another; a single ring has none. The
    score jumps halfway between two rings and is 0 at the centre, where it is undefined. Log Z,
    masses and moments by Gauss-Legendre quadrature on each ring.
    """

    dim = 2
    has_reference = True
    reference_note = "exact: rejection from normals for the radius, a uniform angle"

    _radii: Tensor  # (K,)
    _edges: Tensor  # (K - 1,): halfway between rings
    _centre: Tensor  # (2,)

    def __init__(self, radii: tuple[float, ...], width: float, scale: float,
                 centre: tuple[float, float] = (0.0, 0.0)) -> None:
        self.scale = scale
        self._radii = torch.tensor(radii, dtype=torch.float64)
        self._edges = (self._radii[1:] + self._radii[:-1]) / 2.0
        self._centre = torch.tensor(centre, dtype=torch.float64)
        self._base_width = width
        self._set_temperature(1.0)

    def _set_temperature(self, tau: float) -> None:
        self._tau = tau
        self._width = self._base_width * tau
        radii, edges = self._radii.tolist(), self._edges.tolist()
        reach = 10.0 * math.sqrt(self._width)
        moments = np.zeros((len(radii), 3))  # of 1, r and r^2, by rings
        for k, (c, low, high) in enumerate(zip(radii, [0.0, *edges], [*edges, math.inf],
                                               strict=True)):
            r, w = interval(max(low, c - reach), min(high, c + reach), 400)
            moments[k] = (w * r * np.exp(-((r - c) ** 2) / self._width)) @ np.stack(
                [r**0, r, r * r], 1)
        masses, mean, square = moments.T
        self.log_z = math.log(2.0 * math.pi * masses.sum())
        self._radius = float(mean.sum() / masses.sum())
        self._square = float(square.sum() / masses.sum())
        if len(radii) > 1:
            self.mode_weights = torch.tensor(masses / masses.sum())

    # ---- density -------------------------------------------------------------------------------

    def _polar(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Distance to the centre (n, 1), direction (n, 2), and radius of the next ring (n, 1)."""
        gap = x - self._centre
        r = (gap * gap).sum(1, keepdim=True).clamp(min=_TINY).sqrt()
        return r, gap / r, self._radii[torch.bucketize(r.detach(), self._edges)]

    def log_prob(self, x: Tensor) -> Tensor:
        """Minus the squared distance to the next ring over the width: (n, 2) -> (n,)."""
        r, _, ring = self._polar(x)
        return -((r - ring)[:, 0] ** 2) / self._width

    def score(self, x: Tensor) -> Tensor:
        """-2 (r - r_k) / w times the direction: (n, 2) -> (n, 2)."""
        r, direction, ring = self._polar(x)
        return -2.0 / self._width * (r - ring) * direction

    def hvp(self, x: Tensor, v: Tensor) -> Tensor:
        """-2 / w [v - r_k / r (v - (n.v) n)] with n the direction, (n, 2) each."""
        r, direction, ring = self._polar(x)
        across = v - (direction * v).sum(1, keepdim=True) * direction
        return -2.0 / self._width * (v - ring / r * across)

    # ---- judging interface ----------------------------------------------------------------------

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """n independent points, shape (n, 2).

        log r <= log a + (r - a) / a turns the radial distribution of ring k into a normal; with a
        its own mode, a (a - r_k) = w / 2, the mean of that normal is a and its mass is in
        proportion to a exp(-(a - r_k)^2 / w). What falls nearer to another ring is rejected.
        """
        w = self._width
        peaks = 0.5 * (self._radii + (self._radii**2 + 2.0 * w).sqrt())
        masses = peaks * torch.exp(-((peaks - self._radii) ** 2) / w)

        def propose(m: int) -> tuple[Tensor, Tensor]:
            k = torch.multinomial(masses, m, replacement=True, generator=rng)
            z = torch.randn(m, generator=rng, device=self.device, dtype=self.dtype)
            u = torch.rand(m, generator=rng, device=self.device, dtype=self.dtype)
            a = peaks[k]
            r = a + math.sqrt(0.5 * w) * z
            own = torch.bucketize(r, self._edges) == k
            return r, own & (r > 0) & (u < r / a * torch.exp(1.0 - r / a))

        r = accepted(propose, n)
        angle = torch.rand(n, generator=rng, device=self.device, dtype=self.dtype) * 2.0 * math.pi
        return self._centre + r[:, None] * torch.stack([angle.cos(), angle.sin()], 1)

    def mode_of(self, x: Tensor) -> Tensor:
        """Index of the ring that is nearest to each point: (n, 2) -> (n,)."""
        return torch.bucketize((x - self._centre).norm(dim=1), self._edges)

    def truths(self) -> tuple[Truth, ...]:
        """Raw moments by symmetry and quadrature, and the mean distance to the centre."""
        centre = self._centre.double().cpu().numpy()
        second = np.outer(centre, centre) + 0.5 * self._square * np.eye(2)
        radius = Truth("radius", lambda x: (x - self._centre).norm(dim=1), self._radius)
        return (*raw_moments(centre, second), radius)

    def view(self) -> tuple[float, float, float, float]:
        """All rings with their width."""
        reach = float(self._radii[-1]) + 3.0 * math.sqrt(self._width)
        a, b = self._centre.tolist()
        return (a - reach, a + reach, b - reach, b + reach)
