"""The exact sign-flip (paired permutation) test of signed ranks, summed over targets.

Within a target the statistic is Wilcoxon's: with d_s the difference of the two samplers in seed
s, T = sum_s sign(d_s) rank(|d_s|). Under the null hypothesis the two results of a seed can be
exchanged, which turns the sign of its term, so that all 2^S patterns are equally likely.

References: Fisher (1935), The Design of Experiments, section 21; Wilcoxon (1945), Biometrics
Bull. 1; Pratt (1959), J. Am. Stat. Assoc. 54.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce

import numpy as np
from numpy.typing import NDArray

from bench.core.types import Array
from results.statistics.paired_values import PairedValues
from results.statistics.ranks import Ints

#: Up to so many seeds all patterns of exchanges are enumerated; beyond, this many are drawn.
ENUMERATED = 12
DRAWN = 9_999


@dataclass(frozen=True)
class SignFlip:
    """A test's result: statistic, its sd under the null, p, and the least p there is.

    ``statistic`` below 0 favours the first sampler: lower is better.
    """

    statistic: float
    sd: float
    p: float
    least: float


@dataclass(frozen=True)
class _Block:
    """One target: its pairs (one a metric), and all seeds that any of them has."""

    pairs: Sequence[PairedValues]
    seeds: tuple[int, ...]

    def statistic(self, signs: NDArray[np.int8]) -> Ints:
        """Summed over metrics, (P,): a seed is exchanged in all of them at once."""
        columns = [[self.seeds.index(s) for s in p.seeds] for p in self.pairs]
        return np.sum([p.rank_statistic(signs[:, c])
                       for p, c in zip(self.pairs, columns, strict=True)], axis=0)


def sign_flip(targets: Sequence[Sequence[PairedValues]]) -> SignFlip:
    """Two-sided sign-flip test of the sum of signed ranks over targets (and metrics within).

    Exact by enumeration up to 12 seeds a target, the targets' distributions convolved; otherwise
    9,999 patterns drawn from a fixed stream, p = (1 + #) / (10,000).
    """
    blocks = [_Block(pairs, tuple(sorted({s for p in pairs for s in p.seeds})))
              for pairs in targets if pairs]
    if not blocks:
        return SignFlip(0.0, 0.0, 1.0, 1.0)
    if max(len(block.seeds) for block in blocks) > ENUMERATED:
        return _drawn(blocks)
    if all(len(block.pairs) == 1 and block.pairs[0].a.draws is None for block in blocks):
        ranks = [block.pairs[0].signed_ranks for block in blocks]
        observed = sum(int(r.sum()) for r in ranks)
        keys = sorted(tuple(sorted(np.abs(r).tolist())) for r in ranks)
        tails, sd, least = _rank_tails(tuple(keys))
    else:
        values = [block.statistic(patterns(len(block.seeds))) for block in blocks]
        observed = sum(int(v[0]) for v in values)
        tails, sd, least = _tails(reduce(np.convolve, map(_distribution, values)))
    return SignFlip(observed / 2, sd / 2, float(tails[abs(observed)]), least)


@lru_cache(maxsize=64)
def patterns(seeds: int) -> NDArray[np.int8]:
    """All 2^seeds patterns of exchanges as +1 and -1, the observed one first."""
    bits = (np.arange(2**seeds)[:, None] >> np.arange(seeds)) & 1
    return (1 - 2 * bits).astype(np.int8)


def _drawn(blocks: Sequence[_Block]) -> SignFlip:
    """The test by drawn patterns, the observed one among them."""
    total = np.sum([block.statistic(_random_patterns(len(block.seeds), i))
                    for i, block in enumerate(blocks)], axis=0)
    p = float(np.mean(np.abs(total) >= abs(total[0])))
    return SignFlip(total[0] / 2, float(total.std()) / 2, p, 1 / len(total))


def _random_patterns(seeds: int, stream: int) -> NDArray[np.int8]:
    rng = np.random.default_rng((20_240_229, stream))
    signs = rng.integers(2, size=(DRAWN + 1, seeds), dtype=np.int8) * 2 - 1
    signs[0] = 1
    return signs.astype(np.int8)


def _distribution(values: Ints) -> Array:
    """Probabilities of -M..M, where M is the largest size of an equally likely value."""
    most = int(np.abs(values).max())
    return np.bincount(values + most, minlength=2 * most + 1) / len(values)


@lru_cache(maxsize=1024)
def _rank_distribution(ranks: tuple[int, ...]) -> Array:
    """Of a sum of signed ranks without a floor, where only the ranks' sizes matter."""
    return _distribution(patterns(len(ranks)).astype(np.int64) @ np.array(ranks, dtype=np.int64))


@lru_cache(maxsize=1024)
def _rank_tails(ranks: tuple[tuple[int, ...], ...]) -> tuple[Array, float, float]:
    return _tails(reduce(np.convolve, map(_rank_distribution, ranks)))


def _tails(distribution: Array) -> tuple[Array, float, float]:
    """Probabilities of a size of at least 0, 1, 2, ..., the sd, and the least probability."""
    most = len(distribution) // 2
    sizes = np.concatenate([distribution[most:most + 1],
                            distribution[most + 1:] + distribution[:most][::-1]])
    tails = np.minimum(np.cumsum(sizes[::-1])[::-1], 1.0)
    sd = float(np.sqrt(sizes @ np.arange(most + 1.0) ** 2))
    # They are multiples of 2^-S for S seeds in all; what is smaller is convolution's rounding.
    return tails, sd, float(tails[tails > 1e-300].min())
