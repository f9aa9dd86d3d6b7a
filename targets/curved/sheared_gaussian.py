"""Gaussians sheared along the second coordinate: (x0, x1 - g(x0)) is normal."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from bench.core.types import Array
from targets.base import Truth
from targets.numerics.quadrature import normal_plane
from targets.numerics.raw_moments import raw_moments
from targets.tempering import TemperedFamily


class ShearedGaussian(TemperedFamily):
    """y = (x0, x1 - g(x0)) ~ N(m, C) in two dimensions; the shear has Jacobian 1.

    A subclass gives g with its first two derivatives. At temperature tau the distribution is that
    of y ~ N(m, tau C), so that sampler, truths and log Z survive.
    """

    has_reference = True
    reference_note = "exact: a sheared normal draw"
    dim = 2

    _mean: Tensor  # (2,)
    _precision: Tensor  # (2, 2)
    _factor: Tensor  # (2, 2): Cholesky factor of C

    def __init__(self, mean: Array, covariance: Array, scale: float) -> None:
        factor = np.linalg.cholesky(covariance)
        self.scale = scale
        self._mean = torch.tensor(mean)
        self._precision = torch.tensor(np.linalg.inv(covariance))
        self._factor = torch.tensor(factor)
        self._log_norm = math.log(2 * math.pi) + float(np.log(np.diagonal(factor)).sum())
        self._set_temperature(1.0)

    def _set_temperature(self, tau: float) -> None:
        self._tau = tau
        self.log_z = self._log_norm * (1.0 - 1.0 / tau) + math.log(tau)

    # ---- the shear -----------------------------------------------------------------------------

    def shear(self, a: Tensor) -> Tensor:
        """g: (n,) -> (n,)."""
        return torch.zeros_like(a)

    def slope(self, a: Tensor) -> Tensor:
        """g': (n,) -> (n,)."""
        return torch.zeros_like(a)

    def curve(self, a: Tensor) -> Tensor:
        """g'': (n,) -> (n,)."""
        return torch.zeros_like(a)

    # ---- density -------------------------------------------------------------------------------

    def _pull(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """-C^-1 (first, second) / tau, coordinate by coordinate."""
        p = self._precision / self._tau
        return (-(p[0, 0] * first + p[0, 1] * second), -(p[1, 0] * first + p[1, 1] * second))

    def _straight(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """y - m, coordinate by coordinate."""
        return x[:, 0] - self._mean[0], x[:, 1] - self.shear(x[:, 0]) - self._mean[1]

    def log_prob(self, x: Tensor) -> Tensor:
        """log N(y; m, C) / tau: (n, 2) -> (n,)."""
        y0, y1 = self._straight(x)
        w0, w1 = self._pull(y0, y1)
        return 0.5 * (y0 * w0 + y1 * w1) - self._log_norm / self._tau

    def score(self, x: Tensor) -> Tensor:
        """With w = -C^-1 (y - m) / tau: (w0 - g' w1, w1), (n, 2) -> (n, 2)."""
        w0, w1 = self._pull(*self._straight(x))
        return torch.stack([w0 - self.slope(x[:, 0]) * w1, w1], 1)

    def hvp(self, x: Tensor, v: Tensor) -> Tensor:
        """Hessian times v in closed form: (n, 2), (n, 2) -> (n, 2)."""
        _, w1 = self._pull(*self._straight(x))
        slope = self.slope(x[:, 0])
        d0, d1 = self._pull(v[:, 0], v[:, 1] - slope * v[:, 0])
        return torch.stack([d0 - slope * d1 - self.curve(x[:, 0]) * v[:, 0] * w1, d1], 1)

    # ---- judging interface ----------------------------------------------------------------------

    def _bend(self, z: Tensor) -> Tensor:
        """Standard normal z to a point of the target: (n, 2) -> (n, 2)."""
        y = self._mean + math.sqrt(self._tau) * (self._factor * z[:, None, :]).sum(2)
        return torch.stack([y[:, 0], y[:, 1] + self.shear(y[:, 0])], 1)

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """n independent points, shape (n, 2)."""
        return self._bend(torch.randn(n, 2, generator=rng, device=self.device, dtype=self.dtype))

    def truths(self) -> tuple[Truth, ...]:
        """Raw moments by Gauss-Hermite quadrature, exact to about 1e-12."""
        z, mass = normal_plane()
        x = self.to("cpu", torch.float64)._bend(torch.from_numpy(z)).numpy()
        return raw_moments(mass @ x, (x * mass[:, None]).T @ x)
