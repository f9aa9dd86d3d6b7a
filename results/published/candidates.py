"""What a paper leaves open: which of our samplers and targets its rows and columns may be.

Each candidate is tried on every figure it may stand for; the one whose means fit best is chosen.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from bench.core.types import Array
from results.published.run_values import RunValues
from results.published.table_file import (
    PublishedColumn,
    PublishedRow,
    PublishedTable,
    why_not_comparable,
)
from results.records.run_folder import Run

#: Redraws of both sides' means behind the share in which a candidate fits best.
REDRAWS = 2000
#: A list of more candidates than this is a scan in order: its best should lie inside.
LONG = 4
#: A figure's row and column, and the sampler and target of ours that may stand for them.
Trial = tuple[PublishedRow, PublishedColumn, str, str]


@dataclass(frozen=True)
class Fit:
    """How well a candidate fits: mean |log(ours / published)| over so many figures.

    ``wins`` is the share of redraws of both sides' means, within their standard errors and
    independent from figure to figure, in which it fits best; None for one that lacks figures or
    is alone.
    """

    candidate: str
    error: float
    figures: int
    wins: float | None = None


@dataclass(frozen=True)
class Scan:
    """Candidates for one thing that a paper leaves open, best first.

    ``untried`` have no value of ours.
    """

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


class Candidates:
    """The candidates chosen for a table: ``targets`` by group, ``samplers`` by names, ``scans``.

    Targets are chosen first, by the rows with one candidate (by all where these have no value);
    then samplers, on the chosen targets.
    """

    def __init__(self, table: PublishedTable, run: Run, values: RunValues) -> None:
        self.table, self.run, self.values = table, run, values
        self.targets: dict[str, str] = {}
        self.samplers: dict[tuple[str, ...], str] = {}
        self.scans: list[Scan] = []
        for group in table.groups:
            self.targets[group] = self._choose_target(group)
        for names in dict.fromkeys(r.samplers for r in table.rows if r.samplers):
            self.samplers[names] = self._choose_sampler(names)

    def sampler(self, row: PublishedRow) -> str:
        """Our sampler for a row; empty where it has none, or no candidate of several ran."""
        label = self.samplers.get(row.samplers, "")
        tried = any(s.fits for s in self.scans if s.names == row.samplers)
        return label if tried or len(row.samplers) == 1 else ""

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

    def _scan(self, what: str, trials: dict[str, list[Trial]]) -> Scan:
        """Fit of each candidate on its figures, which stand in the same order for all."""
        logs = {name: np.array([self._log_ratio(*t) for t in tried])
                for name, tried in trials.items()}
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
        fits.sort(key=lambda f: (f.figures < most, f.error))
        return Scan(what, tuple(trials), tuple(fits),
                    tuple(name for name in trials if name not in used))

    def _log_ratio(self, row: PublishedRow, column: PublishedColumn, label: str,
                   target: str) -> tuple[float, float, float]:
        """log(ours / published), and the relative standard errors of both; nan where undefined."""
        figure, none = row.cells.get(column.name), (math.nan, math.nan, math.nan)
        if figure is None or why_not_comparable(row, column, figure) or figure.value <= 0:
            return none
        values = self.values.at(label, target, column.metric, row.n, row.steps).values
        mean = float(np.mean(values)) if values else 0.0
        if mean <= 0 or self.run.metric(column.metric)["signed"]:
            return none
        sd = float(np.std(values, ddof=1)) / mean if len(values) > 1 else 0.0
        theirs = sd if figure.sd is None else figure.sd / figure.value
        return math.log(mean / figure.value), sd / len(values)**0.5, theirs / row.repeats**0.5


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
