"""Bookkeeping of a session: every job that was begun has its record, however its child ended."""

from __future__ import annotations

from dataclasses import replace

from bench.core.errors import StoreError, UserError
from bench.jobs.messages import Ended, Event, Reached
from bench.jobs.pool import End
from bench.jobs.progress import Progress
from bench.jobs.referee_tasks import Apart
from bench.jobs.spec import DoJobs, JobSpec, Task
from results.records.schema import Job
from results.records.store import Store


class Bookkeeping:
    """Hears of jobs and their ends; ``finished`` holds the keys of jobs that have a record."""

    def __init__(self, store: Store, finished: set[str], progress: Progress,
                 apart: Apart | None) -> None:
        self.store, self.finished, self.progress, self.apart = store, finished, progress, apart
        self._reached: dict[str, Reached] = {}  # the last checkpoint that each job told of

    def collect(self) -> None:
        """Take over what children have left in the inbox."""
        for record in self.store.collect():
            if isinstance(record, Job):
                self._count(record)
        if self.store.set_aside:
            raise StoreError("a result was damaged before it was read, and set aside as "
                             f"'{self.store.set_aside[0]}'; go on with --resume")
        self.progress.tick()

    def on_event(self, task: Task, event: Event) -> None:
        """What a child tells."""
        self.progress.event(task, event)
        if isinstance(event, Reached):
            self._reached[event.key] = event
        if isinstance(event, Ended):
            self.collect()

    def on_end(self, end: End) -> list[Task]:
        """What is to be done now that a child has ended: judging, and the jobs it left undone."""
        self.collect()
        self.progress.ended(end.task)
        stop_on_error(end)
        played = self._played(end.task)
        judging = [self.apart.judging(end.task, played)] if self.apart and played else []
        return judging + self._left(end, [job.key for job in played])

    def _played(self, task: Task) -> list[JobSpec]:
        """The jobs whose sampler's half came to an end, where a referee is wanted."""
        apart = self.apart is not None and _side(task) == "sampler"
        return self.apart.played(task) if apart and self.apart else []

    def _left(self, end: End, played: list[str]) -> list[Task]:
        """A record for the job that a dead child was at, and a new child for its other jobs."""
        jobs = end.task.jobs
        left = [job for job in jobs if job.key not in played and job.key not in self.finished]
        if not left:
            return []
        if _side(end.task) == "judge":  # whatever it was, it was not the sampler
            raise StoreError(f"judging {end.task.name} failed: {how(end)}; go on with --resume")
        lost = next((job for job in left if job.key == end.current), None)
        if lost is None and len(left) == len(jobs):
            lost = left[0]  # it died before its first job; else between two
        if lost is not None:
            job = self._lost(lost, end)
            self.store.append([job])
            self._count(job)
            left.remove(lost)
        return [end.task.of(tuple(left))] if left else []

    def _lost(self, spec: JobSpec, end: End) -> Job:
        """The record of a job whose process died.

        What it had spent is known to its last checkpoint only: a lower bound.
        """
        job = spec.record("failed" if end.status == "ok" else end.status)
        last = self._reached.get(spec.key)
        if last is None:
            return replace(job, reason=f"{how(end)}; it had spent nobody knows what")
        return replace(job, steps=last.steps, train=last.spent, reason=f"{how(end)}; it had spent "
                       "at least what its last checkpoint says")

    def _count(self, job: Job) -> None:
        self.finished.add(job.key)
        self.progress.job(job)


def _side(task: Task) -> str:
    return task.work.side if isinstance(task.work, DoJobs) else ""


def stop_on_error(end: End) -> None:
    """What is no job's outcome ends the run."""
    if end.cause == "user":
        raise UserError(end.reason)
    if end.cause == "store":
        raise StoreError(end.reason)


def how(end: End) -> str:
    """How a child ended, in words."""
    return end.reason or ("the process ended with exit code 0 before it was done: code that ran "
                          "in it must have called sys.exit or os._exit")
