"""p-values against a null distribution of draws, and where a mean stands relative to the floor.

A single value has the Monte-Carlo p-value p = (1 + #{draws at least as large}) / (R + 1)
(Davison and Hinkley, 1997, Bootstrap Methods and their Application, section 4.2); a mean over S
seeds is compared with the distribution of such means.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from bench.core.types import Array
from results.statistics.null_distribution import (
    LEVEL,
    LEVEL_BELOW,
    distribution_of_means,
    least_draws,
    usable,
)


class Standing(StrEnum):
    """Where a mean lies relative to the floor."""

    FLOOR = "floor"  # statistically indistinguishable from exact samples
    BELOW = "below"
    ABOVE = "above"
    UNKNOWN = "unknown"  # no floor, or none that could reject any value


def upper_tail(values: Array | np.float64, null: Array) -> Array:
    """p of each value (of any shape) against sorted draws of the null distribution, (R,)."""
    # Rounding must not decide a tie of metrics that count: draws are kept in float32.
    with np.errstate(invalid="ignore"):  # inf - inf is nan, which sorts last as inf does
        least = values - 1e-6 * np.abs(values)
    return np.asarray((1 + len(null) - np.searchsorted(null, least)) / (len(null) + 1))


def p_value(value: float, draws: Array) -> float:
    """p of a single value: (1 + number of draws at least as large) / (R + 1); never zero.

    Raises ValueError where a number is nan.
    """
    if np.isnan(value) or np.isnan(draws).any():
        raise ValueError("a p-value wants numbers, not nan")
    return float(upper_tail(np.float64(value), np.sort(draws)))


def p_value_of_mean(values: Array | list[float], draws: Array) -> float:
    """Probability that exact samples have a mean over as many seeds at least as large."""
    null = distribution_of_means(draws, len(values))
    return float(upper_tail(np.float64(np.mean(values)), null))


def p_value_of_mean_below(values: Array | list[float], draws: Array) -> float:
    """Probability that exact samples have a mean over as many seeds at most as large."""
    null = distribution_of_means(draws, len(values))
    return float(upper_tail(-np.float64(np.mean(values)), -null[::-1]))


def standing(values: Array | list[float], draws: Array | None) -> Standing:
    """Where the mean of one value a seed lies; a test that cannot reject says nothing."""
    floor = usable(draws)
    if floor is None or not np.isfinite(np.mean(values)):
        return Standing.UNKNOWN
    if p_value_of_mean(values, floor) <= LEVEL:
        return Standing.ABOVE
    low_enough = len(floor) >= least_draws(LEVEL_BELOW)
    if low_enough and p_value_of_mean_below(values, floor) <= LEVEL_BELOW:
        return Standing.BELOW
    return Standing.FLOOR
