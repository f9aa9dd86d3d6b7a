"""Two samplers on one target, paired over seeds.

The samplers of a seed share target, initial distribution and reference block, so their values are
paired over (target, seed). Exchanging the two samplers' results of a seed is the symmetry every
paired test here rests on: if both have the same distribution on a target, each pattern of
exchanges is equally likely.

Reference: Pratt (1959), J. Am. Stat. Assoc. 54 (zeros among signed ranks).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bench.core.types import Array
from results.statistics.null_distribution import LEVEL, distribution_of_means
from results.statistics.p_value import upper_tail
from results.statistics.ranks import Ints, doubled_midranks


@dataclass(frozen=True)
class SeedValues:
    """One sampler on one target by one metric: value of each seed, inf where it failed.

    ``n``: points behind a value. ``draws``: the floor's at that n.
    """

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
    """Whether means of ``size`` values lie significantly above the floor, (k,)."""
    return np.asarray(upper_tail(means, distribution_of_means(draws, size)) <= LEVEL)


@dataclass(frozen=True)
class PairedValues:
    """Two samplers on one target by one metric, over the seeds both have; inf means failed."""

    a: SeedValues
    b: SeedValues

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
    def differences(self) -> Array:
        """a - b where both ended well; at unequal n, of the excesses over the floors' means."""
        a, b = (v[self.both] for v in self.values)
        if self.a.n == self.b.n or self.a.draws is None or self.b.draws is None:
            return a - b
        return (a - self.a.draws.mean()) - (b - self.b.draws.mean())

    def _at_floor(self, signs: NDArray[np.int8]) -> NDArray[np.bool_]:
        """Whether both are at the floor, for each pattern of exchanges (P, S), shape (P,).

        Values at unequal n cannot be exchanged under one floor; there the observed pattern
        stands for all.
        """
        size = int(self.both.sum())
        if size == 0 or self.a.draws is None or self.b.draws is None:
            return np.zeros(len(signs), dtype=bool)
        a, b = (v[self.both] for v in self.values)
        if self.a.n != self.b.n:
            above = (above_floor(np.array([a.mean()]), self.a.draws, size)
                     | above_floor(np.array([b.mean()]), self.b.draws, size))
            return np.repeat(~above, len(signs))
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
        """Whether neither differs significantly from exact samples, on seeds that ended well."""
        return bool(self._at_floor(np.ones((1, len(self.seeds)), dtype=np.int8))[0])

    @property
    def tied_throughout(self) -> bool:
        """Whether the two are tied and no seed of either failed."""
        return self.tied and bool(self.both.all())

    @cached_property
    def signed_ranks(self) -> Ints:
        """Twice the signed ranks of the differences (S,); a failed seed ranks as the worst.

        Equal differences share their mean rank, zeros are ranked and count nothing (Pratt), two
        failures are a zero.
        """
        d = np.zeros(len(self.seeds))
        d[self.both] = self.differences
        fails = [np.isinf(v) for v in self.values]
        d[fails[0] & ~fails[1]], d[fails[1] & ~fails[0]] = math.inf, -math.inf
        return np.asarray(np.sign(d), dtype=np.int64) * doubled_midranks(np.abs(d))

    def rank_statistic(self, signs: NDArray[np.int8]) -> Ints:
        """Twice the sum of signed ranks under patterns of exchanges (P, S), shape (P,).

        Where a pattern puts both at the floor, only failures count.
        """
        tied = self._at_floor(signs)
        whole = signs.astype(np.int64) @ self.signed_ranks
        failures = signs.astype(np.int64) @ (self.signed_ranks * ~self.both)
        return np.where(tied, failures, whole)

    @property
    def observed_statistic(self) -> float:
        """``rank_statistic`` of the values as they are; below 0 where the first looks better."""
        return float(self.rank_statistic(np.ones((1, len(self.seeds)), dtype=np.int8))[0])
