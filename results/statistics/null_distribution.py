"""Null distributions of metrics: what exact samples score, the *floor* of a metric.

The draws of a floor are values of the same estimator on exact samples at the same n, each against
a fresh reference. The null distribution of a mean over S seeds is that of means of S such draws,
by resampling S of the R draws.

R draws reach no p-value below 1 / (R + 1): where that is above a level no value whatever can be
rejected at it, and nothing is said. Means resampled from few draws reach smaller p-values, but
know no more of the distribution's tail than the draws do: R decides for them too.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from bench.core.types import Array

#: Level at which a number differs significantly from the floor (one-sided, upwards).
LEVEL = 0.05
#: Level at which it is called below the floor (one-sided, downwards).
LEVEL_BELOW = 0.025
RESAMPLES = 10_000


def least_draws(level: float = LEVEL) -> int:
    """Number of draws from which on some value can be rejected at a level."""
    return math.ceil(1 / level) - 1


def usable(draws: Array | None) -> Array | None:
    """The floor's draws; None where they cannot reject any value: too few, or not all finite."""
    enough = draws is not None and len(draws) >= least_draws() and np.isfinite(draws).all()
    return draws if enough else None


@lru_cache(maxsize=4096)
def _means(draws: bytes, size: int) -> Array:
    """Sorted means of ``size`` draws; one fixed stream, so that a report is reproducible."""
    pool = np.frombuffer(draws)
    rng = np.random.default_rng(20_240_229)
    picked = rng.integers(len(pool), size=(RESAMPLES, size))
    return np.sort(pool[picked].mean(axis=1))


def distribution_of_means(draws: Array, size: int) -> Array:
    """Sorted draws, (R,) or (RESAMPLES,), of a mean over ``size`` seeds under exact sampling."""
    ordered = np.sort(draws)
    return ordered if size == 1 or not len(draws) else _means(ordered.tobytes(), size)


def band(draws: Array, mass: float = 0.95) -> tuple[float, float, float]:
    """Lower quantile, median and upper quantile of the floor's draws."""
    tail = (1 - mass) / 2
    low, mid, high = np.quantile(draws, [tail, 0.5, 1 - tail])
    return float(low), float(mid), float(high)
