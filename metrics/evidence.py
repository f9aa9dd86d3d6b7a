"""Numbers that several metrics need of samples and reference, computed once per evidence.

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

from metrics.base import Evidence
from metrics.estimates import exceeds_single_precision
from targets.base import Target

T = TypeVar("T")


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


def _energy(target: Target, x: Tensor) -> Tensor:
    """-log p, float64 (n,): +inf where the density is zero; ValueError where it is no number.

    Where single precision overflows, the density is asked again in double precision.
    """
    energy = -target.log_prob(x).detach().double()
    lost = ~torch.isfinite(energy)
    if bool(lost.any()) and x.dtype != torch.float64:
        again = -target.to(x.device, torch.float64).log_prob(x[lost].double()).detach()
        energy[lost] = again.double()
    bad = int((torch.isnan(energy) | (energy == -math.inf)).sum())
    if bad:
        raise ValueError(f"log_prob is NaN or +inf at {bad} of {len(x)} points")
    return energy


def energies(x: Tensor, evidence: Evidence) -> tuple[Tensor, Tensor]:
    """-log p of the samples and of as many reference points, float64, shapes (n,) and (n,).

    Infinite for samples where the density is zero; of the reference they are finite.
    """
    target, n = evidence.target, len(x)
    of_x = of_samples(evidence, x, "energies", lambda: _energy(target, x))
    of_y = of_reference(evidence, f"energies/{n}", lambda: _energy(target, evidence.first(n)))
    if not bool(torch.isfinite(of_y).all()):
        raise ValueError("the density is zero at some reference points: reference and target do "
                         "not belong together")
    return of_x, of_y


def inside(x: Tensor, evidence: Evidence) -> Tensor:
    """``x``; ValueError where points lie at which the density is zero, to be no number there."""
    energy = of_samples(evidence, x, "energies", lambda: _energy(evidence.target, x))
    outside = int((energy == math.inf).sum())
    if outside:
        raise ValueError(f"{outside} of {len(x)} points lie where the density is zero: their "
                         "energy is infinite, and a score there means nothing")
    return x


def mode_shares(x: Tensor, evidence: Evidence) -> tuple[Tensor, Tensor]:
    """Share of the samples in each mode and the true weights, float64, shapes (k,) and (k,)."""
    weights = evidence.target.mode_weights
    assert weights is not None  # ``applies`` has checked it
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

    def compute() -> float:
        y = evidence.first(m)
        median = float(torch.pdist(y.double() if exceeds_single_precision(y) else y).median())
        if not 0.0 < median < math.inf:
            raise ValueError(f"the median distance of {m} reference points is {median}: half of "
                             "them are one point, or overflow, and there is no bandwidth")
        return median

    return of_reference(evidence, f"median distance/{m}", compute)
