"""Two laws that every sampler must recover, and the judge that says whether it did.

``Skewed`` is asymmetric in every direction, so that a wrong sign of a score or of a kernel
gradient shows; its moments are known in closed form. The estimators here are written naively and
apart from the project's metrics: they are a second opinion.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from torch import Tensor

from samplers.base import Sampler
from targets.base import Target

Z = 4.0  # how many standard errors are chance
POINTS = 400  # that the distances use; the moments use all


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
        u = (x - self.shift) @ self.inverse.T
        log_det = math.log(0.8)
        each = -u.square() / 2 + torch.special.log_ndtr(self.shape * u)
        return each.sum(-1) + 2 * math.log(2) - math.log(2 * math.pi) - log_det

    def score(self, x: Tensor) -> Tensor:
        u = (x - self.shift) @ self.inverse.T
        t = self.shape * u
        exponent = -t.square() / 2 - torch.special.log_ndtr(t) - math.log(2 * math.pi) / 2
        return (-u + self.shape * exponent.clamp_min(-80.0).exp()) @ self.inverse

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
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
        return (self.score(x) * (x - self.mean)).sum(-1) / 2

    def score(self, x: Tensor) -> Tensor:
        return -(x - self.mean) @ self.precision

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        z = torch.randn((n, 2), generator=rng, dtype=self.dtype, device=self.device)
        return z @ self.root.T + self.mean

    def cumulants(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.mean, self.root @ self.root.T, torch.zeros_like(self.mean)


LAWS: dict[str, Target] = {"skewed": Skewed(), "correlated": Correlated()}


def law(name: str) -> Target:
    return LAWS[name].to("cpu", torch.float32)


def moments(x: Tensor, name: str) -> dict[str, Tensor]:
    """Standardised moments point by point, each with mean 0 under the law: name -> (n,)."""
    mean, covariance, third = LAWS[name].cumulants()
    sd = covariance.diagonal().sqrt()
    z = (x.double() - mean) / sd
    correlation, skewness = covariance / sd[:, None] / sd, third / sd**3
    found = {f"mean {i}": z[:, i] for i in range(2)}
    found |= {f"covariance {i}{j}": z[:, i] * z[:, j] - correlation[i, j]
              for i in range(2) for j in range(i + 1)}
    return found | {f"third {i}": z[:, i] ** 3 - skewness[i] for i in range(2)}


def mmd2(x: Tensor, y: Tensor, width: float = 1.0) -> float:
    """Unbiased squared MMD with the kernel exp(-|x - y|^2 / (2 width^2)), (n, d) and (m, d)."""
    def k(a: Tensor, b: Tensor) -> Tensor:
        return (-torch.cdist(a, b).square() / (2 * width**2)).clamp_min(-80.0).exp()
    n, m = len(x), len(y)
    within = (k(x, x).sum() - n) / (n * (n - 1)) + (k(y, y).sum() - m) / (m * (m - 1))
    return float(within - 2 * k(x, y).mean())


def ksd2(x: Tensor, s: Tensor) -> float:
    """Unbiased squared KSD with the kernel (1 + |x - y|^2)^(-1/2)."""
    r2 = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist").square()
    b = 1 + r2
    own = (s * x).sum(-1)
    cross = own[:, None] + own[None] - s @ x.T - x @ s.T
    k0 = (s @ s.T) * b**-0.5 + (cross + x.shape[1]) * b**-1.5 - 3 * r2 * b**-2.5
    n = len(x)
    return float((k0.sum() - k0.diagonal().sum()) / (n * (n - 1)))


def distances(x: Tensor, name: str) -> dict[str, float]:
    """MMD^2 and KSD^2 of the first points."""
    target, x = LAWS[name], x[:POINTS].double()
    y = target.sample(2 * POINTS, torch.Generator().manual_seed(77))
    return {"mmd2": mmd2(x, y), "ksd2": ksd2(x, target.score(x))}


@cache
def null(name: str) -> tuple[dict[str, float], dict[str, float]]:
    """On exact points: standard deviation of each moment, and the ceiling of each distance."""
    rng = torch.Generator().manual_seed(78)
    exact = moments(LAWS[name].sample(200_000, rng), name)
    draws = [distances(LAWS[name].sample(POINTS, rng), name) for _ in range(25)]
    spread = {k: torch.tensor([d[k] for d in draws]) for k in draws[0]}
    # a degenerate U-statistic is skewed to the right: more deviations than for a normal one
    ceiling = {k: float(v.mean() + 1.5 * Z * v.std()) for k, v in spread.items()}
    return {k: float(v.std()) for k, v in exact.items()}, ceiling


@cache
def shifted(name: str, bias: float) -> dict[str, float]:
    """The largest mean distances of exact points moved by ``bias`` deviations along each axis."""
    rng = torch.Generator().manual_seed(79)
    _, covariance, _ = LAWS[name].cumulants()
    x = LAWS[name].sample(POINTS, rng)
    moved = [distances(x + bias * covariance.diagonal().sqrt() * torch.tensor([1.0, sign]), name)
             for sign in (1.0, -1.0)]
    still = distances(x, name)
    return {k: max(0.0, *(d[k] - still[k] for d in moved)) for k in still}


def verdict(x: Tensor, name: str, bias: float = 0.0) -> list[str]:
    """What is wrong with points said to follow the law; empty where nothing is.

    ``bias`` is the systematic error allowed in standardised moments, thrice that in third ones;
    distances may exceed chance by as much as an error of the mean of that size adds.
    """
    if not bool(torch.isfinite(x).all()):
        return ["not finite"]
    deviation, chance = null(name)
    excess = shifted(name, bias)
    wrong = []
    for key, value in moments(x, name).items():
        error, kind = abs(float(value.mean())), bias * (3 if key.startswith("third") else 1)
        if error > kind + Z * deviation[key] / math.sqrt(len(x)):
            wrong.append(f"{key}: off by {error:.3f}")
    for key, value in distances(x, name).items():
        if value > chance[key] + excess[key]:
            wrong.append(f"{key}: {value:.4f} above {chance[key] + excess[key]:.4f}")
    return wrong


@dataclass
class Trial:
    """A sampler driven over a target for some steps, as the harness does: no look, one draw."""

    sampler: Sampler
    target: Target
    steps: int
    seed: int = 0
    state: Any = field(init=False)

    def __post_init__(self) -> None:
        self.rng = torch.Generator(self.target.device).manual_seed(self.seed)
        self.state = self.sampler.init(self.target, self.rng)
        self.made = 0

    def run(self, steps: int | None = None) -> Trial:
        for _ in range(self.steps if steps is None else steps):
            progress = min(self.made / max(1, self.steps), 1.0)
            self.state = self.sampler.step(self.target, self.state, progress, self.rng)
            self.made += 1
        return self

    def draw(self, n: int, seed: int = 1) -> Tensor:
        rng = torch.Generator(self.target.device).manual_seed(seed)
        return self.sampler.draw(self.target, self.state, n, rng)
