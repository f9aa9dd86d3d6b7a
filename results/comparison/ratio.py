"""The ratio of two samplers' means on one target, where there is one."""

from __future__ import annotations

from results.statistics.confidence_interval import INTERVAL_FROM, Interval, fieller
from results.statistics.null_distribution import usable
from results.statistics.p_value import p_value_of_mean
from results.statistics.paired_values import PairedValues

#: Both means must be above the floor at this level before excesses are divided.
CLEARLY = 0.001


def ratio_of_means(pair: PairedValues, signed: bool) -> Interval | None:
    """Ratio of means, or of excesses over the floor for signed metrics, with Fieller's interval.

    None where there is none to speak of: fewer than six seeds that ended well for both, unequal n
    or values that are not positive; for signed metrics, unless both are clearly above the floor.
    The floor's mean is taken as known: its own error is a thirtieth of a draw's spread.
    """
    a, b = (v[pair.both] for v in pair.values)
    if len(a) < INTERVAL_FROM or pair.a.n != pair.b.n:
        return None
    if not signed:
        return fieller(a, b) if min(a.min(), b.min()) > 0 else None
    if pair.a.draws is None or pair.b.draws is None:
        return None
    for values, draws in ((a, pair.a.draws), (b, pair.b.draws)):
        if usable(draws) is None or p_value_of_mean(values, draws) > CLEARLY:
            return None
    return fieller(a - pair.a.draws.mean(), b - pair.b.draws.mean())
