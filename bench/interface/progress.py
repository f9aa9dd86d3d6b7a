"""A bar for one job, which moves at its checkpoints."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from results.presentation.console import error_console
from results.records.schema import Checkpoint, Measure


class Bar:
    """Shown on standard error while a job runs, where it is wanted."""

    def __init__(self, what: str, wanted: bool) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(),
                   TimeElapsedColumn())
        self._progress = Progress(*columns, console=error_console(), disable=not wanted)
        self._task = self._progress.add_task(what, total=1.0)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._progress.stop()

    def advance(self, checkpoint: Checkpoint, measures: list[Measure]) -> None:
        """A checkpoint has been reached."""
        self._progress.update(self._task, completed=checkpoint.progress)
