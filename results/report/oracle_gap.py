"""The oracle gap: what choosing each run's best checkpoint would have gained. Never for ranking.

Published tables often print the best checkpoint's number. Here the last state counts; this table
says how far the two lie apart, on the points of the curve (the same n at every checkpoint). Taking
the least of k noisy values lowers any number: next to the gap stands the one that exact samples
would have, E[last - min of k] over independent draws of the floor. Checkpoints of one run share
their reference and may share their chains, which makes that gap smaller for them: an upper guide
for a sampler at the floor. Away from the floor noise may be larger.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import gammaln

from bench.core.types import Array
from results.presentation.sampler_cells import name_cell
from results.presentation.scale import exponent
from results.presentation.table import MISSING, Cell, Column, Table, number, power, slug
from results.records.endings import ending
from results.records.frames import Scores


@dataclass(frozen=True)
class Gap:
    """A sampler on a target: means over jobs of the last value and of the best checkpoint's.

    ``noise`` is what selection alone gives at the floor, ``unit`` the ceiling's excess on the
    curve; nan where there is no floor, or no ceiling above it.
    """

    last: float
    best: float
    jobs: int
    checkpoints: int
    noise: float
    unit: float

    @property
    def gap(self) -> float:
        """Mean over jobs of last minus best; never negative."""
        return self.last - self.best


def selection_gap(draws: Array, checkpoints: int) -> float:
    """E[one of k draws - the least of k], k draws without replacement; 0 for one checkpoint."""
    ordered, size = np.sort(draws), len(draws)
    if checkpoints > size:
        return math.nan
    rest = size - 1.0 - np.arange(size - checkpoints + 1, dtype=np.float64)
    # The i-th smallest is the least of k in C(R - i, k - 1) of C(R, k) choices.
    weights = np.exp(_choices(rest, checkpoints - 1)
                     - _choices(np.array([float(size)]), checkpoints))
    return float(ordered.mean() - weights @ ordered[:len(rest)])


def _choices(n: Array, k: int) -> Array:
    """Logarithms of binomial coefficients."""
    return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))


def gap(scores: Scores, label: str, target: str, metric: str) -> Gap | None:
    """None where no job that ended well has a curve of at least two values at one n."""
    curve = scores.curve(label, target, metric)
    if not curve:
        return None
    n = curve[-1].score.n
    ended = {job.seed for job in scores.run.of(label, target) if ending(job) == "ok"}
    values: dict[int, list[float]] = {}
    for point in curve:
        if point.score.n == n:
            for seed, value in zip(point.score.seeds, point.score.values, strict=True):
                values.setdefault(seed, []).append(value)
    kept = [v for seed, v in values.items()
            if seed in ended and len(v) > 1 and seed in curve[-1].score.seeds]
    if not kept:
        return None
    checkpoints = round(float(np.median([len(v) for v in kept])))
    draws = curve[-1].score.floor
    return Gap(float(np.mean([v[-1] for v in kept])), float(np.mean([min(v) for v in kept])),
               len(kept), checkpoints,
               math.nan if draws is None else selection_gap(draws, checkpoints),
               _ceiling_excess(scores, target, metric))


def _ceiling_excess(scores: Scores, target: str, metric: str) -> float:
    """Mean excess of the ceiling's curve over its floor; nan where there is none."""
    for label in scores.run.labels:
        curve = scores.curve(label, target, metric)
        if scores.run.sampler(label)["name"] == "initial" and curve:
            score = curve[-1].score
            if score.excess:
                return score.excess
    return math.nan


def oracle_table(scores: Scores, metric: str) -> Table | None:
    """Last value and oracle by target, and mean gaps; None where no curve has two checkpoints."""
    run = scores.run
    found = {(x, t): g for x in run.ranked for t in run.targets
             if (g := gap(scores, x, t, metric)) is not None}
    if not found:
        return None
    targets = [t for t in run.targets if any(k[1] == t for k in found)]
    scale = exponent(scores, metric)
    unit = f"× {power(scale)}" if scale else ""
    columns = (Column("sampler", numeric=False), Column("mean gap", unit),
               Column("mean gap", "% of the ceiling's excess"),
               Column("selection noise alone", "% of the ceiling's excess, at the floor"),
               *(Column(t, f"last → oracle{', ' + unit if unit else ''}") for t in targets))
    rows = []
    for label in run.ranked:
        mine = [found.get((label, t)) for t in targets]
        if any(mine):
            name = name_cell(run, label)
            anneals = "one run" if scores.anneals(label) else ""
            rows.append((replace(name, seeds="\n".join(filter(None, (name.seeds, anneals)))),
                         *_mean_cells([g for g in mine if g], 10.0**scale),
                         *(_gap_cell(g, 10.0**scale) for g in mine)))
    return Table(slug("oracle", metric), "What choosing the best checkpoint would have gained: "
                 f"{run.metric(metric)['title']}", columns, tuple(rows), notes=(ORACLE_NOTE,),
                 folded=True)


def _mean_cells(gaps: list[Gap], factor: float) -> tuple[Cell, Cell, Cell]:
    mean = float(np.mean([g.gap for g in gaps]))
    known = [g for g in gaps if math.isfinite(g.unit) and math.isfinite(g.noise)]
    if not known:
        return Cell(number(factor * mean, 2), mean), Cell(MISSING, math.inf), Cell(
            MISSING, math.inf)
    share, noise = (100 * float(np.mean([getattr(g, k) / g.unit for g in known]))
                    for k in ("gap", "noise"))
    return (Cell(number(factor * mean, 2), mean), Cell(f"{number(share, 2)} %", share),
            Cell(f"{number(noise, 2)} %", noise))


def _gap_cell(found: Gap | None, factor: float) -> Cell:
    if found is None:
        return Cell(MISSING, math.inf)
    noise = f", noise {number(factor * found.noise, 2)}" if math.isfinite(found.noise) else ""
    return Cell(f"{number(factor * found.last)} → {number(factor * found.best)}", found.gap,
                f"gap {number(factor * found.gap, 2)}{noise}",
                hint=f"{found.jobs} jobs, {found.checkpoints} checkpoints")


ORACLE_NOTE = (
    "Last: the mean over jobs that ended well of the last checkpoint, on the curve's points. "
    "Oracle: the mean of each job's lowest checkpoint, which nobody can choose without the "
    "reference; many published tables print it. It ranks nothing here. Noise: the gap of exact "
    "samples, where the lowest of as many independent values is taken; checkpoints of one run "
    "share their reference, so that it is an upper guide for a sampler at the floor. 'One run': "
    "checkpoints of an annealing sampler are of one run, not smaller budgets.")
