"""Whether points follow one of the two distributions: moments, MMD and KSD against their nulls.

The estimators are written naively and apart from the project's metrics: a second opinion.
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor

from bench.conformance.distributions import DISTRIBUTIONS

Z = 4.0  # standard errors that random deviations may take
POINTS = 400  # that the distances use; the moments use all


def moments(x: Tensor, name: str) -> dict[str, Tensor]:
    """Standardised moments point by point, (n,) each, with mean 0 under the distribution."""
    mean, covariance, third = DISTRIBUTIONS[name].cumulants()
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
    target, x = DISTRIBUTIONS[name], x[:POINTS].double()
    y = target.sample(2 * POINTS, torch.Generator().manual_seed(77))
    return {"mmd2": mmd2(x, y), "ksd2": ksd2(x, target.score(x))}


@cache
def null(name: str) -> tuple[dict[str, float], dict[str, float]]:
    """On exact points: standard deviation of each moment, and the ceiling of each distance."""
    rng = torch.Generator().manual_seed(78)
    exact = moments(DISTRIBUTIONS[name].sample(200_000, rng), name)
    draws = [distances(DISTRIBUTIONS[name].sample(POINTS, rng), name) for _ in range(25)]
    spread = {k: torch.tensor([d[k] for d in draws]) for k in draws[0]}
    # a degenerate U-statistic is skewed to the right: more deviations than for a normal one
    ceiling = {k: float(v.mean() + 1.5 * Z * v.std()) for k, v in spread.items()}
    return {k: float(v.std()) for k, v in exact.items()}, ceiling


@cache
def shifted(name: str, bias: float) -> dict[str, float]:
    """The largest mean distances of exact points moved by ``bias`` deviations along each axis."""
    rng = torch.Generator().manual_seed(79)
    _, covariance, _ = DISTRIBUTIONS[name].cumulants()
    x = DISTRIBUTIONS[name].sample(POINTS, rng)
    moved = [distances(x + bias * covariance.diagonal().sqrt() * torch.tensor([1.0, sign]), name)
             for sign in (1.0, -1.0)]
    still = distances(x, name)
    return {k: max(0.0, *(d[k] - still[k] for d in moved)) for k in still}


def verdict(x: Tensor, name: str, bias: float = 0.0) -> list[str]:
    """What is wrong with points said to follow the distribution; empty where nothing is.

    ``bias`` is the systematic error allowed in standardised moments, thrice that in third ones;
    distances may exceed their ceiling by as much as an error of the mean of that size adds.
    """
    if not bool(torch.isfinite(x).all()):
        return ["not finite"]
    deviation, ceiling = null(name)
    excess = shifted(name, bias)
    wrong = []
    for key, values in moments(x, name).items():
        error = abs(float(values.mean()))
        allowed = (bias * (3 if key.startswith("third") else 1)
                   + Z * deviation[key] / math.sqrt(len(x)))
        if error > allowed:
            wrong.append(f"{key}: off by {error:.3f}, at most {allowed:.3f} allowed")
    for key, value in distances(x, name).items():
        if value > ceiling[key] + excess[key]:
            wrong.append(f"{key}: {value:.4f} is above {ceiling[key] + excess[key]:.4f}")
    return wrong
