"""The break-even as tables: the answers, and the prices behind them."""

from __future__ import annotations

import numpy as np

from bench.core.types import Array
from results.comparison.break_even import Case, cases
from results.presentation.blocks import Block, Paragraph
from results.presentation.sampler_cells import name_cell
from results.presentation.table import Cell, Column, Table, duration, points
from results.records.frames import Scores
from results.records.prices import EVALUATIONS, SECONDS
from results.report.section import Section

DECADES: Array = np.array([1e2, 1e3, 1e4, 1e5, 1e6])


def breakeven_tables(scores: Scores, found: list[Case]) -> list[Table]:
    """The answers, and folded the prices at a hundred to a million points behind them."""
    run = scores.run
    grouped: dict[tuple[str, str], list[Case]] = {}
    for c in found:
        grouped.setdefault((c.target, c.label), []).append(c)
    columns = (Column("target", numeric=False), Column("sampler", numeric=False),
               *(Column(f"n, in {unit}", sub) for unit in (SECONDS, EVALUATIONS)
                 for sub in ("from the first checkpoint as good", "from whole runs")))
    rows = [(Cell(target, float(run.targets.index(target))), name_cell(run, label, target),
             *(_answer_cell(c) for c in group)) for (target, label), group in grouped.items()]
    answers = Table("breakeven", "From how many points on is training once cheaper?", columns,
                    tuple(rows), notes=BREAKEVEN_NOTES)
    return [answers, _price_table(scores, [c for c in found if c.unit == SECONDS])]


def _answer_cell(c: Case) -> Cell:
    rank = {"n": c.found.n, "no rival": 0.0, "not reached": 1e9, "never": 1e10}
    parts = [f"against {c.best_rival()}" if c.rivals else "", c.spread()]
    return Cell(c.found.words(), rank.get(c.found.kind, 1e11), "\n".join(p for p in parts if p),
                {"n": "good", "never": "warn", "not reached": "warn"}.get(c.found.kind, ""))


def _price_table(scores: Scores, found: list[Case]) -> Table:
    run = scores.run
    columns = (Column("target", numeric=False), Column("first set", numeric=False),
               Column("sampler", numeric=False), *(Column(f"n = {points(n)}") for n in DECADES))
    rows, seen = [], set()
    for c in found:
        for label, p in ((c.label, c.mine), *((r, p) for r, p in c.rivals.items())):
            way = "first checkpoint as good" if c.earliest else "whole run"
            if p is None or (c.target, way, label, p) in seen:
                continue
            seen.add((c.target, way, label, p))
            costs = p.cost(DECADES)
            rows.append((Cell(c.target, float(run.targets.index(c.target))), Cell(way, way),
                         name_cell(run, label, c.target),
                         *(Cell(duration(float(x)), float(x)) for x in costs)))
    return Table("prices", "Seconds for n fresh points, medians over seeds", columns, tuple(rows),
                 folded=True)


BREAKEVEN_NOTES = (
    "The least n at which training plus drawing n points costs less than the cheapest rival that "
    "is not amortised, has no failed job and whose excess over the floor is no larger. 'never': "
    "a point costs no less than the rival's; 'not reached': it does, but the training is not "
    "earned back by a million points; 'no rival': none is as good. Seeds: the answers of each "
    "seed's own prices.",
    "Draws of amortised samplers are measured at up to a million points. Rivals are measured for "
    "one run; more points are priced by the steps until their chains are fresh (one-shot: by the "
    "run again). Evaluations count density, score and Hessian-vector rows alike.")


def _blocks(scores: Scores) -> list[Block]:
    found = cases(scores)
    if not found:
        return [Paragraph("No amortised sampler of this run left samples on a target with a "
                          "floor.")]
    return list(breakeven_tables(scores, found))


SECTION = Section("break-even", "Break-even", _blocks)
