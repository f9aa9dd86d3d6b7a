"""Pairs of samplers over seeds, and the exact sign-flip test of their signed ranks.

Samplers of a seed share target, start law and reference block, so values are paired over
(target, seed). Exchanging the two samplers' results of a seed is the symmetry every test here
rests on: if both have the same law on a target, each pattern of exchanges is equally likely.

Reference: Pratt (1959), J. Am. Stat. Assoc. 54 (zeros among signed ranks).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, reduce

import numpy as np
from numpy.typing import NDArray

from bench.core.types import Array
from results.statistics.floors import LEVEL, mean_law

Ints = NDArray[np.int64]
#: Up to so many seeds all patterns of exchanges are enumerated; beyond, this many are drawn.
ENUMERATED = 12
DRAWN = 9_999


def midranks(values: Array) -> Ints:
    """Twice the ranks, equal values sharing their mean rank (twice, so that all are integers)."""
    ordered = np.sort(values)
    return np.asarray(np.searchsorted(ordered, values)
                      + np.searchsorted(ordered, values, side="right") + 1, dtype=np.int64)


@dataclass(frozen=True)
class Cell:
    """One sampler on one target by one metric: value of each seed, inf where it failed."""

    n: int
    values: dict[int, float]
    draws: Array | None = None

    @property
    def failed(self) -> int:
        """Seeds without a value."""
        return sum(math.isinf(v) for v in self.values.values())

    @cached_property
    def good(self) -> Array:
        """Values of the seeds that ended well."""
        return np.array([v for v in self.values.values() if math.isfinite(v)])


def above_floor(means: Array, draws: Array, size: int) -> NDArray[np.bool_]:
    """Whether means of ``size`` values can be told from the floor; as ``floors`` judges."""
    law = mean_law(draws, size)
    reach = len(law) - np.searchsorted(law, means - 1e-6 * np.abs(means))
    return np.asarray((1 + reach) / (len(law) + 1) <= LEVEL)


@dataclass(frozen=True)
class Pair:
    """Two samplers on one target by one metric, over the seeds both have; inf means failed."""

    a: Cell
    b: Cell

    @cached_property
    def seeds(self) -> tuple[int, ...]:
        """Seeds both have a record of."""
        return tuple(sorted(self.a.values.keys() & self.b.values.keys()))

    @cached_property
    def values(self) -> tuple[Array, Array]:
        """Values by seed, (S,) each."""
        return (np.array([self.a.values[s] for s in self.seeds]),
                np.array([self.b.values[s] for s in self.seeds]))

    @cached_property
    def both(self) -> NDArray[np.bool_]:
        """Seeds that ended well for both, (S,)."""
        return np.isfinite(self.values[0]) & np.isfinite(self.values[1])

    @property
    def comparable(self) -> bool:
        """Values at unequal numbers of points need floors; a sampler without any needs nothing."""
        return bool(self.seeds) and (self.a.n == self.b.n or not (
            len(self.a.good) and len(self.b.good)
            and (self.a.draws is None or self.b.draws is None)))

    @cached_property
    def raw(self) -> Array:
        """a - b where both ended well; at unequal n, of the excesses over the floors' means."""
        a, b = (v[self.both] for v in self.values)
        if self.a.n == self.b.n or self.a.draws is None or self.b.draws is None:
            return a - b
        return (a - self.a.draws.mean()) - (b - self.b.draws.mean())

    def _tied(self, signs: NDArray[np.int8]) -> NDArray[np.bool_]:
        """Whether both are at the floor, for each pattern of exchanges (P, S).

        Values at unequal n cannot be exchanged under one floor; there the observed verdict stands.
        """
        size = int(self.both.sum())
        if size == 0 or self.a.draws is None or self.b.draws is None:
            return np.zeros(len(signs), dtype=bool)
        a, b = (v[self.both] for v in self.values)
        if self.a.n != self.b.n:
            told = (above_floor(np.array([a.mean()]), self.a.draws, size)
                    | above_floor(np.array([b.mean()]), self.b.draws, size))
            return np.repeat(~told, len(signs))
        # Exchanges keep the sum: one mean is at least its half, none is above the largest.
        bounds = np.array([(a.mean() + b.mean()) / 2, np.maximum(a, b).mean()])
        never, sometimes = above_floor(bounds, self.a.draws, size)
        if never or not sometimes:
            return np.repeat(not sometimes, len(signs))
        kept = signs[:, self.both] > 0
        one, two = (np.where(kept, x, y).mean(axis=1) for x, y in ((a, b), (b, a)))
        return ~(above_floor(one, self.a.draws, size) | above_floor(two, self.a.draws, size))

    @cached_property
    def tied(self) -> bool:
        """Whether neither can be told from exact samples, on the seeds that ended well."""
        return bool(self._tied(np.ones((1, len(self.seeds)), dtype=np.int8))[0])

    @cached_property
    def ranks(self) -> Ints:
        """Twice the signed ranks of the differences (S,); a failed seed ranks as the worst.

        Equal differences share their mean rank, zeros are ranked and count nothing (Pratt), two
        failures are a zero.
        """
        d = np.zeros(len(self.seeds))
        d[self.both] = self.raw
        fails = [np.isinf(v) for v in self.values]
        d[fails[0] & ~fails[1]], d[fails[1] & ~fails[0]] = math.inf, -math.inf
        return np.asarray(np.sign(d), dtype=np.int64) * midranks(np.abs(d))

    def statistic(self, signs: NDArray[np.int8]) -> Ints:
        """Twice the sum of signed ranks under patterns of exchanges (P, S), shape (P,).

        Where a pattern puts both at the floor, only failures count.
        """
        tied = self._tied(signs)
        whole = signs.astype(np.int64) @ self.ranks
        return np.where(tied, signs.astype(np.int64) @ (self.ranks * ~self.both), whole)


@lru_cache(maxsize=64)
def patterns(seeds: int) -> NDArray[np.int8]:
    """All 2^seeds patterns of exchanges as +1 and -1, the observed one first."""
    bits = (np.arange(2**seeds)[:, None] >> np.arange(seeds)) & 1
    return (1 - 2 * bits).astype(np.int8)


def _drawn(seeds: int, stream: int) -> NDArray[np.int8]:
    rng = np.random.default_rng((20_240_229, stream))
    signs = rng.integers(2, size=(DRAWN + 1, seeds), dtype=np.int8) * 2 - 1
    signs[0] = 1
    return signs.astype(np.int8)


def _summed(pairs: Sequence[Pair], seeds: tuple[int, ...], signs: NDArray[np.int8]) -> Ints:
    """Statistic summed over metrics of one target: a seed is exchanged in all of them at once."""
    columns = [[seeds.index(s) for s in p.seeds] for p in pairs]
    return np.sum([p.statistic(signs[:, c]) for p, c in zip(pairs, columns, strict=True)], axis=0)


@dataclass(frozen=True)
class Flip:
    """An exact (or drawn) sign-flip test: statistic, its sd under the null, p, least p there is.

    ``statistic`` below 0 favours the first sampler: lower is better.
    """

    statistic: float
    sd: float
    p: float
    least: float


@lru_cache(maxsize=1024)
def _rank_law(ranks: tuple[int, ...]) -> Array:
    """Law of a sum of signed ranks without a floor, where only the ranks' sizes matter."""
    return _law(patterns(len(ranks)).astype(np.int64) @ np.array(ranks, dtype=np.int64))


def _law(values: Ints) -> Array:
    """Chances of -M..M, where M is the largest size."""
    most = int(np.abs(values).max())
    return np.bincount(values + most, minlength=2 * most + 1) / len(values)


@lru_cache(maxsize=1024)
def _rank_laws(ranks: tuple[tuple[int, ...], ...]) -> tuple[Array, float, float]:
    return _tails(reduce(np.convolve, map(_rank_law, ranks)))


def _tails(law: Array) -> tuple[Array, float, float]:
    """Chances of a size of at least 0, 1, 2, ..., the law's sd, and the least of the chances."""
    most = len(law) // 2
    sizes = np.concatenate([law[most:most + 1], law[most + 1:] + law[:most][::-1]])
    tails = np.minimum(np.cumsum(sizes[::-1])[::-1], 1.0)
    sd = float(np.sqrt(sizes @ np.arange(most + 1.0) ** 2))
    # Chances are multiples of 2^-S for S seeds in all; what is smaller is convolution's rounding.
    return tails, sd, float(tails[tails > 1e-300].min())


def sign_flip(targets: Sequence[Sequence[Pair]]) -> Flip:
    """Two-sided sign-flip test of the sum of signed ranks over targets (and metrics within).

    Exact by enumeration up to 12 seeds a target, the targets' laws convolved; otherwise 9,999
    patterns drawn from a fixed stream, p = (1 + #) / (10,000).
    """
    blocks = [(pairs, tuple(sorted({s for p in pairs for s in p.seeds}))) for pairs in targets
              if pairs]
    if not blocks:
        return Flip(0.0, 0.0, 1.0, 1.0)
    if max(len(seeds) for _, seeds in blocks) > ENUMERATED:
        total = np.sum([_summed(pairs, seeds, _drawn(len(seeds), i))
                        for i, (pairs, seeds) in enumerate(blocks)], axis=0)
        p = float(np.mean(np.abs(total) >= abs(total[0])))
        return Flip(total[0] / 2, float(total.std()) / 2, p, 1 / len(total))
    if all(len(pairs) == 1 and pairs[0].a.draws is None for pairs, _ in blocks):
        ranks = [pairs[0].ranks for pairs, _ in blocks]
        observed = sum(int(r.sum()) for r in ranks)
        keys = sorted(tuple(sorted(np.abs(r).tolist())) for r in ranks)
        tails, sd, least = _rank_laws(tuple(keys))
    else:
        values = [_summed(pairs, seeds, patterns(len(seeds))) for pairs, seeds in blocks]
        observed = sum(int(v[0]) for v in values)
        tails, sd, least = _tails(reduce(np.convolve, map(_law, values)))
    return Flip(observed / 2, sd / 2, float(tails[abs(observed)]), least)
