"""Quality against cost: small multiples in both currencies, and the numbers behind them."""

from __future__ import annotations

import math

from results.presentation import curves
from results.presentation.blocks import Block, Figures, Legend, Paragraph, Part
from results.presentation.palette import colour, glyph
from results.presentation.sampler_cells import name_cell
from results.presentation.scale import exponent
from results.presentation.table import Cell, Column, Table, number, power, slug
from results.records.frames import Scores
from results.records.leading import CURVES, primary
from results.records.prices import EVALUATIONS, SECONDS
from results.report.oracle_gap import oracle_table
from results.report.section import Section
from results.statistics.metric_result import MetricResult


def legend(scores: Scores) -> Legend:
    """Every sampler that competes, as its curves are drawn."""
    run = scores.run
    return Legend(tuple((x, colour(run, x), glyph(run, x), scores.anneals(x))
                        for x in run.ranked))


def _group(scores: Scores, metric: str, unit: str) -> list[Block]:
    """One metric in one currency; its numbers are shown once, with the seconds."""
    run, title = scores.run, str(scores.run.metric(metric)["title"])
    images = tuple(i for t in run.targets if (i := curves.curve(scores, t, metric, unit)))
    if not images:
        return []
    blocks: list[Block] = [legend(scores), Figures(images)]
    if unit == SECONDS:
        scale = exponent(scores, metric)
        titled = f"{title} × {power(scale)}" if scale else title
        tables = tuple(curve_table(scores, t, metric, 10.0**scale,
                                   f"{t}: {titled}, medians over seeds")
                       for t in run.targets if any(scores.curve(x, t, metric) for x in run.ranked))
        blocks += [Part("The numbers of these curves", tables, folded=True)] if tables else []
    return [Part(f"{title} against {unit}", tuple(blocks))]


def curve_table(scores: Scores, target: str, metric: str, factor: float, title: str) -> Table:
    """The numbers of a curve: medians over seeds at each checkpoint."""
    run = scores.run
    curves = {x: p for x in run.labels if (p := scores.curve(x, target, metric))}
    shares = sorted({round(p.progress, 4) for points in curves.values() for p in points})
    columns = (Column("sampler", numeric=False),
               *(Column(f"{number(100 * s, 3)} %", "of the budget") for s in shares))
    rows = []
    for label, points in curves.items():
        by = {round(p.progress, 4): p.score for p in points}
        rows.append((name_cell(run, label), *(_curve_cell(by.get(s), factor) for s in shares)))
    kinds = tuple("muted" if x in run.baselines else "" for x in curves)
    return Table(slug("curve", metric, target), title, columns, tuple(rows), kinds, folded=True)


def _curve_cell(score: MetricResult | None, factor: float) -> Cell:
    if score is None:
        return Cell("–", math.inf)
    values = sorted(score.values)
    middle = values[len(values) // 2] if len(values) % 2 else (
        values[len(values) // 2 - 1] + values[len(values) // 2]) / 2
    return Cell(number(middle * factor), middle,
                mark=score.verdict if score.verdict in ("floor", "below") else "")


def _blocks(scores: Scores) -> list[Block]:
    n = scores.run.suite.get("n_curve", "?")
    metrics = [m for m in CURVES if m in scores.metrics] or [primary(scores)]
    blocks: list[Block] = [Paragraph(ABOUT.format(n=n))]
    blocks += [b for m in metrics for unit in (SECONDS, EVALUATIONS)
               for b in _group(scores, m, unit)]
    return blocks + [t for m in dict.fromkeys((primary(scores), *CURVES))
                     if (t := oracle_table(scores, m))]


ABOUT = (
    "Thin lines are seeds, the thick one is their median; scored at n = {n}, so the floor lies "
    "elsewhere than in the tables; a sampler with fewer points is named above the panel, and its "
    "own floor lies higher than the band. What was spent is training so far plus the draw that "
    "was scored. A dashed line belongs to a sampler that anneals: its points are checkpoints of "
    "one run, not what a smaller budget would give.")
SECTION = Section("curves", "Quality against cost", _blocks)
