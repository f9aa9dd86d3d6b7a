"""Bars in words: a headline, warnings and one table."""

from __future__ import annotations

import math
from collections import Counter

from scipy import stats

from results.acceptance.criteria import COSTS
from results.acceptance.verdicts import MISSED, NOT_MEASURED, REACHED, REPORTED, Judge, Judged
from results.presentation.table import (
    MISSING,
    Cell,
    Column,
    Table,
    chance,
    count,
    duration,
    listing,
    number,
    plural,
)
from results.statistics.null_distribution import LEVEL, band
from results.statistics.p_value import standing
from results.statistics.sign_flip_test import sign_flip

_MARKS = {REACHED: "good", MISSED: "fail", NOT_MEASURED: "warn", REPORTED: ""}
_COLUMNS = (Column("target", numeric=False), Column("bar", numeric=False),
            Column("measured", "over seeds, each seed below"),
            Column("floor", "one exact set: mean, 95 % below"), Column("verdict", numeric=False))


def headline(judge: Judge, judged: tuple[Judged, ...]) -> str:
    """How many bars were reached, in one sentence."""
    tally = Counter(j.verdict for j in judged if j.bar.binding)
    parts = ", ".join(f"{tally[v]} {v}" for v in (REACHED, MISSED, NOT_MEASURED))
    without = len(judged) - tally.total()
    more = f"; {without} more have no limit" if without else ""
    return f"{judge.sampler}: of {plural(tally.total(), 'bar')} {parts}{more}."


def warnings(judge: Judge) -> list[str]:
    """What a reader must know before believing the table."""
    run, found = judge.run, []
    if run.suite.get("name") != judge.bars.suite:
        found.append(f"This run is of suite {run.suite.get('name')}; the bars are set for "
                     f"{judge.bars.suite}.")
    if run.header.get("dirty"):
        found.append("The code had uncommitted changes when this ran.")
    left = [t for t in dict.fromkeys(b.target for b in judge.bars.bars) if t not in run.targets]
    if left:
        found.append(f"Not in this run, and not measured: {listing(left)}.")
    slow = sum(run.disturbed(j) for j in run.jobs if j.label == judge.sampler)
    if slow:
        found.append(f"{plural(slow, 'job')} of {judge.sampler} ran on a disturbed machine: "
                     "seconds are too high there.")
    return found


def table(judge: Judge, judged: tuple[Judged, ...]) -> Table:
    """One row a bar of the targets that belong to the run."""
    rows = tuple((Cell(j.bar.target, j.bar.target), Cell(j.bar.text), _measured(judge, j),
                  _floor(j), Cell(j.verdict, j.verdict, j.why, _MARKS[j.verdict]))
                 for j in judged if j.bar.target in judge.run.targets)
    notes = (*judge.bars.notes, *_luck(judge, judged))
    return Table("bars", f"{judge.bars.title}: what {judge.sampler} reached", _COLUMNS, rows,
                 notes=notes, sortable=False)


def _measured(judge: Judge, judged: Judged) -> Cell:
    bar, seen, value = judged.bar, judged.seen, judged.value
    if value is None:
        return Cell(MISSING, math.inf)
    if bar.statistic in COSTS:
        write = duration if bar.statistic == "seconds" else count
        return Cell(write(value), value, _each([write(v) for v in seen.array]))
    each = _each([number(v) for v in seen.array])
    if bar.statistic == "at_floor":
        return Cell(f"{value:.0f} of {seen.seeds}", value,
                    _each([chance(p) for p in seen.ps]) + f"\nmean {number(seen.array.mean())}")
    if bar.statistic == "mean_over_floor":
        return Cell(f"{number(value)} × floor", value, f"{number(seen.array.mean())}: {each}",
                    _mark(judged))
    if judged.pair is not None:
        return Cell(number(value), value, f"{each}\n{_beside(judge, judged)}", _mark(judged))
    return Cell(number(value), value, each, _mark(judged))


def _each(words: list[str]) -> str:
    return " · ".join(words)


def _mark(judged: Judged) -> str:
    """Whether the mean over seeds can be told from the floor; a signed error has no law here."""
    if judged.bar.statistic == "signed_mean" or not len(judged.seen.values):
        return ""
    where = standing(judged.seen.array, judged.seen.draws)
    return where if where in ("floor", "below") else ""


def _beside(judge: Judge, judged: Judged) -> str:
    """The rival's values and in how many seeds the sampler's is lower."""
    pair = judged.pair
    assert pair is not None
    mine, theirs = pair.values
    name = judge.bars.against
    text = f"lower than {name} in {int((mine < theirs).sum())} of {plural(len(mine), 'seed')}"
    if pair.tied and pair.both.all():
        text += ", both at the floor"
    else:
        flip = sign_flip([[pair]])
        text += f", sign-flip {chance(flip.p)} (least possible {number(flip.least, 2)})"
    rival = number(pair.b.good.mean()) if len(pair.b.good) else "left no value"
    return f"{text}; {name} {rival}"


def _floor(judged: Judged) -> Cell:
    draws = judged.seen.draws
    if draws is None:
        return Cell(MISSING, math.inf)
    low, _, high = band(draws)
    size = "of the modulus, " if judged.bar.statistic == "signed_mean" else ""
    return Cell(number(draws.mean()), float(draws.mean()),
                f"{size}{number(low)} to {number(high)}, {plural(len(draws), 'draw')}")


def _luck(judge: Judge, judged: tuple[Judged, ...]) -> tuple[str, ...]:
    """How often exact samples themselves would miss the bars that count seeds at the floor."""
    bars = [j.bar for j in judged if j.bar.statistic == "at_floor" and j.bar.limit is not None]
    if not bars:
        return ()
    seeds, wanted = judge.bars.seeds, int(max(b.limit or 0 for b in bars))
    one = float(stats.binom.sf(seeds - wanted, seeds, LEVEL))
    return (f"Exact samples are told from their floor with chance {number(100 * LEVEL)} % in a "
            f"seed, so they miss a bar of {wanted} of {seeds} seeds with chance "
            f"{number(100 * one, 2)} %, and some of these {len(bars)} bars with chance "
            f"{number(100 * (1 - (1 - one) ** len(bars)), 2)} % (were they independent).",)
