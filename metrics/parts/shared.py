"""What several metrics need: checked samples, and numbers computed once per evidence.

Whatever depends on the reference alone is kept in ``evidence.memo`` under a key that names what
else it depends on (the number of points). Whatever depends on the samples is kept for the latest
sample set only, recognised by its contents, so that two metrics asked about the same samples
share one pass over the pairs and a third set can never be mistaken for them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

from metrics.base import Estimate, Evidence

T = TypeVar("T")


def checked(x: Tensor, evidence: Evidence) -> Tensor:
    """``x`` detached, shape (n, dim) with n >= 2; raises ValueError where it cannot be judged."""
    dim = evidence.target.dim
    if x.ndim != 2 or x.shape[1] != dim or len(x) < 2:
        raise ValueError(f"a metric wants at least two points of shape (n, {dim}), "
                         f"not {tuple(x.shape)}")
    bad = int((~torch.isfinite(x)).any(dim=1).sum())
    if bad:
        raise ValueError(f"{bad} of {len(x)} samples are not finite: such a set has no distance")
    return x.detach()


def estimate(value: float, variance: float) -> Estimate:
    """The value with its standard error; infinitely bad where energy or score was not finite."""
    if not math.isfinite(value):
        return Estimate(math.inf)
    return Estimate(value, math.sqrt(variance) if math.isfinite(variance) else None)


def root_estimate(square: float, variance: float) -> Estimate:
    """The root of an estimated square and, by the delta method, its standard error.

    None where the root is zero: the delta method says nothing there.
    """
    if not math.isfinite(square):
        return Estimate(math.inf)
    root = math.sqrt(max(square, 0.0))
    return estimate(root, variance / (4.0 * square)) if root > 1e-12 else Estimate(root)


def of_reference(evidence: Evidence, key: str, compute: Callable[[], T]) -> T:
    """``compute()``, once per evidence and key; it may depend on nothing but target and key."""
    if key not in evidence.memo:
        evidence.memo[key] = compute()
    value: T = evidence.memo[key]
    return value


def of_samples(evidence: Evidence, x: Tensor, key: str, compute: Callable[[], T]) -> T:
    """``compute()``, once per key for as long as the samples asked about are equal to ``x``."""
    samples, known = evidence.memo.get("latest samples", (None, {}))
    if samples is None or samples.dtype != x.dtype or not torch.equal(samples, x):
        known = {}
        evidence.memo["latest samples"] = (x.clone(), known)
    if key not in known:
        known[key] = compute()
    value: T = known[key]
    return value


def energies(x: Tensor, evidence: Evidence) -> tuple[Tensor, Tensor]:
    """-log p of the samples and of as many reference points, float64, shapes (n,) and (n,)."""
    target, n = evidence.target, len(x)
    of_x = of_samples(evidence, x, "energies", lambda: -target.log_prob(x).double())
    of_y = of_reference(evidence, f"energies/{n}",
                        lambda: -target.log_prob(evidence.first(n)).double())
    return of_x, of_y


def mode_shares(x: Tensor, evidence: Evidence) -> tuple[Tensor, Tensor]:
    """Share of the samples in each mode and the true weights, float64, shapes (k,) and (k,)."""
    weights = evidence.target.mode_weights
    assert weights is not None  # ``applies`` has seen to it
    truth = weights.double() / weights.double().sum()

    def count() -> Tensor:
        modes = evidence.target.mode_of(x)
        return torch.bincount(modes, minlength=len(truth)).double() / len(x)

    return of_samples(evidence, x, "mode shares", count), truth


def median_distance(evidence: Evidence, n: int) -> float:
    """Median pairwise distance of the first min(n, 500) reference points.

    It is a number of the reference alone: with at least 500 points it is the same whatever n.
    """
    m = min(n, 500)
    return of_reference(evidence, f"median distance/{m}",
                        lambda: float(torch.pdist(evidence.first(m)).median()))
