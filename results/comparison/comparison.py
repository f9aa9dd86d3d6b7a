"""A comparison of samplers: every finding by every metric, as tables, figures and a sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from bench.core.errors import ReportError
from results.comparison.alignment import AlignedRuns, align
from results.comparison.figure import mean_rank_figure
from results.comparison.hypothesis_tests import compare_pairs
from results.comparison.tables import groups_table, matrix_table, pairs_table, targets_table
from results.comparison.text import MetricFindings, sentence
from results.presentation.figures import Image
from results.presentation.table import Table, listing, p_value_text, plural
from results.records.frames import Scores
from results.records.run_folder import load
from results.statistics.null_distribution import LEVEL
from results.statistics.ranks import friedman


@dataclass(frozen=True)
class Comparison:
    """Samplers compared with each other, or all with ``against``."""

    aligned: AlignedRuns
    against: str | None = None

    @cached_property
    def main(self) -> MetricFindings:
        """By the metric that was asked for."""
        return self._by(self.aligned.metric)

    @cached_property
    def others(self) -> tuple[MetricFindings, ...]:
        """By each other main metric."""
        return tuple(self._by(m) for m in self.aligned.others)

    @cached_property
    def overall(self) -> MetricFindings | None:
        """Over all main metrics at once; None where there is one."""
        names = (self.aligned.metric, *self.aligned.others)
        return None if len(names) < 2 else self._by(*names)

    def _by(self, *metrics: str) -> MetricFindings:
        """Findings by one metric, or over several at once."""
        runs = self.aligned
        values = [runs.seed_values(m) for m in metrics]
        found = compare_pairs(values, runs.labels, runs.targets, self.against)
        titles = [str(runs.scores.run.metric(m)["title"]) for m in metrics]
        if len(metrics) == 1:
            return MetricFindings(runs, found, metrics[0], titles[0])
        return MetricFindings(runs, found, "all", listing(titles) + " together")

    @property
    def sentence(self) -> str:
        """Better, worse or not shown."""
        return sentence(self.main, self.against)

    @property
    def friedman(self) -> str:
        """What Friedman's test says of the main metric's ranks; empty where it does not apply."""
        found = self.main.findings
        p = found.friedman
        if math.isnan(p):
            return ""
        clear = np.tile(np.arange(found.ranks.shape[1], dtype=float), (len(found.ranks), 1))
        if friedman(clear) > LEVEL:  # even samplers that rank alike on every target
            return ("Over targets like these nothing can be shown: "
                    f"{plural(len(clear), 'target')} are too few for Friedman's test to reject.")
        word = "differ" if p <= LEVEL else "are not shown to differ"
        return (f"Over targets like these, the samplers {word} in mean rank (Friedman's test, "
                f"{p_value_text(p)}).")

    def table(self) -> Table:
        """The main table by the main metric: groups, or the pairs with ``against``."""
        return pairs_table(self.main, folded=False) if self.against else groups_table(self.main)

    def tables(self) -> list[Table]:
        """By the main metric: the main table, who is better than whom, each pair and target."""
        more = [] if self.against else [matrix_table(self.main), pairs_table(self.main)]
        return [self.table(), *more, targets_table(self.main)]

    def folded(self) -> list[Table]:
        """By all metrics together and by each other metric, folded."""
        parts = ([self.overall] if self.overall else []) + list(self.others)
        return [t for p in parts for t in (
            [pairs_table(p)] if self.against else [groups_table(p, True), pairs_table(p)])]

    def images(self) -> list[Image]:
        """Mean ranks by the main metric and by all together."""
        parts = [self.main] + ([self.overall] if self.overall else [])
        made = [mean_rank_figure(self.aligned, p.findings, p.key, p.title) for p in parts]
        return [image for image in made if image is not None]


def compare(folders: Sequence[Path], against: str | None = None,
            metric: str | None = None) -> Comparison:
    """Compare the samplers of one or more runs.

    Raises ReportError or StoreError with one sentence.
    """
    return Comparison(align([Scores(load(Path(f))) for f in folders], metric, against), against)


def comparison_parts(scores: Scores, metric: str | None = None
                     ) -> tuple[list[Table], list[Image], str]:
    """Tables, figures and the sentence of one run, for a section of its report.

    Empty lists and a sentence that says why, where there is nothing to compare.
    """
    try:
        made = Comparison(align([scores], metric))
    except ReportError as error:
        return [], [], f"No comparison: {error}."
    return made.tables() + made.folded(), made.images(), made.sentence
