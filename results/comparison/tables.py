"""Tables of a comparison: groups, who is better than whom, and each pair on each target."""

from __future__ import annotations

import math
from string import ascii_lowercase

import numpy as np

from results.comparison.alignment import AlignedRuns
from results.comparison.figure import colour_of, glyph_of
from results.comparison.findings import Findings, PairOnTarget, PairwiseComparison, Verdict
from results.comparison.ratio import ratio_of_means
from results.comparison.studies import interval_caution
from results.comparison.text import MetricFindings
from results.presentation.sampler_cells import inactive_words
from results.presentation.scale import decimals, exponent
from results.presentation.table import (
    MISSING,
    Cell,
    Column,
    Table,
    number,
    p_value_text,
    plural,
    power,
    slug,
)
from results.records.families import CROWDED
from results.statistics.confidence_interval import INTERVAL_FROM, Interval, interval_of_mean
from results.statistics.null_distribution import LEVEL
from results.statistics.power import MOST_SEEDS

_MARKS = {Verdict.BETTER: "good", Verdict.WORSE: "fail"}


def _name(aligned: AlignedRuns, label: str) -> Cell:
    index = aligned.labels.index(label)
    competitor = aligned.competitors[index]
    jobs = (j for t in aligned.targets for j in competitor.scores.run.of(competitor.name, t))
    still = inactive_words(jobs)
    return Cell(label, float(index), "\n".join(still), "warn" if still else "",
                swatch=colour_of(aligned, label), glyph=glyph_of(aligned, label), sampler=label)


def _target(aligned: AlignedRuns, target: str) -> Cell:
    return Cell(target, float(aligned.targets.index(target)))


def _forecast(seeds: int | None) -> Cell:
    """Seeds for 80 % power."""
    if seeds is None:
        return Cell(f"more than {MOST_SEEDS:,}", float(MOST_SEEDS + 1))
    return Cell(f"≈ {seeds}", float(seeds))


def _verdict(verdict: Verdict) -> Cell:
    return Cell(verdict, verdict.order, mark=_MARKS.get(verdict, ""))


def groups_table(by: MetricFindings, folded: bool = False) -> Table:
    """A row a sampler: mean rank, letters of its groups, whom it beats and to whom it loses."""
    aligned, found = by.aligned, by.findings
    columns = (Column("sampler", numeric=False),
               Column("mean rank", f"over {plural(len(found.targets), 'target')}"),
               Column("group", "same letter: no significant difference", numeric=False),
               Column("shown better than", "samplers"), Column("shown worse than", "samplers"),
               Column("failed", "seeds"))
    notes = [] if folded else [GROUPS_NOTE]
    if found.unranked:
        notes.append(f"No mean rank, since not on every target: {', '.join(found.unranked)}.")
    return Table(slug("groups", by.key), f"Groups by {by.title}", columns,
                 tuple(_group_row(aligned, found, label) for label in found.order),
                 notes=tuple(notes), folded=folded)


def _group_row(aligned: AlignedRuns, found: Findings, label: str) -> tuple[Cell, ...]:
    letters = " ".join(_letter(i) for i, g in enumerate(found.groups) if label in g)
    won = [x for x in found.order if found.verdict(label, x) == Verdict.BETTER]
    lost = [x for x in found.order if found.verdict(label, x) == Verdict.WORSE]
    rank = found.mean_ranks.get(label)
    return (_name(aligned, label),
            Cell(MISSING, math.inf) if rank is None else Cell(number(rank, 2), rank),
            Cell(letters or MISSING, letters or "~"),
            Cell(str(len(won)), -float(len(won)), ", ".join(won)),
            Cell(str(len(lost)), float(len(lost)), ", ".join(lost)),
            _failed_cell(aligned, label, found.targets))


def _letter(index: int) -> str:
    return ascii_lowercase[index] if index < 26 else f"z{index - 25}"


def _failed_cell(aligned: AlignedRuns, label: str, targets: tuple[str, ...]) -> Cell:
    values = [v for (x, t), v in aligned.seed_values(aligned.metric).items()
              if x == label and t in targets]
    bad, total = sum(v.failed for v in values), sum(len(v.values) for v in values)
    return Cell(f"{bad} of {total}", float(bad), mark="fail" if bad else "")


def matrix_table(by: MetricFindings) -> Table:
    """Row against column: better, worse or not shown, with the adjusted p."""
    aligned, found = by.aligned, by.findings
    columns = (Column("row against column", numeric=False), *(Column(x) for x in found.order))
    rows = [(_name(aligned, a), *(_matrix_cell(found, a, b) for b in found.order))
            for a in found.order]
    return Table(slug("matrix", by.key), f"Who is better than whom, by {by.title}", columns,
                 tuple(rows), matrix=True, sortable=False, folded=len(rows) > CROWDED)


def _matrix_cell(found: Findings, a: str, b: str) -> Cell:
    pair = found.pair(a, b)
    if pair is None:
        return Cell("" if a == b else MISSING, 9.0)
    verdict = found.verdict(a, b)
    return Cell(verdict, verdict.order, p_value_text(pair.adjusted_p), _MARKS.get(verdict, ""))


def pairs_table(by: MetricFindings, folded: bool = True) -> Table:
    """A row a pair, over all targets: verdict, adjusted p, targets led, failures, seeds."""
    columns = (Column("sampler", numeric=False), Column("against", numeric=False),
               Column("verdict", "of the first", numeric=False),
               Column("p", "adjusted"), Column("targets", "that look better / tie / worse"),
               Column("failed", "first / second, of seeds"),
               Column("seeds a target", "for 80 % power"))
    rows = tuple(_pair_row(by.aligned, pair)
                 for pair in sorted(by.findings.pairs, key=lambda p: p.adjusted_p))
    return Table(slug("pairs", by.key), f"Every pair over all targets, by {by.title}", columns,
                 rows, notes=(PAIRS_NOTE,), folded=folded)


def _pair_row(aligned: AlignedRuns, pair: PairwiseComparison) -> tuple[Cell, ...]:
    signs = [np.sign(t.direction) for t in pair.targets]
    first, second, total = pair.failed()
    return (_name(aligned, pair.a), _name(aligned, pair.b), _verdict(pair.verdict),
            Cell(p_value_text(pair.adjusted_p).removeprefix("p "), pair.adjusted_p,
                 f"unadjusted {p_value_text(pair.sign_flip.p).removeprefix('p ')}"),
            Cell(" / ".join(str(signs.count(k)) for k in (-1, 0, 1)), float(np.sum(signs))),
            Cell(f"{first} / {second} of {total}", float(first - second),
                 mark="fail" if first or second else ""),
            _seeds_a_target(pair))


def _seeds_a_target(pair: PairwiseComparison) -> Cell:
    if pair.verdict != Verdict.NOT_SHOWN:
        return Cell("shown", 0.0)
    no_sign = pair.sign_flip.statistic == 0
    return Cell(MISSING, math.inf) if no_sign else _forecast(pair.seeds_needed)


def targets_table(by: MetricFindings, folded: bool = True) -> Table:
    """A row a pair and target: difference and ratio with intervals, or the points."""
    aligned, found, metric = by.aligned, by.findings, by.key
    info = aligned.scores.run.metric(metric)
    scale = exponent(aligned.scores, metric)
    unit = f"× {power(scale)}" if scale else ""
    columns = (Column("target", numeric=False), Column("sampler", numeric=False),
               Column("against", numeric=False), Column("difference", unit),
               Column("ratio", "of excesses over the floor" if info["signed"] else "of means"),
               Column("verdict", "of the first", numeric=False), Column("p", "adjusted"),
               Column("failed", "first / second"), Column("seeds", "for 80 % power"))
    rows = [(_target(aligned, t.target), _name(aligned, p.a), _name(aligned, p.b),
             _difference_cell(aligned, t, metric), _ratio_cell(t, bool(info["signed"])),
             _verdict(t.verdict), _p_cell(t), _failures(t), _seeds_cell(t))
            for target in found.targets for p in found.pairs for t in p.targets
            if t.target == target]
    return Table(slug("targets", by.key), f"Every pair on every target, by {by.title}", columns,
                 tuple(rows), notes=(f"{TARGETS_NOTE} {interval_caution()}",), folded=folded)


def _difference_cell(aligned: AlignedRuns, on: PairOnTarget, metric: str) -> Cell:
    d = on.paired.differences
    if not len(d):
        return Cell(MISSING, math.inf)
    factor = 10.0 ** exponent(aligned.scores, metric)
    fine = decimals(aligned.scores, on.target, metric, on.paired.a.n)
    mean = float(d.mean())
    text, found = number(mean * factor, 3, fine), interval_of_mean(d)
    notes = ["both at the floor"] if on.paired.tied else []
    if found is not None and found.bounded:
        text += f" ± {number((found.high - found.low) / 2 * factor, 2)}"
    elif 1 < len(d) < INTERVAL_FROM:
        notes.insert(0, " · ".join(number(v * factor, 3, fine) for v in d))
    if on.paired.a.n != on.paired.b.n:
        notes.append(f"over own floors, n = {on.paired.a.n} and {on.paired.b.n}")
    return Cell(text, mean, "\n".join(notes))


def _ratio_cell(on: PairOnTarget, signed: bool) -> Cell:
    if len(on.paired.differences) < INTERVAL_FROM:
        return Cell(MISSING, math.inf)
    found = ratio_of_means(on.paired, signed)
    if found is None:
        return Cell("no ratio", math.inf)
    return Cell(number(found.value, 3), found.value, _bounds(found))


def _bounds(found: Interval) -> str:
    if not found.bounded:
        return "95 %: unbounded"
    return f"95 %: {number(found.low, 3)} to {number(found.high, 3)}"


def _p_cell(on: PairOnTarget) -> Cell:
    if on.adjusted_p is None:
        return Cell("not tested", math.inf)
    if on.test == "tie":
        return Cell("tie", 1.0)
    return Cell(p_value_text(on.adjusted_p).removeprefix("p "), on.adjusted_p, on.test)


def _failures(on: PairOnTarget) -> Cell:
    first, second = (int(np.isinf(v).sum()) for v in on.paired.values)
    return Cell(f"{first} / {second} of {len(on.paired.seeds)}", float(first - second),
                mark="fail" if first or second else "")


def _seeds_cell(on: PairOnTarget) -> Cell:
    if on.adjusted_p is not None and on.adjusted_p <= LEVEL:
        return Cell("shown", 0.0)
    if on.test not in ("t", "") or len(on.paired.differences) < 3 or not on.paired.both.all():
        return Cell(MISSING, math.inf)
    return _forecast(on.seeds_needed)


GROUPS_NOTE = (
    "Lower ranks are better; a failed seed ranks as worst, and samplers at the floor of a target "
    "are tied. Samplers that share a letter are statistically indistinguishable on these targets "
    "with fresh seeds (sign-flip test over targets and seeds, adjusted for multiple testing by "
    "Holm's method): a group is a largest set in which no pair differs significantly.")
PAIRS_NOTE = (
    "Sign-flip test of signed ranks within each target, summed over targets; exact up to 12 "
    "seeds. p is adjusted for multiple testing (Holm). It claims a difference on these targets "
    "with fresh seeds. 'Seeds a target' is a rough forecast: what was measured is taken for the "
    "truth, and it may be chance.")
TARGETS_NOTE = (
    "Difference: first minus second, paired over seeds; below 0 the first is better. From six "
    "seeds on ± is half a 95 % t-interval and the ratio has Fieller's, neither adjusted for "
    "their number; below six, the points. A target alone is tested from six seeds on: paired t "
    "(p times 5 and at least 2/4^seeds, so that samplers that keep or lose a mode by chance "
    "hold the level), or the sign-flip test where a seed failed or differences are equal. "
    "'No ratio': "
    "values that are not positive, or a signed metric of which one is not clearly above the "
    "floor. Seeds: a rough forecast from the mean and spread that were measured, at the adjusted "
    "level.")
