"""Confidence intervals: Student's t for means and differences, Fieller's for ratios of means.

References: Student (1908), Biometrika 6; Fieller (1954), J. R. Stat. Soc. B 16.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bench.core.types import Array

# SciPy's distributions take a second to import, and most processes that read a run never ask for
# an interval: each function imports them itself.

#: From this many seeds on a mean carries a t-interval; below, the points themselves are shown.
INTERVAL_FROM = 6


@dataclass(frozen=True)
class Interval:
    """A confidence set for one number; ``bounded`` is False where it has no finite ends."""

    value: float
    low: float
    high: float
    bounded: bool = True


def half_width(values: Array | list[float]) -> float | None:
    """Half of the 95 % t-interval of a mean, t s / sqrt(S); None below six seeds."""
    size = len(values)
    if size < INTERVAL_FROM:
        return None
    from scipy import stats

    return float(stats.t.ppf(0.975, size - 1) * np.std(values, ddof=1) / np.sqrt(size))


def interval_of_mean(values: Array) -> Interval | None:
    """Mean with its 95 % t-interval; None below six seeds, unbounded where all are equal."""
    if len(values) < INTERVAL_FROM:
        return None
    if np.ptp(values) == 0:
        return Interval(float(values[0]), -math.inf, math.inf, bounded=False)
    from scipy import stats

    bounds = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    return Interval(float(values.mean()), float(bounds.low), float(bounds.high))


def fieller(a: Array, b: Array, level: float = 0.95) -> Interval:
    """Ratio of paired means, mean(a) / mean(b), by Fieller's set; at least two values.

    With t the quantile of Student's distribution, S the number of pairs and C their covariance
    matrix, the set holds each ratio r that a t-test of a - r b does not reject,

        (mean(a) - r mean(b))^2 <= t^2 / S (C_aa - 2 r C_ab + r^2 C_bb).

    Where the mean of b does not differ significantly from 0 it is unbounded, and the ends are
    nan.
    """
    from scipy import stats

    n = len(a)
    square = stats.t.ppf(0.5 + level / 2, n - 1) ** 2 / n
    cov = np.cov(a, b)
    mean_a, mean_b = float(np.mean(a)), float(np.mean(b))
    lead = mean_b**2 - square * cov[1, 1]
    middle = mean_a * mean_b - square * cov[0, 1]
    last = mean_a**2 - square * cov[0, 0]
    ratio = mean_a / mean_b if mean_b else math.nan
    if lead <= 0:
        return Interval(ratio, math.nan, math.nan, bounded=False)
    root = math.sqrt(max(middle**2 - lead * last, 0.0))
    return Interval(ratio, (middle - root) / lead, (middle + root) / lead)
