"""Cost and ranking: who is better, and what a job cost by sampler, and by sampler and target."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from results.presentation.blocks import Block
from results.presentation.sampler_cells import name_cell
from results.presentation.table import Cell, Column, Table, count, duration, number
from results.records.endings import OVERSHOOT
from results.records.frames import Scores
from results.records.leading import CURVES, primary
from results.records.prices import thousand
from results.records.run_folder import Run
from results.records.schema import Job
from results.report.ranking import judged, ranking_table
from results.report.section import Section


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
            Column("log-density", "evaluations, training"),
            Column("gradient", "evaluations, training"),
            Column("Hessian-vector", "products, training"),
            Column("evaluations of a draw", "all kinds"),
            Column("1,000 fresh points", "seconds, after the first set"), Column("steps"),
            Column("overshoot", "largest, of the budget"), Column("warm-up", "not charged"),
            Column("peak memory", "MB"))


def cost_tables(scores: Scores) -> list[Table]:
    """One row a sampler (medians over all jobs), and folded one row a sampler and target."""
    run = scores.run
    columns = (Column("sampler", numeric=False), *_columns(scores.device()))
    kinds = ["muted" if x in run.baselines else "" for x in run.labels]
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
                   tuple("muted" if x in run.baselines else "" for _, x in pairs), folded=True)
    return [overall, detail]


COST_NOTES = (
    "Training and drawing are metered apart. Medians are over jobs that ended well where there "
    "are any. Row overhead is the harness's own time; row initial costs one draw.",
    "1,000 fresh points: for amortised samplers a measured draw; for continuing ones the steps "
    "until the chains are fresh (measured autocorrelation) at the run's price a step; for "
    "one-shot ones the run again, in proportion.")


def _blocks(scores: Scores) -> list[Block]:
    metric = primary(scores)
    return [*(ranking_table(scores, m, folded=m != metric)
              for m in dict.fromkeys((metric, *CURVES)) if judged(scores, m)),
            *cost_tables(scores)]


SECTION = Section("cost", "Cost and ranking", _blocks)
