"""The two samples of a test: which seeds of the baseline stand against which of the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from results.regression.baseline import FloorSummary, SamplerOnTarget, Snapshot
from results.regression.cost import cost_outcome
from results.regression.outcome import COST, QUALITY, Outcome, Rule
from results.regression.quality import SPLIT, quality_outcome
from results.statistics.rank_sum_test import least_p

#: Seeds of one side alone, from which on those that both have are left to the other.
ENOUGH = 20


@dataclass(frozen=True)
class TwoSamples:
    """A sampler on a target to be tested: its old seeds, its new ones, its metrics' floors."""

    old: SamplerOnTarget
    new: SamplerOnTarget
    floors: Sequence[FloorSummary | None]

    @property
    def sizes(self) -> tuple[int, int]:
        """Numbers of old and of new seeds."""
        return len(self.old.seeds), len(self.new.seeds)

    def outcomes(self, rule: Rule) -> dict[str, Outcome]:
        """The outcome of quality, and of cost where it can be tested."""
        cost = cost_outcome(self.old, self.new, rule)
        made = {QUALITY: quality_outcome(self.old, self.new, self.floors, rule)}
        return made if cost is None else {**made, COST: cost}

    def least_p(self, what: str) -> float:
        """The smallest p that the test of quality or of cost can reach."""
        return least_p(*self.sizes) * (SPLIT if what == QUALITY else 1)


def two_samples(old: Snapshot, run: Snapshot, cell: SamplerOnTarget) -> TwoSamples | None:
    """The samples of a cell, on seeds of which no two sides have the same.

    Copies are not independent: seeds that both have stay with the run where the baseline has
    enough others, else with the baseline where the run has, else they are dealt out in turn. No
    more new seeds than old ones take part: centre and unit from the pooled seeds must be the old
    ones' (``quality``). None where the run does not have the cell.
    """
    new = run.by_name.get(cell.name)
    if new is None:
        return None
    shared = sorted(set(cell.seeds) & set(new.seeds))
    before, after = (frozenset(c.seeds) - frozenset(shared) for c in (cell, new))
    if len(before) >= ENOUGH:
        kept = frozenset[int]()
    else:
        kept = frozenset(shared if len(after) >= ENOUGH else shared[::2])
    ours = sorted(frozenset(new.seeds) - kept)[:len(before | kept)]
    return TwoSamples(cell.of(before | kept), new.of(ours), old.floors_of(cell))
