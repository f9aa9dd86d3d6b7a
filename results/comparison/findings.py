"""What a comparison found: for a pair on one target, for a pair over all, and for all samplers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np

from bench.core.types import Array
from results.statistics.null_distribution import LEVEL
from results.statistics.paired_values import PairedValues
from results.statistics.power import seeds_for_sign_flip, seeds_for_t_test
from results.statistics.ranks import friedman
from results.statistics.sign_flip_test import SignFlip


class Verdict(StrEnum):
    """Of the first sampler against the second; the order is that of the tables."""

    BETTER = "better"
    TIE = "tie"  # both statistically indistinguishable from exact samples
    NOT_SHOWN = "not shown"  # no significant difference
    WORSE = "worse"

    @property
    def order(self) -> float:
        """Its place in the order of the tables."""
        return float(list(Verdict).index(self))

    @property
    def reversed(self) -> Verdict:
        """The same of the second against the first."""
        return {Verdict.BETTER: Verdict.WORSE, Verdict.WORSE: Verdict.BETTER}.get(self, self)


def _verdict(direction: float) -> Verdict:
    if direction < 0:
        return Verdict.BETTER
    return Verdict.WORSE if direction > 0 else Verdict.NOT_SHOWN


@dataclass(frozen=True)
class PairOnTarget:
    """Two samplers on one target.

    ``test``: ``t``, ``sign-flip``, ``tie`` or nothing (too few seeds). ``p`` is raw,
    ``adjusted_p`` adjusted for multiple testing; None where nothing was tested. ``level``: that
    of one test among all by Bonferroni, which a forecast of seeds must reach.
    """

    target: str
    paired: PairedValues
    test: str
    p: float | None = None
    adjusted_p: float | None = None
    level: float = LEVEL

    @cached_property
    def seeds_needed(self) -> int | None:
        """Seeds at which a t-test would have 80 % power; None beyond 1,000 or without a forecast.

        Forecast where the two look different, every seed ended well and nothing is shown yet.
        """
        d = self.paired.differences
        if self.test not in ("t", "") or self.verdict != Verdict.NOT_SHOWN or len(d) < 3:
            return None
        return seeds_for_t_test(d, self.level) if self.paired.both.all() else None

    @property
    def verdict(self) -> Verdict:
        """Of the first against the second."""
        if self.adjusted_p is not None and self.adjusted_p <= LEVEL:
            return _verdict(self.direction)
        return Verdict.TIE if self.paired.tied_throughout else Verdict.NOT_SHOWN

    @property
    def direction(self) -> float:
        """Below 0 where the first looks better: mean difference for t, else signed ranks."""
        if self.test == "t":
            return float(self.paired.differences.mean())
        return self.paired.observed_statistic


@dataclass(frozen=True)
class PairwiseComparison:
    """Two samplers over all shared targets, by the sign-flip test; ``level`` as on one target."""

    a: str
    b: str
    sign_flip: SignFlip
    adjusted_p: float
    targets: tuple[PairOnTarget, ...]
    level: float

    @cached_property
    def seeds_needed(self) -> int | None:
        """Seeds a target for 80 % power of the sign-flip test; None as on one target."""
        if self.verdict != Verdict.NOT_SHOWN:
            return None
        seeds = float(np.mean([len(t.paired.seeds) for t in self.targets]))
        return seeds_for_sign_flip(self.sign_flip, seeds, self.level)

    @property
    def verdict(self) -> Verdict:
        """Better, worse or not shown, of the first against the second."""
        shown = self.adjusted_p <= LEVEL
        return _verdict(self.sign_flip.statistic) if shown else Verdict.NOT_SHOWN

    def failed(self) -> tuple[int, int, int]:
        """Failed seeds of the first and of the second, and seeds paired, over targets."""
        first, second = (sum(int(np.isinf(t.paired.values[i]).sum()) for t in self.targets)
                         for i in (0, 1))
        return first, second, sum(len(t.paired.seeds) for t in self.targets)


@dataclass(frozen=True)
class Findings:
    """Everything a comparison by one metric (or over several) found; best mean rank first.

    ``groups``: largest sets of statistically indistinguishable samplers. ``ranks`` are those of
    the samplers with a mean rank, (targets, samplers). ``critical_difference`` is Nemenyi's, nan
    below two targets or samplers. ``level_share``: share of the 5 % that tests over targets have.
    """

    order: tuple[str, ...]
    mean_ranks: dict[str, float]
    unranked: tuple[str, ...]
    targets: tuple[str, ...]
    pairs: tuple[PairwiseComparison, ...]
    groups: tuple[tuple[str, ...], ...]
    ranks: Array
    critical_difference: float
    level_share: float

    @cached_property
    def friedman(self) -> float:
        """p-value of Friedman's test; nan below two targets or three samplers."""
        return friedman(self.ranks)

    def pair(self, a: str, b: str) -> PairwiseComparison | None:
        """The comparison of two samplers, in the order it was made."""
        return next((p for p in self.pairs if {p.a, p.b} == {a, b}), None)

    def verdict(self, a: str, b: str) -> Verdict:
        """Of ``a`` against ``b``: better, worse or not shown."""
        pair = self.pair(a, b)
        if pair is None:
            return Verdict.NOT_SHOWN
        return pair.verdict if pair.a == a else pair.verdict.reversed
