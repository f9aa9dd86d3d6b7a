"""One cell under test: which seeds stand against which, and the numbers behind a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from results.regression.baseline import Cell, Floor, Snapshot
from results.regression.scores import (
    COST,
    Outcome,
    Rule,
    aligned,
    allowed,
    outcomes,
    prices,
    visible_factor,
    visible_rise,
)
from results.statistics.rank_sum_test import Shift, rank_sum, shift

#: Seeds of one side alone, from which on those that both have are left to the other.
ENOUGH = 20


@dataclass(frozen=True)
class Measured:
    """The numbers behind a verdict, in the unit of ``metric`` (evaluations where that is cost).

    ``visible`` is the smallest rise (of cost: the smallest factor) that this comparison shows in
    nine tries of ten; ``limit`` what the median may rise by.
    """

    metric: str
    n: int
    old: float
    new: float
    shift: Shift
    limit: float
    visible: float
    p: float
    corrected: float
    seeds: tuple[int, int]
    each: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Trial:
    """A cell to be tested: its old seeds, its new ones, its floors."""

    old: Cell
    new: Cell
    floors: Sequence[Floor | None]

    def outcomes(self, rule: Rule) -> dict[str, Outcome]:
        """Its tests."""
        return outcomes(self.old, self.new, self.floors, rule)


def trial_of(old: Snapshot, run: Snapshot, cell: Cell) -> Trial | None:
    """The cell's test, on seeds of which no two sides have the same: copies are not independent.

    Seeds that both have stay with the run where the baseline has enough others, else with the
    baseline where the run has, else they are dealt out in turn. No more new seeds than old ones
    take part: rulers taken from the pooled seeds must be the old ones' (``scores``).
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
    return Trial(cell.of(before | kept), new.of(ours), old.floors_of(cell))


def measured(trial: Trial, what: str, found: Outcome, corrected: float, level: float,
             rule: Rule, better: bool = False) -> Measured | None:
    """What is shown of a test; ``level`` is the strictest that Holm's method may ask of it."""
    old, new, p = trial.old, trial.new, found.p_better if better else found.p_worse
    sizes = len(old.seeds), len(new.seeds)
    if what == COST:
        a, b = prices(old, new) or (np.empty(0), np.empty(0))
        middle, top = float(np.median(a)), float(old.evals[np.isfinite(old.evals)].max())
        return Measured("evaluations", 0, middle, float(np.median(b)), shift(a, b),
                        rule.tolerance * middle,
                        visible_factor(a, top, sizes[1], level, rule.tolerance), p, corrected,
                        sizes)
    a, b = aligned(old, new)
    if not len(a):
        return None
    i = found.fell if better else found.rose
    sign = -1.0 if better else 1.0
    each = tuple((m, rank_sum(sign * x, sign * y))
                 for m, x, y in zip(old.metrics, a, b, strict=True))
    limits = allowed(a, trial.floors, rule.tolerance)
    return Measured(old.metrics[i], old.sizes[i], float(np.median(a[i])), float(np.median(b[i])),
                    shift(a[i], b[i]), float(limits[i]),
                    visible_rise(old, trial.floors, sizes[1], level, i, rule.tolerance),
                    p, corrected, sizes, each)
