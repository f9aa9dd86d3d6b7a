"""Two distributions that every sampler must recover, with their first cumulants.

``Skewed`` is asymmetric in every direction, so that a wrong sign of a score or of a kernel
gradient shows; its moments are known in closed form.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from targets.base import Target


class Skewed(Target):
    """x = A u + b with independent skew-normal u_i, p(u_i) = 2 N(u_i) Phi(a_i u_i)."""

    dim = 2
    scale = 1.5
    has_reference = True
    log_z = 0.0

    def __init__(self) -> None:
        self.shape = torch.tensor([4.0, -2.0], dtype=torch.float64)
        self.mix = torch.tensor([[1.0, 0.0], [0.6, 0.8]], dtype=torch.float64)
        self.shift = torch.tensor([0.0, 0.4], dtype=torch.float64)
        self.inverse = torch.linalg.inv(self.mix)

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-density, normalised up to a constant: (n, 2) -> (n,)."""
        u = (x - self.shift) @ self.inverse.T
        log_det = math.log(0.8)
        each = -u.square() / 2 + torch.special.log_ndtr(self.shape * u)
        return each.sum(-1) + 2 * math.log(2) - math.log(2 * math.pi) - log_det

    def score(self, x: Tensor) -> Tensor:
        """Gradient of ``log_prob`` in closed form: (n, 2) -> (n, 2)."""
        u = (x - self.shift) @ self.inverse.T
        t = self.shape * u
        exponent = -t.square() / 2 - torch.special.log_ndtr(t) - math.log(2 * math.pi) / 2
        return (-u + self.shape * exponent.clamp_min(-80.0).exp()) @ self.inverse

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """n independent points, (n, 2)."""
        z = torch.randn((2, n, 2), generator=rng, dtype=self.dtype, device=self.device)
        delta = self.shape / (1 + self.shape.square()).sqrt()
        u = delta * z[0].abs() + (1 - delta.square()).sqrt() * z[1]
        return u @ self.mix.T + self.shift

    def cumulants(self) -> tuple[Tensor, Tensor, Tensor]:
        """Mean (2,), covariance (2, 2), third central moment of each coordinate (2,)."""
        delta = self.shape / (1 + self.shape.square()).sqrt()
        mean = delta * math.sqrt(2 / math.pi)
        third = (4 - math.pi) / 2 * mean**3
        covariance = self.mix @ torch.diag(1 - mean.square()) @ self.mix.T
        return self.mix @ mean + self.shift, covariance, self.mix**3 @ third


class Correlated(Target):
    """N(m, C) off the origin, with correlation .8 and unequal variances."""

    dim = 2
    scale = 1.5
    has_reference = True

    def __init__(self) -> None:
        self.mean = torch.tensor([0.4, -0.25], dtype=torch.float64)
        self.root = torch.tensor([[1.2, 0.0], [0.56, 0.42]], dtype=torch.float64)
        self.precision = torch.linalg.inv(self.root @ self.root.T)

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-density, normalised up to a constant: (n, 2) -> (n,)."""
        return (self.score(x) * (x - self.mean)).sum(-1) / 2

    def score(self, x: Tensor) -> Tensor:
        """Gradient of ``log_prob`` in closed form: (n, 2) -> (n, 2)."""
        return -(x - self.mean) @ self.precision

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """n independent points, (n, 2)."""
        z = torch.randn((n, 2), generator=rng, dtype=self.dtype, device=self.device)
        return z @ self.root.T + self.mean

    def cumulants(self) -> tuple[Tensor, Tensor, Tensor]:
        """Mean (2,), covariance (2, 2), third central moment of each coordinate (2,)."""
        return self.mean, self.root @ self.root.T, torch.zeros_like(self.mean)


DISTRIBUTIONS: dict[str, Skewed | Correlated] = {"skewed": Skewed(), "correlated": Correlated()}


def distribution(name: str) -> Target:
    """The distribution of that name in single precision."""
    return DISTRIBUTIONS[name].to("cpu", torch.float32)
