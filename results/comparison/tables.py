"""Tables of a comparison: groups, who beats whom, and each pair on each target."""

from __future__ import annotations

import math
from string import ascii_lowercase

import numpy as np

from results.comparison.alignment import Field
from results.comparison.figure import sign, tint
from results.comparison.findings import Judgement, OnTarget
from results.comparison.judge import ratio
from results.comparison.studies import interval_caution
from results.comparison.text import Part
from results.presentation.sampler_cells import inactive_words
from results.presentation.scale import decimals, exponent
from results.presentation.table import (
    MISSING,
    Cell,
    Column,
    Table,
    chance,
    number,
    plural,
    power,
    slug,
)
from results.records.families import CROWDED
from results.statistics.confidence_interval import INTERVAL_FROM, Interval, interval_of_mean
from results.statistics.null_distribution import LEVEL
from results.statistics.power import MOST_SEEDS

MARK = {"better": "good", "worse": "fail"}
PLACE = {"better": 0.0, "tie": 1.0, "not shown": 2.0, "worse": 3.0}


def _name(field: Field, label: str) -> Cell:
    entry = field.entries[field.labels.index(label)]
    still = inactive_words(j for t in field.targets for j in entry.scores.run.of(entry.name, t))
    return Cell(label, float(field.labels.index(label)), "\n".join(still),
                "warn" if still else "", swatch=tint(field, label), glyph=sign(field, label),
                sampler=label)


def _target(field: Field, target: str) -> Cell:
    return Cell(target, float(field.targets.index(target)))


def _forecast(more: int | None) -> Cell:
    """Seeds for 80 % power."""
    if more is None:
        return Cell(f"more than {MOST_SEEDS:,}", float(MOST_SEEDS + 1))
    return Cell(f"≈ {more}", float(more))


def groups_table(part: Part, folded: bool = False) -> Table:
    """A row a sampler: mean rank, letters of its groups, whom it beats and to whom it loses."""
    field, found = part.field, part.found
    rows = []
    for label in found.order:
        letters = " ".join(_letter(i) for i, g in enumerate(found.groups) if label in g)
        won = [x for x in found.order if found.verdict(label, x) == "better"]
        lost = [x for x in found.order if found.verdict(label, x) == "worse"]
        rank = found.mean_ranks.get(label)
        rows.append((_name(field, label),
                     Cell(MISSING, math.inf) if rank is None else Cell(number(rank, 2), rank),
                     Cell(letters or MISSING, letters or "~"),
                     Cell(str(len(won)), -float(len(won)), ", ".join(won)),
                     Cell(str(len(lost)), float(len(lost)), ", ".join(lost)),
                     _failed_cell(field, label, found.targets)))
    columns = (Column("sampler", numeric=False),
               Column("mean rank", f"over {plural(len(found.targets), 'target')}"),
               Column("group", "same letter: not told apart", numeric=False),
               Column("shown better than", "samplers"), Column("shown worse than", "samplers"),
               Column("failed", "seeds"))
    notes = [] if folded else [GROUPS_NOTE]
    if found.unranked:
        notes.append(f"No mean rank, since not on every target: {', '.join(found.unranked)}.")
    return Table(slug("groups", part.key), f"Groups by {part.title}", columns, tuple(rows),
                 notes=tuple(notes), folded=folded)


def _letter(place: int) -> str:
    return ascii_lowercase[place] if place < 26 else f"z{place - 25}"


def _failed_cell(field: Field, label: str, targets: tuple[str, ...]) -> Cell:
    cells = [c for (x, t), c in field.cells(field.metric).items() if x == label and t in targets]
    bad, total = sum(c.failed for c in cells), sum(len(c.values) for c in cells)
    return Cell(f"{bad} of {total}", float(bad), mark="fail" if bad else "")


def matrix(part: Part) -> Table:
    """Row against column: better, worse or not shown, with the corrected p."""
    field, found = part.field, part.found
    columns = (Column("row against column", numeric=False), *(Column(x) for x in found.order))
    rows = [(_name(field, a), *(_matrix_cell(found, a, b) for b in found.order))
            for a in found.order]
    return Table(slug("matrix", part.key), f"Who is better than whom, by {part.title}", columns,
                 tuple(rows), matrix=True, sortable=False, folded=len(rows) > CROWDED)


def _matrix_cell(found: Judgement, a: str, b: str) -> Cell:
    duel = found.duel(a, b)
    if duel is None:
        return Cell("" if a == b else MISSING, 9.0)
    verdict = found.verdict(a, b)
    return Cell(verdict, PLACE[verdict], chance(duel.adjusted), MARK.get(verdict, ""))


def duels_table(part: Part, folded: bool = True) -> Table:
    """A row a pair, over all targets: verdict, corrected p, targets led, failures, seeds."""
    field, found = part.field, part.found
    columns = (Column("sampler", numeric=False), Column("against", numeric=False),
               Column("verdict", "of the first", numeric=False),
               Column("p", "corrected"), Column("targets", "better / tie / worse by looks"),
               Column("failed", "first / second, of seeds"),
               Column("seeds a target", "for 80 % power"))
    rows = []
    for duel in sorted(found.duels, key=lambda d: d.adjusted):
        lean = [np.sign(t.lean) for t in duel.targets]
        first, second, total = duel.failed()
        shown = duel.verdict != "not shown"
        rows.append((
            _name(field, duel.a), _name(field, duel.b),
            Cell(duel.verdict, PLACE[duel.verdict], mark=MARK.get(duel.verdict, "")),
            Cell(chance(duel.adjusted).removeprefix("p "), duel.adjusted,
                 f"uncorrected {chance(duel.flip.p).removeprefix('p ')}"),
            Cell(" / ".join(str(lean.count(k)) for k in (-1, 0, 1)), float(np.sum(lean))),
            Cell(f"{first} / {second} of {total}", float(first - second),
                 mark="fail" if first or second else ""),
            Cell("shown", 0.0) if shown else
            Cell(MISSING, math.inf) if duel.flip.statistic == 0 else _forecast(duel.more)))
    return Table(slug("duels", part.key), f"Every pair over all targets, by {part.title}",
                 columns, tuple(rows), notes=(DUELS_NOTE,), folded=folded)


def targets_table(part: Part, folded: bool = True) -> Table:
    """A row a pair and target: difference and ratio with intervals, or the points."""
    field, found, metric = part.field, part.found, part.key
    info = field.scores.run.metric(metric)
    scale = exponent(field.scores, metric)
    unit = f"× {power(scale)}" if scale else ""
    columns = (Column("target", numeric=False), Column("sampler", numeric=False),
               Column("against", numeric=False), Column("difference", unit),
               Column("ratio", "of excesses over the floor" if info["signed"] else "of means"),
               Column("verdict", "of the first", numeric=False), Column("p", "corrected"),
               Column("failed", "first / second"), Column("seeds", "for 80 % power"))
    rows = [(_target(field, t.target), _name(field, d.a), _name(field, d.b),
             _difference_cell(field, t, metric), _ratio_cell(t, bool(info["signed"])),
             Cell(t.verdict, PLACE[t.verdict], mark=MARK.get(t.verdict, "")),
             _p_cell(t), _failures(t), _seeds_cell(t))
            for target in found.targets for d in found.duels for t in d.targets
            if t.target == target]
    return Table(slug("pairs", part.key), f"Every pair on every target, by {part.title}", columns,
                 tuple(rows), notes=(f"{TARGETS_NOTE} {interval_caution()}",), folded=folded)


def _difference_cell(field: Field, on: OnTarget, metric: str) -> Cell:
    d = on.pair.differences
    if not len(d):
        return Cell(MISSING, math.inf)
    factor = 10.0 ** exponent(field.scores, metric)
    fine = decimals(field.scores, on.target, metric, on.pair.a.n)
    mean = float(d.mean())
    text, found = number(mean * factor, 3, fine), interval_of_mean(on.pair.differences)
    notes = ["both at the floor"] if on.pair.tied else []
    if found is not None and found.bounded:
        text += f" ± {number((found.high - found.low) / 2 * factor, 2)}"
    elif 1 < len(d) < INTERVAL_FROM:
        notes.insert(0, " · ".join(number(v * factor, 3, fine) for v in d))
    if on.pair.a.n != on.pair.b.n:
        notes.append(f"over own floors, n = {on.pair.a.n} and {on.pair.b.n}")
    return Cell(text, mean, "\n".join(notes))


def _ratio_cell(on: OnTarget, signed: bool) -> Cell:
    if len(on.pair.differences) < INTERVAL_FROM:
        return Cell(MISSING, math.inf)
    found = ratio(on.pair, signed)
    if found is None:
        return Cell("no ratio", math.inf)
    return Cell(number(found.value, 3), found.value, _bounds(found))


def _bounds(found: Interval) -> str:
    if not found.bounded:
        return "95 %: unbounded"
    return f"95 %: {number(found.low, 3)} to {number(found.high, 3)}"


def _p_cell(on: OnTarget) -> Cell:
    if on.adjusted is None:
        return Cell("not tested", math.inf)
    if on.test == "tie":
        return Cell("tie", 1.0)
    return Cell(chance(on.adjusted).removeprefix("p "), on.adjusted, on.test)


def _failures(on: OnTarget) -> Cell:
    first, second = (int(np.isinf(v).sum()) for v in on.pair.values)
    return Cell(f"{first} / {second} of {len(on.pair.seeds)}", float(first - second),
                mark="fail" if first or second else "")


def _seeds_cell(on: OnTarget) -> Cell:
    if on.adjusted is not None and on.adjusted <= LEVEL:
        return Cell("shown", 0.0)
    if on.test not in ("t", "") or len(on.pair.differences) < 3 or not on.pair.both.all():
        return Cell(MISSING, math.inf)
    return _forecast(on.more)


GROUPS_NOTE = (
    "Lower ranks are better; a failed seed ranks as worst, and cells at the floor are tied. "
    "Samplers that share a letter cannot be told apart on these targets with fresh seeds "
    "(sign-flip test over targets and seeds, corrected by Holm): a group is a largest set in "
    "which no pair is told apart.")
DUELS_NOTE = (
    "Sign-flip test of signed ranks within each target, summed over targets; exact up to 12 "
    "seeds. It claims a difference on these targets with fresh seeds. 'Seeds a target' is a rough "
    "forecast: what was seen is taken for the truth, and it may be chance.")
TARGETS_NOTE = (
    "Difference: first minus second, paired over seeds; below 0 the first is better. From six "
    "seeds on ± is half a 95 % t-interval and the ratio has Fieller's, neither corrected for "
    "their number; below six, the points. A target alone is tested from six seeds on: paired t "
    "(p times 5 and at least 2/4^seeds, so that samplers that keep or lose a mode by chance do "
    "not fool it), or the sign-flip test where a seed failed or differences are equal. "
    "'No ratio': "
    "values that are not positive, or a signed metric of which one is not clearly above the "
    "floor. Seeds: a rough forecast from the mean and spread that were seen, at the corrected "
    "level.")
