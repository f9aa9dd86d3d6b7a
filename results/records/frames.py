"""Records as tidy tables: one row a job, one row a measure joined with its job and checkpoint."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from bench.core.cost import Cost
from results.records.endings import UNRANKED, ending
from results.records.run_folder import Run
from results.records.schema import UNANSWERED, Checkpoint, Job, Measure
from results.statistics.metric_result import MetricResult
from results.statistics.null_distribution import LEVEL, least_draws, usable

NOT_FINITE = "not finite"
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
    checkpoints = pd.DataFrame([_flat(c) for c in run.checkpoints] or [{"key": "", "index": -1}])
    checkpoints = checkpoints.rename(columns={c: f"checkpoint_{c}" for c in checkpoints.columns
                                  if c not in ("key", "index")})
    lines = pd.DataFrame([dataclasses.asdict(m) for m in run.measures]
                         or [{"key": "", "index": -1}])
    lines = lines.drop(columns="sort", errors="ignore").rename(
        columns={"version": "metric_version", "seconds": "metric_seconds"})
    joined = lines.merge(checkpoints, on=["key", "index"], how="left")
    return left.merge(joined, on="key", how="left")


@dataclasses.dataclass(frozen=True)
class Point:
    """A sampler at one checkpoint of its runs on a target: what was spent, what it scored.

    ``spent`` maps seed to the cost of training so far and of the draw that was scored.
    """

    index: int
    progress: float
    spent: dict[int, Cost]
    score: MetricResult


def _finite(value: float | None) -> bool:
    return value is not None and bool(np.isfinite(value))


def _why(found: Measure | None) -> str:
    """Why a seed that ended well is in no mean."""
    if found is None:
        return "not scored"
    return f"n = {found.n}" if _finite(found.value) else NOT_FINITE


class Scores:
    """Scores of a run by label, target and metric, computed once."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._jobs = {job.key: job for job in run.jobs}
        self._checkpoints = {(c.key, c.index): c for c in run.checkpoints}
        self._values: dict[tuple[str, str, str, str], list[Measure]] = {}
        for m in run.current:
            if (job := self._jobs.get(m.key)) is not None:
                place = job.label, job.target, m.metric, m.stage
                self._values.setdefault(place, []).append(m)
        known = dict.fromkeys(m.metric for m in run.measures)
        self.metrics = tuple(sorted(known, key=list(run.header.get("metrics") or known).index
                                    if set(known) <= set(run.header.get("metrics") or known)
                                    else str))
        self.final = lru_cache(maxsize=None)(self._final)
        self.curve = lru_cache(maxsize=None)(self._curve)
        self.left_out = lru_cache(maxsize=None)(self._left_out)

    def floored(self, target: str, metric: str) -> bool:
        """Whether the metric has a floor on the target that can reject, at some n."""
        return any(key[:2] == (target, metric) and usable(draws) is not None
                   for key, draws in self.run.draws.items())

    def no_floor(self, target: str, metric: str, n: int) -> str:
        """Why nothing can be shown at n points, where a floor was drawn; empty where it can."""
        draws = self.run.draws.get((target, metric, n))
        if usable(draws) is not None:
            return ""
        if draws is not None:
            return (f"{len(draws)} floor draws cannot reject at {LEVEL:g}: draw at least "
                    f"{least_draws()}")
        drawn = any(key[:2] == (target, metric) for key in self.run.draws)
        return f"no floor at n = {n}" if drawn else ""

    def lost(self, label: str, target: str, metric: str) -> int:
        """Final scores of jobs that ended well and were no number, or not finite."""
        return sum(why == NOT_FINITE for why in self.left_out(label, target, metric).values())

    def _score(self, label: str, target: str, metric: str,
               found: list[Measure]) -> MetricResult | None:
        """The score at the number of points that most seeds have; others are never mixed in."""
        good = {self._jobs[m.key].seed: m for m in found if _finite(m.value)}
        if not good:
            return None
        counts = Counter(m.n for m in good.values())
        n = max(counts, key=lambda n: (counts[n], not self.no_floor(target, metric, n), n))
        kept = {seed: float(m.value or 0.0) for seed, m in sorted(good.items()) if m.n == n}
        return MetricResult(label, target, metric, n, tuple(kept), tuple(kept.values()),
                     self.run.draws.get((target, metric, n)))

    def _finals(self, label: str, target: str, metric: str) -> dict[int, Measure]:
        """The final measures by seed of those jobs that the table's score is made of.

        Jobs that ended well; where there is none, those that are shown and not ranked.
        """
        found = [(self._jobs[m.key], m)
                 for m in self._values.get((label, target, metric, "final"), [])]
        for wanted in (("ok",), UNRANKED):
            if kept := {j.seed: m for j, m in found if ending(j) in wanted}:
                return kept
        return {}

    def _final(self, label: str, target: str, metric: str) -> MetricResult | None:
        """The table's score: last state, full n; None where no job left any.

        An unaffordable job is shown by its score too; that it does not rank is the ranking's.
        """
        found = self._finals(label, target, metric)
        return self._score(label, target, metric, list(found.values()))

    def _left_out(self, label: str, target: str, metric: str) -> dict[int, str]:
        """Seeds that ended well and are not in the final score, with the reason.

        Empty where the metric was not asked of the sampler at all.
        """
        found, score = self._finals(label, target, metric), self.final(label, target, metric)
        if not found and not self.floored(target, metric):
            return {}
        kept = score.seeds if score else ()
        return {job.seed: _why(found.get(job.seed)) for job in self.run.of(label, target)
                if ending(job) == "ok" and job.seed not in kept}

    def _curve(self, label: str, target: str, metric: str) -> tuple[Point, ...]:
        """Scores along the run. Failed jobs count as far as they came."""
        found = [m for m in self._values.get((label, target, metric, "curve"), [])
                 if (m.key, m.index) in self._checkpoints]
        points = []
        for index in sorted({m.index for m in found}):
            here = [m for m in found if m.index == index and _finite(m.value)]
            score = self._score(label, target, metric, here)
            if score is None:
                continue
            checkpoints = {self._jobs[m.key].seed: self._checkpoints[m.key, index] for m in here}
            spent = {seed: c.spent + c.draw for seed, c in checkpoints.items()}
            progress = float(np.median([c.progress for c in checkpoints.values()]))
            points.append(Point(index, progress, spent, score))
        return tuple(points)

    def unranked(self, label: str, target: str, metric: str) -> str:
        """Why a sampler has no rank on a target by a metric; empty where it has one."""
        endings = Counter(ending(job) for job in self.run.of(label, target))
        if not endings:
            return "no record"
        if "target-failed" in endings:  # the seeds that are left would be a choice
            return "target-failed"
        if all(e in UNRANKED for e in endings):
            return endings.most_common(1)[0][0]
        score = self.final(label, target, metric)
        return "" if score is None else self.no_floor(target, metric, score.n)

    def blamed(self, label: str, target: str) -> int:
        """Jobs of a pair whose end counts against their sampler."""
        return sum(ending(job) not in ("ok", *UNANSWERED) for job in self.run.of(label, target))

    def failed(self, label: str, target: str) -> int:
        """Jobs of a pair that did not end well within their budget, whatever the reason."""
        return sum(ending(job) != "ok" for job in self.run.of(label, target))

    def anneals(self, label: str) -> bool:
        """Whether intermediate points belong to one run, not to smaller budgets."""
        return any(job.anneals for job in self.run.jobs if job.label == label)

    def device(self) -> str:
        """Where the run computed."""
        return next((job.device for job in self.run.jobs), "cpu")
