"""Floors: what exact samples score, and whether a number can be told from it.

The draws of a floor are values of the same estimator on exact samples at the same n, each against
a fresh reference. A single value has p = (1 + #{draws at least as bad}) / (R + 1). A mean over S
seeds is compared with the law of means of S such draws, by resampling S of the R draws.

R draws reach no p below 1 / (R + 1): where that is above a level no value whatever can be rejected
at it, and nothing is said. Means resampled from few draws reach smaller numbers, but know no more
of the law's tail than the draws do: R decides for them too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from bench.core.types import Array

#: A number is told from the floor at this level (one-sided, upwards).
LEVEL = 0.05
#: It is called below the floor at this level (one-sided, downwards).
LEVEL_BELOW = 0.025
RESAMPLES = 10_000
#: From this many seeds on a mean carries a t-interval; below, the points themselves are shown.
INTERVAL_FROM = 6


def least_draws(level: float = LEVEL) -> int:
    """Draws of a floor from which on some value can be rejected at a level."""
    return math.ceil(1 / level) - 1


def usable(draws: Array | None) -> Array | None:
    """The floor's draws; None where they cannot reject any value: too few, or no numbers."""
    enough = draws is not None and len(draws) >= least_draws() and np.isfinite(draws).all()
    return draws if enough else None


def p_value(value: float, draws: Array) -> float:
    """p of a single value: (1 + number of draws at least as large) / (R + 1); never zero."""
    if np.isnan(value) or np.isnan(draws).any():
        raise ValueError("a p-value wants numbers, not nan")
    return _tail(value, np.sort(draws))


@lru_cache(maxsize=4096)
def _means(draws: bytes, size: int) -> Array:
    """Sorted means of ``size`` draws; one fixed stream, so that a report is reproducible."""
    pool = np.frombuffer(draws)
    rng = np.random.default_rng(20_240_229)
    picked = rng.integers(len(pool), size=(RESAMPLES, size))
    return np.sort(pool[picked].mean(axis=1))


def mean_law(draws: Array, size: int) -> Array:
    """Sorted draws of the law of a mean over ``size`` seeds under exact sampling."""
    ordered = np.sort(draws)
    return ordered if size == 1 or not len(draws) else _means(ordered.tobytes(), size)


def p_mean(values: Array | list[float], draws: Array) -> float:
    """p of a mean over seeds: chance that exact samples have a mean at least as large."""
    return _tail(float(np.mean(values)), mean_law(draws, len(values)))


def p_mean_below(values: Array | list[float], draws: Array) -> float:
    """Chance that exact samples have a mean at most as large."""
    return _tail(-float(np.mean(values)), -mean_law(draws, len(values))[::-1])


def _tail(value: float, law: Array) -> float:
    # Rounding must not decide a tie of metrics that count: draws are kept in float32.
    slack = 1e-6 * abs(value)
    return float((1 + len(law) - np.searchsorted(law, value - slack)) / (len(law) + 1))


def band(draws: Array, mass: float = 0.95) -> tuple[float, float, float]:
    """Lower quantile, median and upper quantile of the floor's draws."""
    tail = (1 - mass) / 2
    low, mid, high = np.quantile(draws, [tail, 0.5, 1 - tail])
    return float(low), float(mid), float(high)


def half_width(values: Array | list[float]) -> float | None:
    """Half of the 95 % t-interval of a mean; None below six seeds, where points are shown."""
    size = len(values)
    if size < INTERVAL_FROM:
        return None
    from scipy import stats  # a second to import, and most processes never ask

    return float(stats.t.ppf(0.975, size - 1) * np.std(values, ddof=1) / np.sqrt(size))


def standing(values: Array | list[float], draws: Array | None) -> str:
    """Where a mean lies: ``floor`` (cannot be told from it), ``below``, ``above``, ``unknown``.

    ``unknown`` where no value could be rejected: a test that cannot fail says nothing.
    """
    floor = usable(draws)
    if floor is None or not np.isfinite(np.mean(values)):
        return "unknown"
    if p_mean(values, floor) <= LEVEL:
        return "above"
    seen = len(floor) >= least_draws(LEVEL_BELOW)
    return "below" if seen and p_mean_below(values, floor) <= LEVEL_BELOW else "floor"


@dataclass(frozen=True)
class Score:
    """A sampler's values of one metric on one target, over seeds, against the floor.

    All values are of the same ``n``. ``draws`` are the floor's at that n, however few.
    """

    label: str
    target: str
    metric: str
    n: int
    seeds: tuple[int, ...]
    values: tuple[float, ...]
    draws: Array | None = None

    @cached_property
    def mean(self) -> float:
        """Mean over the seeds that ended well."""
        return float(np.mean(self.values))

    @cached_property
    def half(self) -> float | None:
        """Half of the 95 % interval of the mean, from six seeds on."""
        return half_width(list(self.values))

    @cached_property
    def floor(self) -> Array | None:
        """The floor's draws at this n, where they are able to tell anything."""
        return usable(self.draws)

    @cached_property
    def p(self) -> float | None:
        """Chance of a mean at least as large from exact samples; None without a floor."""
        return None if self.floor is None else p_mean(list(self.values), self.floor)

    @cached_property
    def verdict(self) -> str:
        """``floor`` (cannot be told from it), ``below``, ``above``, or ``unknown``."""
        return standing(list(self.values), self.draws)

    @cached_property
    def excess(self) -> float | None:
        """How far the mean lies over the floor's mean; 0 where it cannot be told from it or less.

        None without a floor: a raw value is no excess, and may never stand among them.
        """
        if self.floor is None:
            return None
        return max(self.mean - float(np.mean(self.floor)), 0.0) if self.verdict == "above" else 0.0
