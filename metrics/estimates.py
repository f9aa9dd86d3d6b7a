"""From samples to estimates: which samples can be judged; values with standard errors."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from metrics.base import Estimate, Evidence


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


def exceeds_single_precision(*sets: Tensor) -> bool:
    """Whether squares of these numbers leave single precision, so that doubles must be taken.

    False for doubles; so ordinary points are computed with in the precision they have.
    """
    size = max(float(s.abs().max()) for s in sets)
    return sets[0].dtype != torch.float64 and not 1e-12 < size < 1e15


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
