"""The least change that a comparison detects with probability .9, by resampling the old seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from bench.core.types import Array
from results.regression.baseline import FloorSummary, SamplerOnTarget
from results.regression.quality import SPLIT, allowances, centre_and_unit, worst_metric
from results.statistics.power import pairs_won, resamples
from results.statistics.rank_sum_test import critical_pairs

#: Power at which a change counts as detectable.
POWER = 0.9


def detectable_rise(old: SamplerOnTarget, floors: Sequence[FloorSummary | None], size: int,
                    level: float, lead: int, tolerance: float) -> float:
    """The least rise of metric ``lead`` that ``size`` seeds detect with power .9 at ``level``.

    Inf where no rise could be detected.
    """
    a = old.values
    if not len(a) or not np.isfinite(a[lead]).any():
        return np.inf
    limit = float(allowances(a, floors, tolerance)[lead])
    centre, unit = centre_and_unit(a, floors)
    s, chosen = worst_metric(a, centre, unit), resamples(a.shape[1], size)
    worst, alone = (critical_pairs(a.shape[1], size, level / k) for k in (SPLIT, SPLIT * len(a)))

    def power(rise: float) -> float:
        raised = a.copy()
        raised[lead] += rise
        won = pairs_won(s, worst_metric(raised, centre, unit))[chosen].sum(axis=1) >= worst
        won |= pairs_won(a[lead], raised[lead])[chosen].sum(axis=1) >= alone
        middle = np.median(raised[lead][chosen], axis=1) - np.median(a[lead])
        return float(np.mean(won & (middle > limit)))

    return least(power, max(limit, float(unit[lead]) * 0.1))


def detectable_factor(old: Array, top: float, size: int, level: float, tolerance: float) -> float:
    """The least factor on the cost of a quality that ``size`` seeds detect with power .9.

    Beyond ``top`` evaluations, all there are, the quality counts as never reached.
    """
    if not np.isfinite(np.median(old)):
        return np.inf
    chosen, bound = resamples(len(old), size), critical_pairs(len(old), size, level)

    def power(more: float) -> float:
        slower = old * (1 + more)
        slower = np.where(slower > top, np.inf, slower)
        won = pairs_won(old, slower)[chosen].sum(axis=1)
        middle = np.median(slower[chosen], axis=1)
        return float(np.mean((won >= bound) & (middle > (1 + tolerance) * np.median(old))))

    return 1 + least(power, max(tolerance, 0.01))


def least(power: Callable[[float], float], start: float) -> float:
    """Smallest argument with power ``POWER``, to 2 %, from ``start`` > 0; inf beyond 2^20 such."""
    high = start
    while power(high) < POWER:
        high *= 2.0
        if high > 2.0**20 * start:
            return np.inf
    low = high / 2.0
    while high > 1.02 * low:
        middle = (low * high) ** 0.5
        low, high = (low, middle) if power(middle) >= POWER else (middle, high)
    return high
