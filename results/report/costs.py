"""What samples cost: the price of n fresh points from each kind of sampler, and the cost tables.

- amortised: the training once, then draws, interpolated between measured ones; beyond the largest
  the last measured price a point continues (and is labelled as such).
- continuing: the run gives the first set (as many points as it holds); each further set costs the
  steps after which the points are fresh, by the run's own price a step.
- one-shot: every set costs the run again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.core.cost import Cost
from bench.core.types import Array
from results.presentation.table import Cell, Column, Table, count, duration, number
from results.records.endings import OVERSHOOT
from results.records.frames import Scores
from results.records.run_folder import Run
from results.records.schema import Job
from results.report.quality import name_cell

EVALUATIONS = "evaluations"
SECONDS = "seconds"


@dataclass(frozen=True)
class Price:
    """Cost of n fresh points: ``first`` for a first set, then draws or renewals.

    ``ladder`` holds measured draws (n, cost), amortised only; ``held`` points come at once and
    ``again`` is the price of the next such set, for the other kinds.
    """

    first: float
    ladder: tuple[tuple[int, float], ...] = ()
    held: int = 0
    again: float = 0.0

    def cost(self, n: Array) -> Array:
        """Total cost of n fresh points, elementwise."""
        if self.held:
            return self.first + np.ceil(np.maximum(n - self.held, 0) / self.held) * self.again
        return self.first + self.draw(n)

    def draw(self, n: Array) -> Array:
        """Cost of drawing n points: log-linear between measured draws, proportional beyond."""
        if not self.ladder:
            return np.zeros_like(n, dtype=float)
        sizes, costs = (np.array(side, dtype=float) for side in zip(*self.ladder, strict=True))
        inside = np.exp(np.interp(np.log(n), np.log(sizes), np.log(np.maximum(costs, 1e-12))))
        return np.where(n > sizes[-1], costs[-1] * n / sizes[-1], inside)

    @property
    def marginal(self) -> float:
        """Cost of one more point when n is large."""
        if self.held:
            return self.again / self.held
        return self.ladder[-1][1] / self.ladder[-1][0] if self.ladder else 0.0

    @property
    def measured_to(self) -> float:
        """The largest n whose draw was measured."""
        return self.ladder[-1][0] if self.ladder else float(self.held)


def amount(cost: Cost, unit: str) -> float:
    """A cost in one number: device seconds, or evaluations one by one."""
    return cost.evaluations() if unit == EVALUATIONS else cost.seconds


def price(job: Job, unit: str, drawn: int, first: Cost | None = None) -> Price | None:
    """A job's price; ``first`` replaces the whole run as the cost of the first set.

    ``drawn`` is how many points the final draw had. None where the job did not measure it.
    """
    run = amount(job.train, unit)
    start = amount(job.train if first is None else first, unit)
    if job.kind == "amortised":
        if unit == EVALUATIONS:
            each = job.draw.evaluations() / drawn if drawn else 0.0
            return Price(start, ((1, each), (10**6, 1e6 * each))) if drawn else None
        return Price(start, job.ladder) if job.ladder else None
    if job.renewal is None or job.renewal[0] <= 0:
        return None
    held, steps = job.renewal
    whole = run + amount(job.draw, unit)
    start = whole if first is None else start
    if job.kind == "one-shot":
        return Price(start, held=held, again=start)
    return Price(start, held=held, again=steps * run / max(job.steps, 1))


def drawn_points(scores: Scores, job: Job) -> int:
    """Points of a job's final draw: what the final metrics were offered."""
    found = [m.n for m in scores.run.measures if m.key == job.key and m.stage == "final"]
    return max(found, default=0)


def thousand(job: Job) -> float | None:
    """Seconds for 1,000 fresh points once the first set stands."""
    found = price(job, SECONDS, 0)
    if found is None:
        return None
    if found.held:
        return 1000 * found.marginal
    return float(found.draw(np.array([1000.0]))[0])


def _median(values: list[float]) -> float | None:
    return float(np.median(values)) if values else None


def _cells(run: Run, jobs: list[Job]) -> tuple[Cell, ...]:
    """Columns of a cost row, medians over jobs."""
    ended = [j for j in jobs if j.status == "ok"]
    shown = ended or jobs
    per = [t for j in ended if (t := thousand(j)) is not None]
    train = _median([j.train.seconds for j in shown])
    draw = _median([j.draw.seconds for j in shown])
    rows = [_median([float(getattr(j.train, kind)) for j in shown])
            for kind in ("density", "score", "hvp")]
    drawn = _median([j.draw.evaluations() for j in shown])
    by_kind = ", ".join(f"{count(m)} {kind}" for kind in ("density", "score", "hvp")
                        if (m := _median([float(getattr(j.draw, kind)) for j in shown])))
    over = max((j.overshoot for j in shown), default=0.0)
    fresh = _median(per)
    return (_order(duration(train), train), _order(duration(draw), draw),
            *(_order(count(r), r) for r in rows), Cell(count(drawn), drawn or 0.0, by_kind),
            _order(duration(fresh), fresh),
            _order(count(_median([float(j.steps) for j in shown])),
                   _median([float(j.steps) for j in shown])),
            Cell(f"{number(100 * over, 2)} %", over,
                 mark="fail" if over > OVERSHOOT else "warn" if over > 0.05 else ""),
            _warm_up(shown),
            _order(number(m := _median([j.peak_memory_mb for j in shown])), m))


def _warm_up(jobs: Sequence[Job]) -> Cell:
    """The median warm-up; beside it what compiling cost, which the seeds of a cell share."""
    m = _median([j.warmup_seconds for j in jobs])
    said = ([f"compiling {duration(sum(j.compile_seconds for j in jobs))}"]
            if any(j.graphs for j in jobs) else [])
    said += sorted({j.compile_note for j in jobs if j.compile_note})
    return Cell(duration(m), math.inf if m is None else m, "; ".join(said))


def _order(text: str, value: float | None) -> Cell:
    return Cell(text, math.inf if value is None else value)


def _columns(device: str) -> tuple[Column, ...]:
    unit = "CPU seconds, all threads" if device.startswith("cpu") else "device seconds"
    return (Column("training", unit), Column("one draw", unit),
            Column("density rows", "training"), Column("score rows", "training"),
            Column("Hessian rows", "training"), Column("draw rows", "all kinds"),
            Column("1,000 fresh points", "seconds, after the first set"), Column("steps"),
            Column("overshoot", "largest, of the budget"), Column("warm-up", "not charged"),
            Column("peak memory", "MB"))


def cost_tables(scores: Scores) -> list[Table]:
    """One row a sampler (medians over all jobs), and folded one row a sampler and target."""
    run = scores.run
    columns = (Column("sampler", numeric=False), *_columns(scores.device()))
    kinds = ["control" if x in run.controls else "" for x in run.labels]
    rows = [(name_cell(run, label), *_cells(run, [j for j in run.jobs if j.label == label]))
            for label in run.labels]
    overall = Table("costs", "Cost of a job, medians over targets and seeds", columns,
                    tuple(rows), tuple(kinds), notes=COST_NOTES)
    pairs = [(target, label) for target in run.targets for label in run.labels
             if run.of(label, target)]
    detail = Table("costs-by-target", "Cost of a job by target, medians over seeds",
                   (Column("target", numeric=False), *columns),
                   tuple((Cell(t, float(run.targets.index(t))), name_cell(run, x, t),
                          *_cells(run, list(run.of(x, t)))) for t, x in pairs),
                   tuple("control" if x in run.controls else "" for _, x in pairs), folded=True)
    return [overall, detail]


COST_NOTES = (
    "Training and drawing are metered apart. Medians are over jobs that ended well where there "
    "are any. The row idle is the harness's own overhead, prior the cost of the initial law.",
    "1,000 fresh points: for amortised samplers a measured draw; for continuing ones the steps "
    "until the chains are fresh (measured autocorrelation) at the run's price a step; for "
    "one-shot ones the run again, in proportion.")
