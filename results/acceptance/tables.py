"""Acceptance criteria in words: a headline, warnings and one table."""

from __future__ import annotations

import math
from collections import Counter

from scipy import stats

from results.acceptance.criteria import COSTS
from results.acceptance.judged import JudgedCriterion, JudgedRun, Verdict
from results.presentation.table import (
    MISSING,
    Cell,
    Column,
    Table,
    count,
    duration,
    listing,
    number,
    p_value_text,
    plural,
)
from results.statistics.null_distribution import LEVEL, band
from results.statistics.p_value import Standing, standing
from results.statistics.sign_flip_test import sign_flip

_MARKS = {Verdict.MET: "good", Verdict.MISSED: "fail", Verdict.NOT_MEASURED: "warn",
          Verdict.REPORTED: ""}
_COLUMNS = (Column("target", numeric=False), Column("criterion", numeric=False),
            Column("measured", "over seeds, each seed below"),
            Column("floor", "one exact set: mean, 95 % below"), Column("verdict", numeric=False))


def headline(judged: JudgedRun) -> str:
    """How many criteria were met, in one sentence."""
    tally = Counter(j.verdict for j in judged.judged if j.criterion.binding)
    parts = ", ".join(f"{tally[v]} {v}" for v in (Verdict.MET, Verdict.MISSED,
                                                  Verdict.NOT_MEASURED))
    without = len(judged.judged) - tally.total()
    more = f"; {without} more have no limit" if without else ""
    return f"{judged.sampler}: of {_criteria(tally.total())} {parts}{more}."


def _criteria(amount: int) -> str:
    return "1 criterion" if amount == 1 else f"{amount} criteria"


def warnings(judged: JudgedRun) -> list[str]:
    """What a reader must know before believing the table."""
    run, criteria, found = judged.run, judged.criteria, []
    if run.suite.get("name") != criteria.suite:
        found.append(f"This run is of suite {run.suite.get('name')}; the criteria are set for "
                     f"{criteria.suite}.")
    if run.header.get("dirty"):
        found.append("The code had uncommitted changes when this ran.")
    left = [t for t in dict.fromkeys(c.target for c in criteria.criteria) if t not in run.targets]
    if left:
        found.append(f"Not in this run, and not measured: {listing(left)}.")
    slow = sum(run.disturbed(j) for j in run.jobs if j.label == judged.sampler)
    if slow:
        found.append(f"{plural(slow, 'job')} of {judged.sampler} ran on a disturbed machine: "
                     "seconds are too high there.")
    return found


def table(judged: JudgedRun) -> Table:
    """One row a criterion of the targets that belong to the run."""
    rows = tuple((Cell(j.criterion.target, j.criterion.target), Cell(j.criterion.text),
                  _measured(judged, j), _floor(j),
                  Cell(j.verdict, j.verdict, j.why, _MARKS[j.verdict]))
                 for j in judged.judged if j.criterion.target in judged.run.targets)
    notes = (*judged.criteria.notes, *_false_misses(judged))
    return Table("criteria", f"{judged.criteria.title}: what {judged.sampler} reached", _COLUMNS,
                 rows, notes=notes, sortable=False)


def _measured(run: JudgedRun, judged: JudgedCriterion) -> Cell:
    kind, observed, value = judged.criterion.statistic, judged.observed, judged.value
    if value is None:
        return Cell(MISSING, math.inf)
    if kind in COSTS:
        write = duration if kind == "seconds" else count
        return Cell(write(value), value, _each([write(v) for v in observed.array]))
    each = _each([number(v) for v in observed.array])
    if kind == "at_floor":
        ps = _each([p_value_text(p) for p in observed.p_values])
        return Cell(f"{value:.0f} of {observed.seeds}", value,
                    f"{ps}\nmean {number(observed.array.mean())}")
    if kind == "mean_over_floor":
        return Cell(f"{number(value)} × floor", value, f"{number(observed.array.mean())}: {each}",
                    _mark(judged))
    if judged.pair is not None:
        return Cell(number(value), value, f"{each}\n{_against(run, judged)}", _mark(judged))
    return Cell(number(value), value, each, _mark(judged))


def _each(words: list[str]) -> str:
    return " · ".join(words)


def _mark(judged: JudgedCriterion) -> str:
    """Whether the mean over seeds is at or below the floor; a signed error has no floor here."""
    if judged.criterion.statistic == "signed_mean" or not len(judged.observed.values):
        return ""
    where = standing(judged.observed.array, judged.observed.draws)
    return where if where in (Standing.FLOOR, Standing.BELOW) else ""


def _against(run: JudgedRun, judged: JudgedCriterion) -> str:
    """The rival's values and in how many seeds the sampler's is lower."""
    pair = judged.pair
    assert pair is not None
    mine, theirs = pair.values
    name = run.criteria.against
    text = f"lower than {name} in {int((mine < theirs).sum())} of {plural(len(mine), 'seed')}"
    if pair.tied_throughout:
        text += ", both at the floor"
    else:
        flip = sign_flip([[pair]])
        text += f", sign-flip {p_value_text(flip.p)} (least possible {number(flip.least, 2)})"
    rival = number(pair.b.good.mean()) if len(pair.b.good) else "left no value"
    return f"{text}; {name} {rival}"


def _floor(judged: JudgedCriterion) -> Cell:
    draws = judged.observed.draws
    if draws is None:
        return Cell(MISSING, math.inf)
    low, _, high = band(draws)
    size = "of the modulus, " if judged.criterion.statistic == "signed_mean" else ""
    return Cell(number(draws.mean()), float(draws.mean()),
                f"{size}{number(low)} to {number(high)}, {plural(len(draws), 'draw')}")


def _false_misses(judged: JudgedRun) -> tuple[str, ...]:
    """How often exact samples themselves would miss the criteria that count seeds at the floor."""
    counted = [j.criterion for j in judged.judged
               if j.criterion.statistic == "at_floor" and j.criterion.limit is not None]
    if not counted:
        return ()
    seeds, wanted = judged.criteria.seeds, int(max(c.limit or 0 for c in counted))
    one = float(stats.binom.sf(seeds - wanted, seeds, LEVEL))
    return (f"Exact samples differ significantly from their floor in {number(100 * LEVEL)} % of "
            f"seeds, so they miss a criterion of {wanted} of {seeds} seeds with probability "
            f"{number(100 * one, 2)} %, and some of these {len(counted)} criteria with "
            f"probability {number(100 * (1 - (1 - one) ** len(counted)), 2)} % (were they "
            "independent).",)
