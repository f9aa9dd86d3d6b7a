"""Runs of suites: start one, go on with one, read one.

A run is a folder. Its jobs are done by child processes, whoever asked: the numbers are those of
``python -m bench run``.
"""

from __future__ import annotations

import io
import shlex
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.core.errors import UserError, nearest
from bench.interface import notebook
from bench.interface.errors import one_sentence
from bench.interface.plans import new_folder, plan, workers_of
from results.presentation.console import open_console, quiet_console, text_console
from results.records import frames
from results.records.frames import Scores
from results.records.leading import primary
from results.records.run_folder import Run, arrays
from results.records.run_folder import load as load_folder
from results.records.store import read_header

if TYPE_CHECKING:
    import pandas as pd

    from bench.suite.suite import Suite


class SuiteRun:
    """A suite's folder of finished jobs, as it was when it was read.

    run = bench.load("runs/x")
    run.measures().groupby(["label", "target", "metric"])["value"].mean()
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._run: Run = load_folder(self.path)

    @property
    def suite(self) -> dict[str, Any]:
        """What was asked: budget, seeds, numbers of points, device and so on."""
        return self._run.suite

    @cached_property
    def scores(self) -> Scores:
        """Scores over seeds by sampler, target and metric, as the tables of the report read."""
        return Scores(self._run)

    def jobs(self) -> pd.DataFrame:
        """A row a job: what ran, how it ended and why, what it cost (evaluations, seconds, MB)."""
        return frames.jobs(self._run)

    def measures(self) -> pd.DataFrame:
        """A row a measure, joined with its job and checkpoint; a job without any keeps one row.

        ``stage`` is ``curve`` (few points, every checkpoint) or ``final`` (all points, the last
        state). ``value`` has its ``se``, the floor's ``floor_mean`` and ``floor_sd``, and ``p``,
        the probability of a value at least as bad under exact sampling.
        """
        return frames.measures(self._run)

    def samples(self, sampler: str, target: str, seed: int) -> NDArray[np.floating]:
        """The points of a job's last state, shape (n, dim); UserError where it left none."""
        run = self._run
        for kind, name, known in (("sampler", sampler, run.labels),
                                  ("target", target, run.targets)):
            if name not in known:
                raise UserError(f"no {kind} '{name}' in '{self.path}'{nearest(name, known)} "
                                f"(there are: {', '.join(known)})")
        jobs = {job.seed: job for job in run.of(sampler, target)}
        if seed not in jobs:
            raise UserError(f"no job of {sampler} on {target} with seed {seed} in '{self.path}' "
                            f"(there are seeds: {', '.join(map(str, jobs)) or 'none'})")
        found = arrays(run, "samples", jobs[seed].key)
        if found is None:
            job = jobs[seed]
            why = f"it ended as {job.status}: {job.reason}" if job.status != "ok" else (
                "the file is missing, as in an archive")
            raise UserError(f"{sampler} on {target} with seed {seed} left no points: {why}")
        points: NDArray[np.floating] = found["points"]
        return points

    @one_sentence()
    def report(self) -> Path:
        """Write report.html and report.md into the folder; returns the path of the page."""
        from results.report.page import write

        return write(self.path)[0]

    def print_report(self) -> None:
        """The report as the command line shows it: the verdict, tables, failures."""
        from results.report.terminal import print_report

        print_report(self.path, open_console())

    def text(self, width: int = 100) -> str:
        """The same as text of at most so many columns."""
        from results.report.terminal import print_report

        buffer = io.StringIO()
        print_report(self.path, text_console(buffer, width))
        return buffer.getvalue()

    def __repr__(self) -> str:
        jobs = self._run.jobs
        bad = sum(job.status != "ok" for job in jobs)
        ended = f"{len(jobs)} jobs, {f'{bad} not ok' if bad else 'all ok'}"
        return f"<run of suite '{self.suite.get('name')}' in '{self.path}': {ended}>"

    def _repr_html_(self) -> str:
        from results.report.overview import overview
        from results.report.sentences import findings, verdict, warnings

        scores = self.scores
        return notebook.page([
            notebook.sentence(verdict(scores), bold=True),
            *(notebook.sentence(f"! {warning}") for warning in warnings(scores)),
            notebook.table(overview(scores, primary(scores))),
            *(notebook.sentence(f"{target}: {said}") for target, said in findings(scores))])


def folder_of(run: SuiteRun | str | Path) -> Path:
    """The folder of a run that was read, or that is named by its path."""
    return run.path if isinstance(run, SuiteRun) else Path(run)


@one_sentence()
def load(folder: str | Path) -> SuiteRun:
    """Read the folder of a run, finished or not; UserError where it is none.

    run = bench.load("runs/x")
    """
    return SuiteRun(folder)


@one_sentence()
def run_suite(suite: str | Path, out: str | Path | None = None, *,
              samplers: Sequence[str] | None = None, targets: Sequence[str] | None = None,
              seeds: int | str | None = None, budget: str | None = None, n: int | None = None,
              device: str | None = None, dtype: str | None = None, compile: bool | None = None,
              referee: bool | None = None, workers: int | None = None,
              plugin: str | Path | None = None,
              references: Mapping[str, str | Path] | None = None,
              progress: bool = True) -> SuiteRun:
    """Run a suite in child processes and read what it left.

        run = bench.run_suite("smoke", out="runs/x", samplers=["hmc", "mala"], seeds=3)

    ``suite`` is a name (``bench.suites()``) or a TOML file; what is None is as it says. ``out`` is
    a new folder (default: ``runs/SUITE-DATE-TIME``); ``seeds`` a number or "first:last";
    ``budget`` such as "10s" or "2e6evals", for every job; ``n`` the points judged at the end;
    ``workers`` how many jobs at a time (default: one a processor); ``plugin`` a Python file with
    samplers, targets or metrics of your own; ``references`` files of long runs (n, dim) by target.

    What a sampler does wrong is a status of its job. A mistake in what was asked is a UserError
    and leaves no folder behind; after an interrupt go on with ``bench.resume(out)``.
    """
    made = plan(suite, samplers=samplers, targets=targets, seeds=seeds, budget=budget, n=n,
                plugin=plugin, references=references, device=device, dtype=dtype,
                compile=compile, referee=referee)
    folder = new_folder(out, made.name)
    asked = {"suite": suite, "samplers": samplers, "targets": targets, "seeds": seeds,
             "budget": budget, "n": n, "device": device, "dtype": dtype, "compile": compile,
             "referee": referee, "plugin": plugin, "reference": references, "out": folder}
    execute(made, folder, workers_of(workers), command_of(asked), progress=progress)
    return SuiteRun(folder)


@one_sentence()
def resume(folder: str | Path, *, workers: int | None = None, allow_changed_code: bool = False,
           progress: bool = True) -> SuiteRun:
    """Go on with an unfinished run, without redoing or losing a finished job.

        run = bench.resume("runs/x")

    UserError where code, files or packages have changed since, unless ``allow_changed_code``.
    """
    folder = Path(folder)
    execute(planned_by(folder), folder, workers_of(workers), "", allow_changed_code, progress)
    return SuiteRun(folder)


def planned_by(folder: Path) -> Suite:
    """The suite that a run's folder was begun with."""
    from bench.suite.serialised import from_facts

    return from_facts(read_header(folder)["suite"])


def execute(suite: Suite, folder: Path, workers: int, command: str,
            allow_changed_code: bool = False, progress: bool = True) -> None:
    """Run what is missing in a folder; what the command line and the interface both do."""
    from bench.jobs.complete import complete_run
    from bench.jobs.progress import Progress

    console = open_console() if progress else quiet_console()
    complete_run(suite, folder, workers, command, Progress(suite, console), allow_changed_code)


def command_of(asked: Mapping[str, object]) -> str:
    """The command line that asks for the same, which the report shows."""
    words = ["python", "-m", "bench", "run"]
    for option, value in asked.items():
        if isinstance(value, Mapping):
            words += [w for k, v in value.items() for w in (f"--{option}", f"{k}={v}")]
        elif value is True:
            words.append(f"--{option}")
        elif value is not None and value is not False:
            text = ",".join(value) if isinstance(value, list | tuple) else str(value)
            words += [f"--{option}", text]
    return shlex.join(words)
