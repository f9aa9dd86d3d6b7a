"""Records as tidy tables: one row a job, one row a measure joined with its job and checkpoint."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from results.floors import Score
from results.folder import Run
from results.records import Checkpoint, Cost, Job, Measure

_NESTED = ("train", "draw", "spent", "uncharged")
_PACKED = ("params", "target_params", "ladder", "diagnostics", "renewal", "notes")


def _flat(record: Job | Checkpoint) -> dict[str, Any]:
    """Plain columns of a record: costs spread out, what has no fixed shape as JSON text."""
    row: dict[str, Any] = {}
    for name, value in dataclasses.asdict(record).items():
        if name in _NESTED:
            row |= {f"{name}_{part}": amount for part, amount in value.items()}
        elif name in _PACKED:
            row[name] = json.dumps(value, sort_keys=True)
        elif name == "probe":
            row["probe_before"], row["probe_after"] = value
        elif name != "sort":
            row[name] = value
    return row


def jobs(run: Run) -> pd.DataFrame:
    """One row a job, in the suite's order."""
    order = {name: i for i, name in enumerate(run.labels)}
    places = {name: i for i, name in enumerate(run.targets)}
    ordered = sorted(run.jobs, key=lambda j: (places[j.target], order[j.label], j.seed))
    return pd.DataFrame([_flat(j) | {"disturbed": run.disturbed(j)} for j in ordered])


def measures(run: Run) -> pd.DataFrame:
    """One row a measure, joined with its job and checkpoint. A job without any keeps one row."""
    left = jobs(run)
    if left.empty:
        return left
    looks = pd.DataFrame([_flat(c) for c in run.checkpoints] or [{"key": "", "index": -1}])
    looks = looks.rename(columns={c: f"checkpoint_{c}" for c in looks.columns
                                  if c not in ("key", "index")})
    lines = pd.DataFrame([dataclasses.asdict(m) for m in run.measures]
                         or [{"key": "", "index": -1}])
    lines = lines.drop(columns="sort", errors="ignore").rename(
        columns={"version": "metric_version", "seconds": "metric_seconds"})
    joined = lines.merge(looks, on=["key", "index"], how="left")
    return left.merge(joined, on="key", how="left")


@dataclasses.dataclass(frozen=True)
class Point:
    """A sampler at one checkpoint of its runs on a target: what was spent, what it scored.

    ``spent`` maps seed to the cost of training so far and of the draw that was scored.
    """

    index: int
    progress: float
    spent: dict[int, Cost]
    score: Score


class Scores:
    """Scores of a run by label, target and metric, computed once."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._jobs = {job.key: job for job in run.jobs}
        self._looks = {(c.key, c.index): c for c in run.checkpoints}
        self._values: dict[tuple[str, str, str, str], list[Measure]] = {}
        self._lost: Counter[tuple[str, str, str]] = Counter()
        for m in run.current:
            job = self._jobs[m.key]
            if m.value is None or not np.isfinite(m.value):
                self._lost[job.label, job.target, m.metric] += m.stage == "final"
            else:
                self._values.setdefault((job.label, job.target, m.metric, m.stage), []).append(m)
        known = dict.fromkeys(m.metric for m in run.measures)
        self.metrics = tuple(sorted(known, key=list(run.header.get("metrics") or known).index
                                    if set(known) <= set(run.header.get("metrics") or known)
                                    else str))
        self.final = lru_cache(maxsize=None)(self._final)
        self.curve = lru_cache(maxsize=None)(self._curve)

    def lost(self, label: str, target: str, metric: str) -> int:
        """Final scores of a pair that were no number, or not finite."""
        return self._lost[label, target, metric]

    def _score(self, label: str, target: str, metric: str, found: list[Measure]) -> Score | None:
        if not found:
            return None
        found = sorted(found, key=lambda m: self._jobs[m.key].seed)
        n = Counter(m.n for m in found).most_common(1)[0][0]
        found = [m for m in found if m.n == n]
        return Score(label, target, metric, n, tuple(self._jobs[m.key].seed for m in found),
                     tuple(float(m.value or 0.0) for m in found),
                     self.run.draws.get((target, metric, n)))

    def _final(self, label: str, target: str, metric: str) -> Score | None:
        """The table's score: last state, full n, jobs that ended well; None where none is.

        An unaffordable job is shown by its score too; that it does not rank is the ranking's.
        """
        found = self._values.get((label, target, metric, "final"), [])
        kept = [m for m in found if self._jobs[m.key].status in ("ok", "unaffordable")]
        return self._score(label, target, metric, kept)

    def _curve(self, label: str, target: str, metric: str) -> tuple[Point, ...]:
        """Scores along the run. Failed jobs count as far as they came."""
        found = self._values.get((label, target, metric, "curve"), [])
        points = []
        for index in sorted({m.index for m in found}):
            here = [m for m in found if m.index == index and (m.key, index) in self._looks]
            score = self._score(label, target, metric, here)
            if score is None:
                continue
            looks = {self._jobs[m.key].seed: self._looks[m.key, index] for m in here}
            spent = {seed: c.spent + c.draw for seed, c in looks.items()}
            progress = float(np.median([c.progress for c in looks.values()]))
            points.append(Point(index, progress, spent, score))
        return tuple(points)

    def failed(self, label: str, target: str) -> int:
        """Jobs of a pair that did not end well, whatever the reason."""
        return sum(job.status != "ok" for job in self.run.of(label, target))

    def anneals(self, label: str) -> bool:
        """Whether intermediate points belong to one run, not to smaller budgets."""
        return any(job.anneals for job in self.run.jobs if job.label == label)

    def device(self) -> str:
        """Where the run computed."""
        return next((job.device for job in self.run.jobs), "cpu")
