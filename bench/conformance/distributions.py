"""Two distributions that every sampler must recover, with their first cumulants.

``Skewed`` is asymmetric in every direction, so that a wrong sign of a score or of a kernel
gradient shows; its moments are known in closed form. And a plain one that metrics are tried on.
"""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from targets.base import Target, Truth


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

class Standard(Target):
    """N(0, I) in any dimension with all that a metric can ask for; a mode per sign of x0."""

    name = "standard"
    has_reference = True
    has_mode_distance = True
    mode_weights = torch.tensor([0.5, 0.5])

    def __init__(self, dim: int = 2) -> None:
        self.dim = dim
        self.scale = 1.0
        self.log_z = 0.5 * dim * math.log(2.0 * math.pi)

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-density, not normalised: (n, dim) -> (n,)."""
        return -0.5 * x.square().sum(1)

    def score(self, x: Tensor) -> Tensor:
        """Gradient of ``log_prob`` in closed form: (n, dim) -> (n, dim)."""
        return -x

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """n independent points, (n, dim)."""
        return torch.randn(n, self.dim, generator=rng, dtype=self.dtype, device=self.device)

    def mode_of(self, x: Tensor) -> Tensor:
        """1 where the first coordinate is positive, else 0: (n, dim) -> (n,)."""
        return (x[:, 0] > 0).long()

    def mode_distance(self, x: Tensor) -> Tensor:
        """Distance from the origin: (n, dim) -> (n,)."""
        return x.norm(dim=1)

    def truths(self) -> tuple[Truth, ...]:
        """First and second moments."""
        d = self.dim
        first = [Truth(f"x{i}", partial(_product, (i,)), 0.0) for i in range(d)]
        second = [Truth(f"x{i}^2" if i == j else f"x{i}*x{j}", partial(_product, (i, j)),
                        float(i == j)) for i in range(d) for j in range(i, d)]
        return tuple(first + second)


def _product(axes: tuple[int, ...], x: Tensor) -> Tensor:
    return x[:, list(axes)].prod(1)
