"""What a comparison found: on one target, over all targets, and for a whole field."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bench.core.types import Array
from results.statistics.null_distribution import LEVEL
from results.statistics.paired_values import PairedValues
from results.statistics.power import seeds_for_sign_flip, seeds_for_t_test
from results.statistics.ranks import friedman
from results.statistics.sign_flip_test import SignFlip


@dataclass(frozen=True)
class OnTarget:
    """A pair on one target; ``p`` is raw, ``adjusted`` corrected, None where not tested."""

    target: str
    pair: PairedValues
    test: str  # "t", "sign-flip", "tie" or "" (too few seeds)
    p: float | None = None
    adjusted: float | None = None
    level: float = LEVEL  # of one test among all, by Bonferroni: what a forecast must reach

    @cached_property
    def more(self) -> int | None:
        """Seeds at which a t-test would have 80 % power; None beyond 1,000 or without a forecast.

        Forecast where the two look different, every seed ended well and nothing is shown yet.
        """
        d = self.pair.differences
        if self.test not in ("t", "") or self.verdict != "not shown" or len(d) < 3:
            return None
        return seeds_for_t_test(d, self.level) if self.pair.both.all() else None

    @property
    def verdict(self) -> str:
        """``better``, ``worse``, ``tie`` or ``not shown``, of the first against the second."""
        if self.adjusted is not None and self.adjusted <= LEVEL:
            return _word(self.lean)
        return "tie" if self.pair.tied_throughout else "not shown"

    @property
    def lean(self) -> float:
        """Below 0 where the first looks better: mean difference for t, else signed ranks."""
        if self.test == "t":
            return float(self.pair.differences.mean())
        return self.pair.observed_statistic


@dataclass(frozen=True)
class Duel:
    """Two samplers over all shared targets."""

    a: str
    b: str
    flip: SignFlip
    adjusted: float
    targets: tuple[OnTarget, ...]
    level: float  # of one test among all, by Bonferroni: what a forecast must reach

    @cached_property
    def more(self) -> int | None:
        """Seeds a target for 80 % power of the sign-flip test; None as on one target."""
        if self.verdict != "not shown":
            return None
        seeds = float(np.mean([len(t.pair.seeds) for t in self.targets]))
        return seeds_for_sign_flip(self.flip, seeds, self.level)

    @property
    def verdict(self) -> str:
        """``better``, ``worse`` or ``not shown``, of the first against the second."""
        return _word(self.flip.statistic) if self.adjusted <= LEVEL else "not shown"

    def failed(self) -> tuple[int, int, int]:
        """Failed seeds of the first and of the second, and seeds paired, over targets."""
        counts = [np.isinf(t.pair.values[i]).sum() for i in (0, 1) for t in self.targets]
        half = len(self.targets)
        return (int(sum(counts[:half])), int(sum(counts[half:])),
                sum(len(t.pair.seeds) for t in self.targets))


@dataclass(frozen=True)
class Judgement:
    """Everything a comparison by one metric (or over several) found; best mean rank first."""

    order: tuple[str, ...]
    mean_ranks: dict[str, float]
    unranked: tuple[str, ...]
    targets: tuple[str, ...]
    duels: tuple[Duel, ...]
    groups: tuple[tuple[str, ...], ...]
    ranks: Array  # (targets, samplers with a mean rank)
    distance: float  # Nemenyi's; nan below two targets or samplers
    share: float  # of the 5 % that the tests over targets have

    @cached_property
    def friedman(self) -> float:
        """p of Friedman's test; nan below two targets or three samplers."""
        return friedman(self.ranks)

    def duel(self, a: str, b: str) -> Duel | None:
        """The duel of two samplers, in the order it was made."""
        return next((d for d in self.duels if {d.a, d.b} == {a, b}), None)

    def verdict(self, a: str, b: str) -> str:
        """Of ``a`` against ``b``: better, worse or not shown."""
        found = self.duel(a, b)
        if found is None:
            return "not shown"
        return found.verdict if found.a == a else _turned(found.verdict)


def _word(lean: float) -> str:
    return "better" if lean < 0 else "worse" if lean > 0 else "not shown"


def _turned(verdict: str) -> str:
    return {"better": "worse", "worse": "better"}.get(verdict, verdict)
