"""What ``bench.run`` gives back: the points, how the job ended, and their scores."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.core.cost import Cost
from bench.core.errors import UserError
from bench.core.registry import default_metrics
from bench.harness.budget import Budget
from bench.harness.loop import CheckpointView
from bench.interface import notebook
from bench.interface.errors import one_sentence
from bench.interface.metric_choice import Metrics, metrics_of
from bench.interface.scoring import CURVE, FINAL, Scorer, Setting, why_not
from bench.jobs.one_job import ExecutedJob
from metrics.base import Metric
from results.presentation.table import Cell, Column, Table, count, duration, number
from results.records.schema import Job, Measure

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ("value", "se", "floor_mean", "floor_sd", "p", "n", "note")


class Result:
    """One job: its points, its cost, how it ended, and scores when they are asked for."""

    def __init__(self, done: ExecutedJob, setting: Setting, budget: Budget,
                 metrics: dict[str, Metric]) -> None:
        self._done, self._setting, self._budget, self._metrics = done, setting, budget, metrics
        self._scorer = Scorer(done, setting, metrics)
        self._shown: pd.DataFrame | None = None  # the scores that were asked for last

    @property
    def job(self) -> Job:
        """The record of the job, as a suite keeps it: parameters, costs, diagnostics, notes."""
        return self._done.job

    @property
    def status(self) -> str:
        """How it ended: "ok", "diverged", "failed", "unaffordable", "target-failed", ..."""
        return self.job.status

    @property
    def reason(self) -> str:
        """Why it did not end well; empty where it did."""
        return self.job.reason

    @property
    def cost(self) -> Cost:
        """Training and the final draw: evaluations by kind; device, CPU and wall seconds."""
        return self.job.train + self.job.draw

    @property
    def points(self) -> NDArray[np.floating]:
        """The points of the last state, (m, dim) with m <= n; UserError where there are none."""
        found: NDArray[np.floating] = self._final().points.cpu().numpy()
        return found

    @one_sentence()
    def scores(self, metrics: Metrics | None = None) -> pd.DataFrame:
        """Scores of the last state's points: a row a metric, mostly lower is better.

            r.scores(["mmd", "ksd"])

        ``value`` with its standard error ``se`` (NaN where no honest one is known); the floor's
        ``floor_mean`` and ``floor_sd``: the same estimator on exact samples of the same size;
        ``p``, the probability of a value at least as bad under exact sampling; ``n``, the points
        judged; ``note``, why something is missing. Without names: the metrics of ``bench.run``, or
        all that serve by default. A floor that is not committed is drawn here, which takes up to
        200 times as long as the score.
        """
        import pandas as pd

        final, chosen = self._final(), self._default() if metrics is None else metrics_of(metrics)
        found = self._scorer.scores(chosen, final, FINAL)
        rows = [_row(found.get(label), metric, self._setting) for label, metric in chosen.items()]
        self._shown = pd.DataFrame(rows, index=pd.Index(list(chosen), name="metric"),
                                   columns=list(_COLUMNS))
        return self._shown.copy()

    @one_sentence()
    def checkpoints(self, metrics: Metrics = ()) -> pd.DataFrame:
        """What had been spent at each checkpoint, and what points drawn there scored.

            r.checkpoints("mmd").plot("evaluations", "mmd", logy=True)

        Columns: ``progress`` (share of the budget), ``steps``, ``evaluations`` (of which
        ``density``, ``gradient``, ``hvp``) and ``seconds`` of training so far, ``points`` drawn;
        the values, at ``n_curve`` points, of the metrics named here and in ``bench.run``; the
        sampler's diagnostics.
        """
        import pandas as pd

        chosen = self._metrics | metrics_of(metrics)
        rows = []
        for checkpoint, view in zip(self._done.checkpoints, self._done.views, strict=True):
            found = self._scorer.scores(chosen, view, CURVE)
            values = {label: _number(found[label].value) if label in found else math.nan
                      for label in chosen}
            spent = checkpoint.spent
            rows.append({"progress": checkpoint.progress, "steps": checkpoint.steps,
                         "evaluations": int(spent.evaluations()), "density": spent.density,
                         "gradient": spent.score, "hvp": spent.hvp, "seconds": spent.seconds,
                         "points": checkpoint.drawn, **values, **checkpoint.diagnostics})
        return pd.DataFrame(rows)

    def _final(self) -> CheckpointView:
        views = self._done.views
        if not views or not views[-1].final:
            raise UserError(f"the job left no points: it ended as {self.status}"
                            f"{f' ({self.reason})' if self.reason else ''}")
        return views[-1]

    def _default(self) -> dict[str, Metric]:
        return self._metrics or {label: metric for label, metric
                                 in metrics_of(default_metrics()).items()
                                 if metric.applies(self._setting.target)}

    @property
    def sentence(self) -> str:
        """What ran and how it ended, in a sentence."""
        job, cost = self.job, self.cost
        ended = f"{job.status}: {job.reason}" if job.reason else job.status
        return (f"{job.label} on {job.target}, seed {job.seed}, budget {self._budget}: {ended}; "
                f"{job.steps:,} steps, {count(cost.evaluations())} evaluations, "
                f"{duration(cost.seconds)}")

    def __repr__(self) -> str:
        return f"<{self.sentence}>"

    def _repr_html_(self) -> str:
        notes = [notebook.sentence(f"! {note}") for note in self.job.notes]
        scored = [notebook.table(_table(self._shown))] if self._shown is not None else []
        return notebook.page([notebook.sentence(self.sentence, bold=True), *notes,
                              *notebook.scatter(self._done, self._setting.target), *scored])


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _row(measure: Measure | None, metric: Metric, setting: Setting) -> dict[str, Any]:
    if measure is None:
        return {"n": 0, "note": why_not(metric, setting.target)}
    numbers = {key: _number(getattr(measure, key)) for key in _COLUMNS[:5]}
    return {**numbers, "n": measure.n, "note": measure.note}


def _table(scores: pd.DataFrame) -> Table:
    """Scores as the report writes numbers."""
    columns = (Column("metric", numeric=False), Column("value"), Column("standard error"),
               Column("floor", "mean ± sd"), Column("p"), Column("n"), Column("note", "", False))
    rows = tuple((Cell(str(label)), Cell(number(row.value)), Cell(number(row.se, 2)),
                  Cell(f"{number(row.floor_mean)} ± {number(row.floor_sd, 2)}"),
                  Cell(number(row.p, 2)), Cell(str(row.n)), Cell(row.note))
                 for label, row in scores.iterrows())
    return Table("scores", "Scores of the last state", columns, rows)
