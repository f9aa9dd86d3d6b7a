"""A published table compared with a run: each figure, our values of it, and the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from bench.core.types import Array
from results.published.candidates import Candidates
from results.published.run_values import OurValues, RunValues
from results.published.table_file import (
    Figure,
    PublishedColumn,
    PublishedRow,
    PublishedTable,
    published_table,
    why_not_comparable,
)
from results.published.verdict import Judgement, Verdict, judge, published_standing
from results.records.frames import Scores
from results.records.run_folder import Run
from results.statistics.p_value import Standing


@dataclass(frozen=True)
class ComparedFigure:
    """A published figure, our values of it, and the judgement (None: nothing of ours)."""

    row: PublishedRow
    column: PublishedColumn
    figure: Figure
    label: str
    target: str
    ours: OurValues
    draws: Array | None
    judgement: Judgement | None

    @property
    def reran(self) -> Judgement | None:
        """The judgement where jobs of ours are behind it; one of a figure alone has none."""
        return self.judgement if self.ours.values or self.ours.lost else None

    @property
    def standing(self) -> Standing:
        """Where the published figure lies relative to the floor."""
        return published_standing(self.figure, self.row.repeats, self.draws)


class ComparedTable:
    """A published table and a run, joined by the candidates that fit best."""

    def __init__(self, table: PublishedTable, run: Run, values: RunValues | None = None) -> None:
        self.table, self.run = table, run
        self.values = values or RunValues(run)
        self.candidates = Candidates(table, run, self.values)

    @cached_property
    def figures(self) -> tuple[ComparedFigure, ...]:
        """Every published figure with the chosen candidates, row by row."""
        return tuple(self.figure(row, column) for row in self.table.rows
                     for column in self.table.columns if column.name in row.cells)

    def figure(self, row: PublishedRow, column: PublishedColumn,
               target: str | None = None) -> ComparedFigure:
        """One figure against the chosen sampler, on the chosen target unless told another."""
        figure, label = row.cells[column.name], self.candidates.sampler(row)
        target = target or self.candidates.targets[column.group]
        ours = self.values.at(label, target, column.metric, row.n, row.steps)
        draws = self.run.draws.get((target, column.metric, row.n))
        return ComparedFigure(row, column, figure, label, target, ours, draws,
                              _judgement(row, column, figure, ours, draws))


def _judgement(row: PublishedRow, column: PublishedColumn, figure: Figure, ours: OurValues,
               draws: Array | None) -> Judgement | None:
    if why := why_not_comparable(row, column, figure):
        return Judgement(Verdict.INCOMPARABLE, why)
    if ours.lost:
        return Judgement(Verdict.UNDECIDED, f"{ours.lost} of {ours.lost + len(ours.values)} jobs "
                         "left no value here")
    return judge(ours.values, figure, row.repeats, draws) if ours.values else None


def compared_tables(scores: Scores) -> list[ComparedTable]:
    """Each table that the run's suite names, compared with it.

    Raises ReportError for a name without a file.
    """
    values = RunValues(scores.run)
    return [ComparedTable(published_table(str(name)).of(scores.run.targets), scores.run, values)
            for name in scores.run.suite.get("published") or ()]
