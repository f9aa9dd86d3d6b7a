"""Intervals, corrections and forecasts for paired samplers, and mean ranks over targets.

References: Fieller (1954), J. R. Stat. Soc. B 16; Holm (1979), Scand. J. Stat. 6; Noether (1987),
J. Am. Stat. Assoc. 82; Demsar (2006), J. Mach. Learn. Res. 7.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import stats

from bench.core.types import Array
from results.statistics.floors import INTERVAL_FROM, LEVEL
from results.statistics.paired import Flip, Pair

POWER = 0.8
GUARD = 5.0
MOST_SEEDS = 1000


@dataclass(frozen=True)
class Interval:
    """A confidence set for one number; ``bounded`` is False where it has no finite ends."""

    value: float
    low: float
    high: float
    bounded: bool = True


def testable(pair: Pair) -> bool:
    """Whether one target alone is tested: from six paired seeds on (2 / 2^5 is above 5 %)."""
    return pair.comparable and len(pair.seeds) >= INTERVAL_FROM


def wants_t(pair: Pair) -> bool:
    """The paired t-test where every seed ended well and no two differences are equal.

    Equal differences (counts, copies) have too little spread for it; there, and where a seed
    failed, the sign-flip test of the signed ranks takes its place.
    """
    return bool(pair.both.all()) and len(np.unique(pair.raw)) == len(pair.raw)


def guarded(p: float, seeds: int) -> float:
    """A t-test's p, raised so far that two-state laws do not fool it.

    Two samplers that each keep or lose a mode by the toss of a coin (hardly any other spread)
    differ alike in every seed with chance 2 / 4^seeds, and a t-test sees no spread then: no p is
    smaller. Nearly alike, they err up to 4.7 times as often as p says (counted for 6 to 30 seeds,
    p from 8e-6 on, which is what 600 tests need): p is multiplied by 5.
    """
    return min(max(GUARD * p, luck(seeds)), 1.0)


def luck(seeds: int) -> float:
    """Chance that two coin-tossing samplers differ alike in every seed."""
    return 2.0 * 0.25**seeds


def difference(pair: Pair) -> Interval | None:
    """Mean of a - b with its 95 % t-interval, from six seeds that ended well for both on."""
    d = pair.raw
    if len(d) < INTERVAL_FROM:
        return None
    if np.ptp(d) == 0:
        return Interval(float(d[0]), -math.inf, math.inf, bounded=False)
    bounds = stats.ttest_1samp(d, 0.0).confidence_interval(0.95)
    return Interval(float(d.mean()), float(bounds.low), float(bounds.high))


def fieller(a: Array, b: Array, level: float = 0.95) -> Interval:
    """Ratio of paired means, mean(a) / mean(b), by Fieller's set; at least two values.

    The set holds each ratio r that a t-test of a - r b does not reject; where the mean of b cannot
    be told from 0 it is unbounded, and the ends are those of no interval (nan).
    """
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


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given."""
    order = np.argsort(ps, kind="stable")
    steps = np.array(ps, dtype=float)[order] * np.arange(len(ps), 0, -1)
    adjusted = np.empty(len(ps))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return [float(p) for p in adjusted]


def t_power(n: int, effect: float, level: float) -> float:
    """Power of a two-sided paired t-test: n seeds, effect = |mean| / sd of the differences."""
    bound = stats.t.isf(level / 2, n - 1)
    # Far in the tail SciPy's noncentral t returns nan, where the power has long been one.
    upper = stats.nct.sf(bound, n - 1, effect * math.sqrt(n))
    if not math.isfinite(upper):
        return float(stats.norm.sf(bound - effect * math.sqrt(n)))
    return float(upper)


def seeds_for_difference(d: Array, level: float) -> int | None:
    """Least number of seeds at which a guarded t-test has 80 % power; None beyond 1,000."""
    effect = abs(float(np.mean(d))) / float(np.std(d, ddof=1)) if np.ptp(d) > 0 else 0.0
    strict = level / GUARD
    if effect == 0 or t_power(MOST_SEEDS, effect, strict) < POWER:
        return None
    least = next(n for n in range(INTERVAL_FROM, MOST_SEEDS) if luck(n) <= level)
    low, high = least - 1, MOST_SEEDS
    while high - low > 1:
        mid = (low + high) // 2
        low, high = (low, mid) if t_power(mid, effect, strict) >= POWER else (mid, high)
    return high


def seeds_for_flip(flip: Flip, seeds: float, level: float) -> int | None:
    """Seeds a target for 80 % power of the sign-flip test; None beyond 1,000.

    The standardised statistic grows with the root of the number of seeds (Noether, 1987,
    J. Am. Stat. Assoc. 82): a rough forecast from what was seen.
    """
    if flip.statistic == 0 or flip.sd == 0:
        return None
    wanted = stats.norm.isf(level / 2) + stats.norm.ppf(POWER)
    least = math.ceil(seeds * (wanted * flip.sd / abs(flip.statistic)) ** 2)
    return None if least > MOST_SEEDS else max(least, math.floor(seeds) + 1)


def friedman(ranks: Array) -> float:
    """p of Friedman's test over a table of ranks (targets, samplers); 1 where all are tied."""
    if ranks.shape[1] < 3 or ranks.shape[0] < 2 or np.ptp(ranks, axis=1).max() == 0:
        return math.nan if ranks.shape[1] < 3 or ranks.shape[0] < 2 else 1.0
    return float(stats.friedmanchisquare(*ranks.T).pvalue)


@lru_cache(maxsize=64)
def critical_difference(samplers: int, targets: int, level: float = LEVEL) -> float:
    """Nemenyi's critical difference of mean ranks (Demsar, 2006, section 3.2.2)."""
    q = stats.studentized_range.ppf(1 - level, samplers, np.inf) / math.sqrt(2)
    return float(q * math.sqrt(samplers * (samplers + 1) / (6 * targets)))


def cliques(order: Sequence[str], apart: Iterable[frozenset[str]]) -> list[tuple[str, ...]]:
    """Maximal sets in which no two are told apart, by Bron and Kerbosch; best first.

    Grown only by those that are told apart from a pivot, the one with most open neighbours
    (Tomita, Tanaka, Takahashi 2006): otherwise thirty samplers of which few are told apart never
    end.
    """
    told = set(apart)
    near = {x: {y for y in order if y != x and frozenset((x, y)) not in told} for x in order}
    found: list[tuple[str, ...]] = []

    def grow(chosen: set[str], open_: set[str], done: set[str]) -> None:
        if not open_ and not done:
            found.append(tuple(x for x in order if x in chosen))
            return
        pivot = max(sorted(open_ | done), key=lambda y: len(near[y] & open_))
        for x in [y for y in order if y in open_ - near[pivot]]:
            grow(chosen | {x}, open_ & near[x], done & near[x])
            open_, done = open_ - {x}, done | {x}

    grow(set(), set(order), set())
    return sorted(found, key=lambda g: [order.index(x) for x in g])
