"""The tasks of a run with a referee: a sampler's job is played in one process, judged in another.

``bench.jobs.referee`` is what those processes do; this side only says what each is told.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bench.core.registry import find
from bench.jobs.spec import JobSpec, RunSettings, Task

#: What a job leaves when it has ended: its record as far as the sampler's side knows it.
END = "job.json"


class Apart:
    """Where samplers leave what their checkpoints showed, until it has been judged."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._whole: dict[str, Task] = {}

    def hidden(self, task: Task) -> Task:
        """The sampler's half of a job's task, which says nothing of folder, metrics or reference.

        Baselines stay whole: ``exact`` is there to draw from the target itself.
        """
        if task.jobs[0].declared.kind == "baseline":
            return task
        self._whole[task.name] = task
        folder = self._folder / f"{len(self._whole)}"
        folder.mkdir()
        settings = task.jobs[0].settings
        told = replace(settings, folder=folder, metrics=(), references={})
        return task.of(tuple(replace(job, settings=told) for job in task.jobs), side="sampler",
                       log_weights=ask_for_log_weights(settings))

    def played(self, task: Task) -> list[JobSpec]:
        """The jobs of a sampler's half that came to an end, well or not."""
        return [job for job in task.jobs if (job.settings.folder / job.key / END).exists()]

    def judging(self, task: Task, played: list[JobSpec]) -> Task:
        """The judge's half for those jobs."""
        whole, keys = self._whole[task.name], {job.key for job in played}
        jobs = tuple(job for job in whole.jobs if job.key in keys)
        return replace(whole.of(jobs, side="judge", played=played[0].settings.folder),
                       name=f"{task.name}--judge")


def ask_for_log_weights(settings: RunSettings) -> bool:
    """Whether some metric of a run asks samplers for log-weights."""
    return any("weights" in (find("metrics", m.name, settings.plugin).attributes.get("needs")
                             or ()) for m in settings.metrics)


@contextmanager
def referee(wanted: bool) -> Iterator[Apart | None]:
    """A place for the jobs of one run that is gone at its end; None where no referee is wanted."""
    if not wanted:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="sampler-bench-", ignore_cleanup_errors=True) as place:
        yield Apart(Path(place))
