"""The tasks of a run with a referee: a sampler's job is played in one process, judged in another.

``bench.jobs.referee`` is what those processes do; this side only says what each is told.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.jobs.plan import weighs
from bench.jobs.pool import Task

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
        if task.spec["sampler"]["kind"] == "baseline":
            return task
        self._whole[task.name] = task
        place = self._folder / f"{len(self._whole)}"
        place.mkdir()
        common = task.spec["common"]
        told: dict[str, Any] = {**common, "folder": str(place), "metrics": [], "references": {},
                                "samplers": [], "weighed": weighs(common)}
        return replace(task, spec={**task.spec, "task": "play", "common": told})

    def played(self, task: Task) -> list[int]:
        """The seeds of a sampler's half that came to an end, well or not."""
        place = Path(task.spec["common"]["folder"])
        return [s for s in task.spec["seeds"]
                if (place / task.spec["keys"][str(s)] / END).exists()]

    def judging(self, task: Task, seeds: list[int]) -> Task:
        """The judge's half for those seeds."""
        whole = self._whole[task.name].spec
        return replace(task, name=f"{task.name}--judge", spec={
            **whole, "task": "judge", "seeds": seeds, "played": task.spec["common"]["folder"]})


@contextmanager
def referee(wanted: bool) -> Iterator[Apart | None]:
    """A place for the jobs of one run that is gone at its end; None where no referee is wanted."""
    if not wanted:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="sampler-bench-", ignore_cleanup_errors=True) as place:
        yield Apart(Path(place))
