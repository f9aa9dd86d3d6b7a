"""Statistical power: seeds that a test would need, and changes that a number of seeds detects.

References: Cohen (1988), Statistical Power Analysis, chapter 2 (noncentral t); Noether (1987),
J. Am. Stat. Assoc. 82 (sign-flip and rank tests).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from scipy import stats

from bench.core.types import Array
from results.statistics.confidence_interval import INTERVAL_FROM
from results.statistics.paired_t_test import GUARD, least_guarded
from results.statistics.sign_flip_test import SignFlip

#: Power that a forecast of seeds asks for, and the most seeds it goes to.
POWER = 0.8
MOST_SEEDS = 1000
#: Resamples by which the power of a rank-sum test is estimated.
RESAMPLES = 400


def t_test_power(n: int, effect: float, level: float) -> float:
    """Power of a two-sided paired t-test: n seeds, effect = |mean| / sd of the differences."""
    bound = stats.t.isf(level / 2, n - 1)
    # Far in the tail SciPy's noncentral t returns nan, where the power has long been one.
    upper = stats.nct.sf(bound, n - 1, effect * math.sqrt(n))
    if not math.isfinite(upper):
        return float(stats.norm.sf(bound - effect * math.sqrt(n)))
    return float(upper)


def seeds_for_t_test(d: Array, level: float) -> int | None:
    """Least number of seeds at which a guarded t-test has 80 % power; None beyond 1,000.

    ``d``: the differences of the seeds there are, whose mean and spread are taken for the truth.
    """
    effect = abs(float(np.mean(d))) / float(np.std(d, ddof=1)) if np.ptp(d) > 0 else 0.0
    strict = level / GUARD
    if effect == 0 or t_test_power(MOST_SEEDS, effect, strict) < POWER:
        return None
    least = next(n for n in range(INTERVAL_FROM, MOST_SEEDS) if least_guarded(n) <= level)
    low, high = least - 1, MOST_SEEDS
    while high - low > 1:
        mid = (low + high) // 2
        low, high = (low, mid) if t_test_power(mid, effect, strict) >= POWER else (mid, high)
    return high


def seeds_for_sign_flip(flip: SignFlip, seeds: float, level: float) -> int | None:
    """Seeds a target for 80 % power of the sign-flip test; None beyond 1,000.

    The standardised statistic grows with the root of the number of seeds (Noether, 1987): a
    rough forecast from the ``seeds`` a target there are.
    """
    if flip.statistic == 0 or flip.sd == 0:
        return None
    wanted = stats.norm.isf(level / 2) + stats.norm.ppf(POWER)
    least = math.ceil(seeds * (wanted * flip.sd / abs(flip.statistic)) ** 2)
    return None if least > MOST_SEEDS else max(least, math.floor(seeds) + 1)


def pairs_won(old: Array, new: Array) -> Array:
    """For each new value, how many old ones it exceeds, equal ones by half: its part of U."""
    ordered = np.sort(old)
    return np.asarray((np.searchsorted(ordered, new)
                       + np.searchsorted(ordered, new, side="right")) / 2.0)


@lru_cache(maxsize=64)
def resamples(pool: int, size: int) -> Array:
    """Fixed choices of ``size`` of ``pool`` indices without replacement, (RESAMPLES, size)."""
    rng = np.random.default_rng(20_240_501)
    return np.array([rng.permutation(pool)[:size] for _ in range(RESAMPLES)])
