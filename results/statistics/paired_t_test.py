"""The paired t-test on one target: where it is used, and the guard against two-state results.

Reference: Student (1908), Biometrika 6.
"""

from __future__ import annotations

import numpy as np

from results.statistics.confidence_interval import INTERVAL_FROM
from results.statistics.paired_values import PairedValues

GUARD = 5.0


def can_be_tested(pair: PairedValues) -> bool:
    """Whether one target alone is tested: from six paired seeds on (2 / 2^5 is above 5 %)."""
    return pair.comparable and len(pair.seeds) >= INTERVAL_FROM


def applies(pair: PairedValues) -> bool:
    """Whether the t-test is used: every seed ended well and no two differences are equal.

    Equal differences (counts, copies) have too little spread for it; there, and where a seed
    failed, the sign-flip test of the signed ranks takes its place.
    """
    return bool(pair.both.all()) and len(np.unique(pair.differences)) == len(pair.differences)


def guarded(p: float, seeds: int) -> float:
    """A t-test's p-value, raised so far that distributions with two states hold its level.

    Two samplers that each keep or lose a mode by the toss of a coin (hardly any other spread)
    differ alike in every seed with probability 2 / 4^seeds, and a t-test sees no spread then: no
    p is smaller. Nearly alike, they err up to 4.7 times as often as p says (counted for 6 to 30
    seeds, p from 8e-6 on, which is what 600 tests need): p is multiplied by 5.
    """
    return min(max(GUARD * p, least_guarded(seeds)), 1.0)


def least_guarded(seeds: int) -> float:
    """Probability that two coin-tossing samplers differ alike in every seed: the least p."""
    return 2.0 * 0.25**seeds
