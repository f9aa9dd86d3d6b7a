"""Ranks: midranks of tied values, Friedman's test of mean ranks, critical difference, cliques.

References: Friedman (1937), J. Am. Stat. Assoc. 32; Demsar (2006), J. Mach. Learn. Res. 7; Bron
and Kerbosch (1973), Commun. ACM 16; Tomita, Tanaka, Takahashi (2006), Theor. Comput. Sci. 363.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bench.core.types import Array
from results.statistics.null_distribution import LEVEL

Ints = NDArray[np.int64]


def doubled_midranks(values: Array) -> Ints:
    """Twice the ranks from 1, equal values sharing their mean rank (twice: all are integers)."""
    ordered = np.sort(values)
    return np.asarray(np.searchsorted(ordered, values)
                      + np.searchsorted(ordered, values, side="right") + 1, dtype=np.int64)


def friedman(ranks: Array) -> float:
    """p-value of Friedman's test over a table of ranks (targets, samplers).

    1 where all are tied, nan below two targets or three samplers.
    """
    if ranks.shape[1] < 3 or ranks.shape[0] < 2:
        return math.nan
    if np.ptp(ranks, axis=1).max() == 0:
        return 1.0
    return float(stats.friedmanchisquare(*ranks.T).pvalue)


@lru_cache(maxsize=64)
def critical_difference(samplers: int, targets: int, level: float = LEVEL) -> float:
    """Nemenyi's critical difference of mean ranks, q sqrt(k (k + 1) / (6 N)).

    q is the quantile of the studentized range over sqrt(2), for k samplers and N targets
    (Demsar, 2006, section 3.2.2).
    """
    q = stats.studentized_range.ppf(1 - level, samplers, np.inf) / math.sqrt(2)
    return float(q * math.sqrt(samplers * (samplers + 1) / (6 * targets)))


def cliques(order: Sequence[str], different: Iterable[frozenset[str]]) -> list[tuple[str, ...]]:
    """Maximal sets in which no two differ significantly, by Bron and Kerbosch; best first.

    ``different``: the pairs that do. Grown only by those that differ from a pivot, the one with
    most open neighbours (Tomita and others): otherwise thirty samplers of which few differ never
    end.
    """
    pairs = set(different)
    near = {x: {y for y in order if y != x and frozenset((x, y)) not in pairs} for x in order}
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
