r"""Whether a floor holds under the null hypothesis: false alarms, and zero means.

**False alarms.** A value v differs significantly from R floor draws where p = (1 + #{draws >= v})
/ (R + 1) <= level, that is, where v lies above the k-th largest draw T, k = floor(level (R + 1)).
For a continuous null distribution, 1 - F(T) is the k-th smallest of R uniforms,
Beta(k, R + 1 - k), so the number of alarms among m fresh null draws is

    beta-binomial(m, k, R + 1 - k),   mean m k / (R + 1),

the floor's own error included. Where values tie, the number *above* T is stochastically no larger
and the number *at or above* T no smaller than that, so the first is held against the upper limit,
the second against the lower one. Over all cells together: Bonferroni, since metrics share draws.

**Zero means.** A metric that calls itself ``signed`` has mean zero under p = q. The studentised
mean of m draws is held against t quantiles, with the Edgeworth term of the skewness g
(Hall 1992, section 2.6): x_q = t_q - g (2 t_q^2 + 1) / (6 sqrt(m)). It detects a V-statistic
taken for an unbiased one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

Array = np.ndarray
LEVEL = 0.05
#: Probability that a suite of sound floors is called unsound, for each of the two kinds of test.
FAMILY = 0.05


def rank(draws: int, level: float = LEVEL) -> int:
    """k: values above the k-th largest of so many floor draws have p <= level; 0 if none can."""
    return math.floor(level * (draws + 1) + 1e-9)


def threshold(floor: Array, level: float = LEVEL) -> float:
    """The k-th largest floor draw; infinite where the floor is too short to reject any value."""
    k = rank(len(floor), level)
    return float(np.sort(np.asarray(floor, dtype=np.float64))[-k]) if k else math.inf


def above(value: float, limit: float) -> bool:
    """Whether the judge rejects the value; rounding must not decide a tie."""
    return value == math.inf or value - 1e-6 * abs(value) > limit


@dataclass(frozen=True)
class Null:
    """Fresh null draws of a metric and its floor; ``reached`` counts ties, ``detected`` not."""

    draws: int
    detected: int
    reached: int
    mean: float
    sd: float
    skew: float


def null_of(values: list[float], limit: float) -> Null:
    """Counts of fresh null values against a floor's threshold, moments of the finite ones."""
    array = np.asarray([v for v in values if math.isfinite(v)] or [0.0], dtype=np.float64)
    sd = float(array.std(ddof=1)) if len(array) > 1 else 0.0
    skew = float(stats.skew(array)) if sd > 0 else 0.0
    detected = sum(bool(above(v, limit)) for v in values)
    reached = sum(bool(v + 1e-6 * abs(v) >= limit) for v in values)
    return Null(len(values), detected, reached, float(array.mean()), sd, skew)


def alarm_band(fresh: int, floor: int, error: float, level: float = LEVEL) -> tuple[int, int]:
    """Least and most alarms among ``fresh`` null draws; outside with probability <= ``error``."""
    k = rank(floor, level)
    if k == 0:
        return 0, 0
    alarms = stats.betabinom(fresh, k, floor + 1 - k)
    return int(alarms.ppf(error / 2.0)), int(alarms.isf(error / 2.0))


def mean_band(null: Null, error: float) -> tuple[float, float]:
    """Limits of the studentised mean of a distribution of mean zero and the observed skewness."""
    t = float(stats.t.isf(error / 2.0, null.draws - 1))
    lean = null.skew * (2.0 * t * t + 1.0) / (6.0 * math.sqrt(null.draws))
    return -t - lean, t - lean


def alarm_faults(cells: Mapping[str, tuple[Null, int]], family: float = FAMILY) -> dict[str, str]:
    """Cells, name -> (null, floor draws), whose alarms leave the simultaneous band, with why."""
    faults = {}
    for name, (null, floor) in cells.items():
        low, high = alarm_band(null.draws, floor, family / len(cells))
        if null.detected > high or null.reached < low:
            count = null.detected if null.detected > high else null.reached
            faults[name] = (f"{count} false alarms in {null.draws} null draws, outside {low} to "
                            f"{high}: the floor is not this metric's at this n")
    return faults


def mean_faults(cells: Mapping[str, Null], family: float = FAMILY) -> dict[str, str]:
    """Cells of signed metrics whose null mean is not zero, with why."""
    faults = {}
    for name, null in cells.items():
        if null.draws < 2 or null.sd == 0.0:
            continue
        z = null.mean * math.sqrt(null.draws) / null.sd
        low, high = mean_band(null, family / len(cells))
        if not low <= z <= high:
            faults[name] = (f"mean {null.mean:.3g} under exact sampling, {z:.1f} standard errors "
                            "from zero: it is not unbiased, so it must not be signed")
    return faults
