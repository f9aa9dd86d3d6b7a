"""The values of a run by sampler, target, metric, number of points and step count."""

from __future__ import annotations

import math
from dataclasses import dataclass

from results.records.run_folder import Run
from results.records.schema import Checkpoint, Job, Measure

#: Statuses of jobs whose last state counts as the end of the run.
_ENDED = ("ok", "unaffordable")


@dataclass(frozen=True)
class OurValues:
    """Our values behind one published figure, by seed.

    ``lost`` counts the jobs that died before the figure's step or left no finite value there;
    ``parts`` holds what each value is made of.
    """

    seeds: tuple[int, ...] = ()
    values: tuple[float, ...] = ()
    lost: int = 0
    parts: tuple[tuple[float, ...], ...] = ()


class RunValues:
    """Values of a run, looked up by what a published figure is of."""

    def __init__(self, run: Run) -> None:
        self.run = run
        jobs = {job.key: job for job in run.jobs}
        checkpoints = {(c.key, c.index): c for c in run.checkpoints}
        self._found: dict[tuple[str, str, str, int], list[tuple[Measure, Job, Checkpoint]]] = {}
        for m in run.current:
            job, checkpoint = jobs.get(m.key), checkpoints.get((m.key, m.index))
            if job and checkpoint:
                key = job.label, job.target, m.metric, m.n
                self._found.setdefault(key, []).append((m, job, checkpoint))

    def at(self, label: str, target: str, metric: str, n: int, steps: int | None) -> OurValues:
        """Values after so many steps (None: the last state of a job that ended well)."""
        taken: dict[int, Measure] = {}
        for m, job, checkpoint in self._found.get((label, target, metric, n), []):
            here = ((checkpoint.final and job.status in _ENDED) if steps is None
                    else checkpoint.steps == steps)
            if here and (job.seed not in taken or m.stage == "final"):
                taken[job.seed] = m
        good = {s: m for s, m in sorted(taken.items())
                if m.value is not None and math.isfinite(m.value)}
        # A job that died before this step has no value here, and counts.
        died = {j.seed for j in self.run.of(label, target) if j.status not in _ENDED}
        return OurValues(tuple(good), tuple(float(m.value or 0.0) for m in good.values()),
                         len((died | taken.keys()) - good.keys()),
                         tuple(m.parts for m in good.values()))
