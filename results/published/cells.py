"""A run beside a published table: which of our values belongs to which published figure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bench.core.types import Array
from results.published.table import Figure, PublishedColumn, PublishedRow, PublishedTable
from results.published.verdict import (
    INCOMPARABLE,
    UNDECIDED,
    Judgement,
    judge,
    published_place,
)
from results.records.run_folder import Run
from results.records.schema import Checkpoint, Job, Measure

#: Redraws of both sides' means behind the share in which a candidate fits best.
REDRAWS = 2000
#: A list of more candidates than this is a scan in order: its best should lie inside.
LONG = 4
_ENDED = ("ok", "unaffordable")


@dataclass(frozen=True)
class Found:
    """Our values at one place of a run, by seed, and the jobs that died before it or lost it."""

    seeds: tuple[int, ...] = ()
    values: tuple[float, ...] = ()
    lost: int = 0
    parts: tuple[tuple[float, ...], ...] = ()


class Values:
    """Values of a run by sampler, target, metric, number of points and step count."""

    def __init__(self, run: Run) -> None:
        self.run = run
        jobs = {job.key: job for job in run.jobs}
        looks = {(c.key, c.index): c for c in run.checkpoints}
        self._seen: dict[tuple[str, str, str, int], list[tuple[Measure, Job, Checkpoint]]] = {}
        for m in run.current:
            job, look = jobs.get(m.key), looks.get((m.key, m.index))
            if job and look:
                place = job.label, job.target, m.metric, m.n
                self._seen.setdefault(place, []).append((m, job, look))

    def at(self, label: str, target: str, metric: str, n: int, steps: int | None) -> Found:
        """Values after so many steps (None: the last state of a job that ended well)."""
        taken: dict[int, Measure] = {}
        for m, job, look in self._seen.get((label, target, metric, n), []):
            here = (look.final and job.status in _ENDED) if steps is None else look.steps == steps
            if here and (job.seed not in taken or m.stage == "final"):
                taken[job.seed] = m
        good = {s: m for s, m in sorted(taken.items())
                if m.value is not None and math.isfinite(m.value)}
        # A job that died before this step has no value here, and counts.
        died = {j.seed for j in self.run.of(label, target) if j.status not in _ENDED}
        return Found(tuple(good), tuple(float(m.value or 0.0) for m in good.values()),
                     len((died | taken.keys()) - good.keys()),
                     tuple(m.parts for m in good.values()))


@dataclass(frozen=True)
class PublishedCell:
    """A published figure, what a run has beside it, and the verdict (None: nothing of ours)."""

    row: PublishedRow
    column: PublishedColumn
    figure: Figure
    label: str
    target: str
    found: Found
    draws: Array | None
    judgement: Judgement | None

    @property
    def reran(self) -> Judgement | None:
        """The verdict where jobs of ours stand behind it; a barred figure may have none."""
        return self.judgement if self.found.values or self.found.lost else None

    @property
    def place(self) -> str:
        """Where the published figure lies: at the floor, above, below, or unknown."""
        return published_place(self.figure, self.row.repeats, self.draws)


def barred(row: PublishedRow, column: PublishedColumn, figure: Figure) -> str:
    """The sentence why a figure cannot be compared; empty where it can."""
    return figure.not_comparable or row.not_comparable or column.not_comparable


@dataclass(frozen=True)
class Fit:
    """How well a candidate fits: mean |log(ours / published)| over so many cells.

    ``wins`` is the share of redraws of both sides' means, within their standard errors and
    independent from cell to cell, in which it fits best; None for one that lacks cells or is
    alone.
    """

    candidate: str
    error: float
    cells: int
    wins: float | None = None


@dataclass(frozen=True)
class Scan:
    """Candidates for one thing that a paper leaves open, best first; ``untried`` have no cell."""

    what: str
    names: tuple[str, ...]
    fits: tuple[Fit, ...]
    untried: tuple[str, ...]

    @property
    def best(self) -> Fit | None:
        """The candidate that fits best; None where there is nothing to fit."""
        return self.fits[0] if self.fits else None

    @property
    def at_end(self) -> bool:
        """Whether the best of a long list stands at an end of what was tried."""
        tried = [name for name in self.names if name not in self.untried]
        return len(tried) > LONG and self.fits[0].candidate in (tried[0], tried[-1])


class Beside:
    """A published table and a run, joined: chosen candidates, scans, cells.

    Targets are chosen first, by the rows with one candidate (by all where these have no cell);
    then samplers, on the chosen targets.
    """

    def __init__(self, table: PublishedTable, run: Run, values: Values | None = None) -> None:
        self.table, self.run = table, run
        self.values = values or Values(run)
        self.targets: dict[str, str] = {}
        self.samplers: dict[tuple[str, ...], str] = {}
        self.scans: list[Scan] = []
        for group in table.groups:
            self.targets[group] = self._choose_target(group)
        for names in dict.fromkeys(r.samplers for r in table.rows if r.samplers):
            self.samplers[names] = self._choose_sampler(names)

    def _choose_target(self, group: str) -> str:
        columns = self.table.group(group)
        names = columns[0].targets
        if len(names) == 1:
            return names[0]
        single = [r for r in self.table.rows if len(r.samplers) == 1]
        for rows in (single, self.table.rows):
            scan = self._scan(group, {t: [(r, c, x, t) for c in columns for r in rows
                                          for x in r.samplers] for t in names})
            if scan.fits:
                break
        self.scans.append(scan)
        return scan.fits[0].candidate if scan.fits else self._first(names, self.run.targets)

    def _choose_sampler(self, names: tuple[str, ...]) -> str:
        if len(names) == 1:
            return names[0]
        rows = [r for r in self.table.rows if r.samplers == names]
        scan = self._scan(rows[0].family, {
            x: [(r, c, x, self.targets[c.group]) for r in rows for c in self.table.columns]
            for x in names})
        self.scans.append(scan)
        return scan.fits[0].candidate if scan.fits else self._first(names, self.run.labels)

    @staticmethod
    def _first(names: tuple[str, ...], have: tuple[str, ...]) -> str:
        return next((name for name in names if name in have), names[0])

    def _scan(self, what: str, places: dict[str, list[tuple[
            PublishedRow, PublishedColumn, str, str]]]) -> Scan:
        """Fit of each candidate on its cells, which stand in the same order for all."""
        logs = {name: np.array([self._log_ratio(*p) for p in cells])
                for name, cells in places.items()}
        used = {name: ~np.isnan(found[:, 0]) for name, found in logs.items() if len(found)}
        used = {name: there for name, there in used.items() if there.any()}
        most = max((int(there.sum()) for there in used.values()), default=0)
        whole = [name for name, there in used.items() if there.sum() == most]
        wins: dict[str, float] = {}
        if len(whole) > 1:
            common = np.logical_and.reduce([used[name] for name in whole])
            wins = dict(zip(whole, _wins([logs[name] for name in whole], common), strict=True))
        fits = [Fit(name, float(np.abs(logs[name][there, 0]).mean()), int(there.sum()),
                    wins.get(name)) for name, there in used.items()]
        fits.sort(key=lambda f: (f.cells < most, f.error))
        return Scan(what, tuple(places), tuple(fits),
                    tuple(name for name in places if name not in used))

    def _log_ratio(self, row: PublishedRow, column: PublishedColumn, label: str,
                   target: str) -> tuple[float, float, float]:
        """log(ours / published), and the relative standard errors of both; nan where undefined."""
        figure, none = row.cells.get(column.name), (math.nan, math.nan, math.nan)
        if figure is None or barred(row, column, figure) or figure.value <= 0:
            return none
        values = self.values.at(label, target, column.metric, row.n, row.steps).values
        mean = float(np.mean(values)) if values else 0.0
        if mean <= 0 or self.run.metric(column.metric)["signed"]:
            return none
        sd = float(np.std(values, ddof=1)) / mean if len(values) > 1 else 0.0
        theirs = sd if figure.sd is None else figure.sd / figure.value
        return math.log(mean / figure.value), sd / len(values)**0.5, theirs / row.repeats**0.5

    def sampler(self, row: PublishedRow) -> str:
        """Our sampler beside a row; empty where it has none, or no candidate of several ran."""
        label = self.samplers.get(row.samplers, "")
        tried = any(s.fits for s in self.scans if s.names == row.samplers)
        return label if tried or len(row.samplers) == 1 else ""

    @cached_property
    def cells(self) -> tuple[PublishedCell, ...]:
        """Every published figure with the chosen candidates, row by row."""
        return tuple(self.cell(row, column) for row in self.table.rows
                     for column in self.table.columns if column.name in row.cells)

    def cell(self, row: PublishedRow, column: PublishedColumn,
             target: str | None = None) -> PublishedCell:
        """One figure beside the chosen sampler, on the chosen target unless told another."""
        figure = row.cells[column.name]
        label = self.sampler(row)
        target = target or self.targets[column.group]
        found = self.values.at(label, target, column.metric, row.n, row.steps)
        draws = self.run.draws.get((target, column.metric, row.n))
        why = barred(row, column, figure)
        verdict = Judgement(INCOMPARABLE, why) if why else None
        if not why and found.lost:
            verdict = Judgement(UNDECIDED, f"{found.lost} of "
                                f"{found.lost + len(found.values)} jobs left no value here")
        elif not why and found.values:
            verdict = judge(found.values, figure, row.repeats, draws)
        return PublishedCell(row, column, figure, label, target, found, draws, verdict)


def _wins(logs: Iterable[Array], common: Array) -> list[float]:
    """Share of redraws in which each candidate has the lowest mean |log ratio|."""
    stack = np.stack([found[common] for found in logs])
    if not stack.shape[1]:
        return [math.nan] * len(stack)
    rng = np.random.default_rng(20_241_101)
    theirs = stack[:, :, 2].mean(axis=0)
    noise = rng.standard_normal((REDRAWS, 1, stack.shape[1])) * theirs
    redrawn = stack[:, :, 0] + rng.standard_normal((REDRAWS, *stack.shape[:2])) * stack[:, :, 1]
    best = np.abs(redrawn + noise).mean(axis=2).argmin(axis=1)
    return [float(np.mean(best == i)) for i in range(len(stack))]
