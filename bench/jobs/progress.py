"""Live progress of a run: what runs, how many are left, how long, and a table that fills up."""

from __future__ import annotations

import statistics
import time
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from bench.jobs.messages import Event, Reached, Started
from bench.jobs.spec import Task
from bench.suite.suite import Suite
from results.presentation.console import grid, is_live, shown
from results.presentation.table import Cell, Column, Table
from results.records.schema import Job

#: The metric the live table shows; the report shows all.
SHOWN = "w2"


class Progress:
    """Draws on a terminal; prints a line per finished job elsewhere."""

    def __init__(self, suite: Suite, console: Console) -> None:
        self.suite, self.console = suite, console
        self._live = Live(console=console, refresh_per_second=4, transient=True) \
            if is_live(console) else None
        self._running: dict[str, float] = {}
        self._values: dict[str, float] = {}
        self._cells: dict[tuple[str, str], list[str | float]] = {}
        self._total = self._before = self._done = 0
        self._start = time.monotonic()

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self._live:
            self._live.stop()

    def say(self, text: str) -> None:
        """A line above the display."""
        self.console.print(shown(text), style="dim")

    def begin(self, total: int, done: int, slots: int) -> None:
        """The jobs start now; ``done`` of them were done by an earlier session."""
        self._total, self._before, self._start = total, done, time.monotonic()
        again = f", {done} of them done before" if done else ""
        self.say(f"{total} jobs{again}, {slots} at a time")

    def event(self, task: Task, event: Event) -> None:
        """What a child tells of its current job."""
        if isinstance(event, Started):
            self._running[task.name] = 0.0
        elif isinstance(event, Reached):
            self._running[task.name] = event.progress
            if SHOWN in event.values:
                self._values[event.key] = event.values[SHOWN]

    def ended(self, task: Task) -> None:
        """A child has ended."""
        self._running.pop(task.name, None)

    def job(self, job: Job) -> None:
        """A job has its record."""
        self._done += 1
        value = self._values.get(job.key)
        shown = value if job.status == "ok" and value is not None else job.status
        self._cells.setdefault((job.label, job.target), []).append(shown)
        if self._live is None:
            text = f"{SHOWN} {value:.3g}" if value is not None else ""
            reason = f" ({job.reason})" if job.reason else ""
            self.say(f"[{self._before + self._done}/{self._total}] {job.label} on {job.target}, "
                     f"seed {job.seed}: {job.status}{reason} {text}".rstrip())

    def tick(self) -> None:
        """Redraw."""
        if self._live and self._total:
            self._live.update(Group(grid(self._table()), self._line()))

    def _line(self) -> Text:
        left = self._total - self._before - self._done
        elapsed = time.monotonic() - self._start
        eta = f", about {left * elapsed / self._done / 60:.1f} min left" if self._done else ""
        running = "  ".join(f"{name.replace('--', ' on ')} {progress:.0%}"
                            for name, progress in self._running.items())
        done = f"{self._before + self._done} of {self._total} jobs done, {left} left{eta}"
        return Text(shown(f"{done}\nrunning: {running}"), style="dim")

    def _table(self) -> Table:
        columns = (Column("sampler", numeric=False),
                   *(Column(t.label) for t in self.suite.targets))
        rows = tuple((Cell(s.label), *(Cell(self._cell(s.label, t.label))
                                       for t in self.suite.targets)) for s in self.suite.samplers)
        return Table("progress", f"{self.suite.name}: median {SHOWN} so far, lower is better",
                     columns, rows)

    def _cell(self, sampler: str, target: str) -> str:
        values = self._cells.get((sampler, target), [])
        numbers = [v for v in values if isinstance(v, float)]
        words = sorted({v for v in values if isinstance(v, str) and v != "ok"})
        parts = [f"{statistics.median(numbers):.3g}"] if numbers else []
        return " ".join(parts + words) or ("done" if values else "")
