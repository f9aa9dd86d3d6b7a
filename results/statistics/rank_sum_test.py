"""The exact rank-sum (Wilcoxon-Mann-Whitney) test with ties, and the shift it estimates.

With R_i the midranks of the new values among all N = m + n, the statistic is the sum of R_i over
the n new ones; under the null hypothesis all choose(N, n) choices of ranks are equally likely.

References: Wilcoxon (1945), Biometrics Bull. 1; Mann and Whitney (1947), Ann. Math. Stat. 18;
Hodges and Lehmann (1963), Ann. Math. Stat. 34; Streitberg and Roehmel (1986), Stat. Software
Newsletter 12 (the exact distribution with ties, by shifts).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import comb

import numpy as np
from scipy import stats

from bench.core.types import Array
from results.statistics.ranks import doubled_midranks

#: Beyond this many values in all the normal distribution, corrected for ties, is used.
EXACT = 120
COVERAGE = 0.95


@lru_cache(maxsize=512)
def _upper_tails(pattern: tuple[int, ...], size: int) -> Array:
    """P(sum of ``size`` of the doubled ranks >= s) for s = 0, 1, ...; every choice alike."""
    top = sum(pattern[-size:])
    ways = np.zeros((size + 1, top + 1))
    ways[0, 0] = 1.0
    for rank in pattern:
        for k in range(size, 0, -1):
            ways[k, rank:] += ways[k - 1, :top + 1 - rank]
    return np.asarray(np.cumsum(ways[size][::-1])[::-1] / comb(len(pattern), size))


def _untied_tails(old: int, new: int) -> Array:
    """``_upper_tails`` for values without ties."""
    return _upper_tails(tuple(range(2, 2 * (old + new) + 1, 2)), new)


def rank_sum(old: Array, new: Array) -> float:
    """P that the ranks of ``new`` sum to at least what they do, if all values are exchangeable.

    One-sided: small where ``new`` is larger. Equal values (inf too) share their mean rank; exact
    up to ``EXACT`` values.
    """
    together = np.concatenate([new, old])
    if len(together) > EXACT:
        return float(stats.mannwhitneyu(new, old, alternative="greater").pvalue)
    ranks = doubled_midranks(together)
    tails = _upper_tails(tuple(int(r) for r in np.sort(ranks)), len(new))
    return float(tails[int(ranks[:len(new)].sum())])


def rank_sum_if_larger(old: Array, new: Array) -> float:
    """``rank_sum`` where the new values' ranks exceed what is expected of them, else 1."""
    together = np.concatenate([new, old])
    if doubled_midranks(together)[:len(new)].sum() <= len(new) * (len(together) + 1):
        return 1.0
    return rank_sum(old, new)


def least_p(old: int, new: int) -> float:
    """The smallest p of a rank-sum test of so many values against so many."""
    return 1.0 / comb(old + new, new)


@lru_cache(maxsize=256)
def critical_pairs(old: int, new: int, level: float) -> float:
    """Pairs (of old x new) in which new must be larger for p <= level, at least; inf if none do.

    The critical value of Mann and Whitney's U, for values without ties.
    """
    found = np.flatnonzero(_untied_tails(old, new) <= level)
    return np.inf if not len(found) else float(np.ceil((found[0] - new * (new + 1)) / 2))


@dataclass(frozen=True)
class Shift:
    """By how much new values lie above old ones: Hodges-Lehmann, with its 95 % interval."""

    value: float
    low: float
    high: float


def shift(old: Array, new: Array) -> Shift:
    """Median of all differences new - old, and the exact interval that inverts the rank sum.

    Infinite ends where the samples are too small; inf where seeds failed.
    """
    with np.errstate(invalid="ignore"):
        gaps = np.sort(np.subtract.outer(new, old), axis=None)
    gaps = np.where(np.isnan(gaps), 0.0, gaps)  # both failed: no difference
    gaps.sort()
    left_out = _left_out(len(old), len(new))
    if left_out < 0:
        return Shift(float(np.median(gaps)), -np.inf, np.inf)
    return Shift(float(np.median(gaps)), float(gaps[left_out]), float(gaps[-1 - left_out]))


@lru_cache(maxsize=64)
def _left_out(old: int, new: int) -> int:
    """How many of the smallest differences lie outside the interval; -1 if there is none."""
    tail = (1 - COVERAGE) / 2
    if old + new > EXACT:
        spread = np.sqrt(old * new * (old + new + 1) / 12)
        return int(max(old * new / 2 + stats.norm.ppf(tail) * spread, 0))
    least = new * (new + 1)  # doubled ranks 1 .. new
    tails = _untied_tails(old, new)
    below = 1.0 - np.append(tails[least + 2::2], 0.0)  # P(U <= 0), P(U <= 1), ...
    return int(np.searchsorted(below, tail, side="right")) - 1
