"""What the random targets draw, with numpy's legacy Mersenne Twister, whose streams are frozen."""

from __future__ import annotations

import math

import numpy as np

from bench.core.types import Array


def log_uniform(rng: np.random.RandomState, low: float, high: float) -> float:
    """A number in [low, high], uniform in its logarithm."""
    return float(math.exp(rng.uniform(math.log(low), math.log(high))))


def far_point(rng: np.random.RandomState, others: Array) -> Array:
    """Of eight points in [-1, 1]^2 the one farthest from all of ``others`` (m, 2), shape (2,)."""
    candidates = rng.uniform(-1.0, 1.0, size=(8, 2))
    if len(others) == 0:
        return candidates[0]
    gaps = ((candidates[:, None, :] - others[None]) ** 2).sum(2).min(1)
    return candidates[int(gaps.argmax())]
