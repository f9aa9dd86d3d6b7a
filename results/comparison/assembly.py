"""A comparison put together: every judgement of a field, as tables, figures and a sentence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bench.core.errors import ReportError
from results.comparison.alignment import Field, gather
from results.comparison.figure import mean_rank_figure
from results.comparison.judge import judge
from results.comparison.tables import duels_table, groups_table, matrix, targets_table
from results.comparison.text import Part, sentence
from results.presentation.figures import Image
from results.presentation.table import Table, chance, listing, plural
from results.records.frames import Scores
from results.statistics.null_distribution import LEVEL
from results.statistics.ranks import friedman


@dataclass(frozen=True)
class Comparison:
    """What is compared, against whom, and every judgement of it."""

    field: Field
    against: str | None = None

    @cached_property
    def main(self) -> Part:
        """By the metric that was asked for."""
        return self._part(self.field.metric)

    @cached_property
    def others(self) -> tuple[Part, ...]:
        """By each other main metric."""
        return tuple(self._part(m) for m in self.field.others)

    @cached_property
    def overall(self) -> Part | None:
        """Over all main metrics at once; None where there is one."""
        names = (self.field.metric, *self.field.others)
        if len(names) < 2:
            return None
        cells = [self.field.cells(m) for m in names]
        found = judge(cells, self.field.labels, self.field.targets, self.against)
        titles = [str(self.field.scores.run.metric(m)["title"]) for m in names]
        return Part(self.field, found, "all", listing(titles) + " together")

    def _part(self, metric: str) -> Part:
        found = judge([self.field.cells(metric)], self.field.labels, self.field.targets,
                      self.against)
        return Part(self.field, found, metric,
                    str(self.field.scores.run.metric(metric)["title"]))

    @property
    def sentence(self) -> str:
        """Better, worse or not shown."""
        return sentence(self.main, self.against)

    def tables(self) -> list[Table]:
        """By the main metric: groups and who beats whom, or the pairs against one; more folded."""
        part = self.main
        first = [duels_table(part, folded=False)] if self.against else [
            groups_table(part), matrix(part), duels_table(part)]
        return [*first, targets_table(part)]

    def folded(self) -> list[Table]:
        """By all metrics together and by each other metric, folded."""
        parts = ([self.overall] if self.overall else []) + list(self.others)
        return [t for p in parts for t in (
            [duels_table(p)] if self.against else [groups_table(p, True), duels_table(p)])]

    def images(self) -> list[Image]:
        """Mean ranks by the main metric and by all together."""
        parts = [self.main] + ([self.overall] if self.overall else [])
        made = [mean_rank_figure(self.field, p.found, p.key, p.title) for p in parts]
        return [image for image in made if image is not None]

    def friedman(self) -> str:
        """What Friedman's test says of the main metric's ranks; empty where it does not apply."""
        found = self.main.found
        p = found.friedman
        if math.isnan(p):
            return ""
        clear = np.tile(np.arange(found.ranks.shape[1], dtype=float), (len(found.ranks), 1))
        if friedman(clear) > LEVEL:  # even samplers that stand alike on every target
            return ("Over targets like these nothing can be shown: "
                    f"{plural(len(clear), 'target')} are too few for Friedman's test to reject.")
        word = "differ" if p <= LEVEL else "are not shown to differ"
        return (f"Over targets like these, the samplers {word} in mean rank (Friedman's test, "
                f"{chance(p)}).")


def comparison_parts(scores: Scores, metric: str | None = None
                     ) -> tuple[list[Table], list[Image], str]:
    """Tables, figures and the sentence of one run, for a section of its report.

    Empty lists and a sentence that says why, where there is nothing to compare.
    """
    try:
        made = Comparison(gather([scores], metric))
    except ReportError as error:
        return [], [], f"No comparison: {error}."
    return made.tables() + made.folded(), made.images(), made.sentence
