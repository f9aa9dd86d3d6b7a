"""A check in words and tables: what got worse, better, stayed, and what could not be judged."""

from __future__ import annotations

import math
from collections.abc import Sequence

from results.presentation.run_words import mixture
from results.presentation.table import (
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
from results.regression.measured_change import MeasuredChange
from results.regression.outcome import COST
from results.regression.verdicts import FRESH_SEEDS, Check, Finding, Verdict

_MARKS = {Verdict.WORSE: "fail", Verdict.NOT_COMPARED: "warn", Verdict.MISSING: "warn",
          Verdict.NOT_CONFIRMED: "warn", Verdict.BETTER: "good"}
#: Verdicts listed in one line each reason: there is nothing to tabulate.
_LISTED = (Verdict.NOT_COMPARED, Verdict.MISSING, Verdict.IDENTICAL, Verdict.NEW)
MOVED = (Verdict.WORSE, Verdict.BETTER, Verdict.LOWER, Verdict.NOT_CONFIRMED)


def headline(check: Check) -> str:
    """The outcome in one sentence, and what to do where something is wrong."""
    worse = check.of(Verdict.WORSE)
    open_ = check.of(Verdict.NOT_COMPARED) + check.of(Verdict.MISSING)
    if worse:
        sure = "" if check.confirmed or not check.fired else (
            ", not yet confirmed by fresh seeds ('python -m bench run --check' runs them)")
        names = listing([_named(f) for f in worse])
        return f"REGRESSION: {names} got worse{sure}."
    if open_:
        return (f"COULD NOT BE JUDGED: {plural(len({f.name for f in open_}), 'cell')} of "
                f"{len(check.baseline.cells)}; run what is missing, or freeze a new baseline if "
                "the change of settings, targets or metrics is meant.")
    tested = [f for f in check.findings if f.measured is not None]
    if not tested:
        return "No regression: every number is bitwise identical to the baseline's."
    return (f"No regression: {plural(len(tested), 'test')} at a family-wise level of "
            f"{number(100 * check.rule.alpha)} %, none got worse.{_caveat(check)}")


def _caveat(check: Check) -> str:
    """What a fall does not mean, wherever one is reported."""
    lower = check.of(Verdict.LOWER)
    if not lower and not check.of(Verdict.BETTER):
        return ""
    single = f" {listing([_named(f) for f in lower])}: lower in single metrics only." if (
        lower) else ""
    return f" Better in one metric is not better.{single}"


def _named(finding: Finding) -> str:
    cost = " (cost)" if finding.what == COST else ""
    return f"{finding.sampler} on {finding.target}{cost}"


def tally(check: Check) -> str:
    """How many findings of each verdict."""
    counts = {v: len(check.of(v)) for v in Verdict}
    return ", ".join(f"{n} {v}" for v, n in counts.items() if n)


def against(check: Check) -> str:
    """What was compared with what."""
    made, size = check.baseline.made, {len(c.seeds) for c in check.baseline.cells}
    seeds = {len(c.seeds) for c in check.run.cells}
    return (f"Suite {check.run.suite}, {_span(seeds)} seeds a cell, against "
            f"{_span(size)} of commit {str(made.get('commit') or 'unknown')[:12]} "
            f"({str(made.get('started') or '')[:10]}).")


def _span(sizes: set[int]) -> str:
    return str(min(sizes)) if len(sizes) == 1 else f"{min(sizes)} to {max(sizes)}"


def listed(check: Check) -> list[str]:
    """A line for each verdict and reason that needs no numbers; cells of a reason together."""
    groups: dict[tuple[Verdict, str], list[str]] = {}
    for f in check.findings:
        if f.verdict in _LISTED or (f.verdict == Verdict.WORSE and f.measured is None):
            groups.setdefault((f.verdict, f.reason), []).append(_named(f))
    return [f"{_lead(verdict)}: {', '.join(dict.fromkeys(names))}: {reason}"
            for (verdict, reason), names in groups.items()]


def _lead(verdict: Verdict) -> str:
    return "cannot be compared" if verdict == Verdict.NOT_COMPARED else verdict


def explained(check: Check) -> list[str]:
    """What each metric alone says of a cell that moved; these p-values only explain.

    First of all, which of the two runs is mixed.
    """
    lines = [f"The {what} is mixed: {mixed}." for what, made in
             (("baseline", check.baseline.made), ("run", check.run.made))
             if (mixed := mixture(made))]
    for f in check.findings:
        if f.verdict == Verdict.LOWER:
            lines.append(f"{_named(f)}: {f.reason}")
        if f.verdict in MOVED and f.measured and f.measured.each:
            each = ", ".join(f"{m} {p_value_text(p)}" for m, p in f.measured.each)
            lines.append(f"{_named(f)}, metric by metric (p not adjusted): {each}")
    return lines


def value(found: MeasuredChange, amount: float) -> str:
    """An amount in the finding's unit."""
    if not math.isfinite(amount):
        return "never" if found.metric == "evaluations" else "failed"
    return count(amount) if found.metric == "evaluations" else number(amount)


def _signed(found: MeasuredChange, amount: float) -> str:
    if math.isinf(amount):
        return "∞" if amount > 0 else "−∞"
    return ("+" if amount > 0 else "") + value(found, amount).replace("-", "−")


def _least(found: MeasuredChange) -> str:
    if not math.isfinite(found.detectable):
        return "none"
    return (f"×{number(found.detectable, 2)}" if found.metric == "evaluations"
            else f"+{number(found.detectable, 2)}")


def _again(finding: Finding) -> str:
    if finding.again is None:
        return ""
    a = finding.again
    return f"again, {a.seeds[1]} fresh: {_signed(a, a.shift.value)}, {p_value_text(a.adjusted_p)}"


def _row(finding: Finding) -> tuple[Cell, ...]:
    found = finding.measured
    assert found is not None
    gap = found.shift
    then, now = finding.seconds or (math.nan, math.nan)
    return (Cell(finding.sampler, finding.sampler, finding.target),
            Cell(finding.verdict, mark=_MARKS.get(finding.verdict, ""), seeds=_again(finding)),
            Cell(finding.what, finding.what, found.metric),
            Cell(value(found, found.new), found.new, f"from {value(found, found.old)}"),
            Cell(_signed(found, gap.value), gap.value,
                 f"{_signed(found, gap.low)} to {_signed(found, gap.high)}"),
            Cell(_least(found), found.detectable),
            Cell(p_value_text(found.adjusted_p).removeprefix("p "), found.adjusted_p),
            Cell(duration(now), now, f"from {duration(then)}"))


COLUMNS = (Column("cell", numeric=False), Column("verdict", numeric=False),
           Column("what", "moved most", numeric=False), Column("median", "now, before"),
           Column("change", "95 %"), Column("detectable", "from"), Column("p", "adjusted"),
           Column("a job", "not gated"))


def table(check: Check, verdicts: Sequence[Verdict] = tuple(Verdict)) -> Table | None:
    """A row a test; None where nothing had to be tested."""
    rows = [f for f in check.findings if f.measured is not None and f.verdict in verdicts]
    if not rows:
        return None
    tol = number(100 * check.rule.tolerance)
    notes = (
        "Quality: each seed's worst metric, rank sum of new against old seeds, one-sided, "
        "adjusted over all tests (Holm); and a median that moved by more than "
        f"{tol} % of its excess over the floor and than the floor's own spread. The metric shown "
        "is the one that moved most. Cost: evaluations to reach the quality of the last "
        f"checkpoint but one; gated beyond {tol} %. Detectable: the least change detected with "
        "probability .9. Seconds "
        f"are shown, never gated. A regression must show again in {FRESH_SEEDS} fresh seeds. "
        "Better: the worst metric of each seed fell, and no metric rose by its own test; lower: "
        "some metrics fell, which is no gain in quality.",)
    return Table("check", "What was tested", COLUMNS, tuple(_row(f) for f in rows), notes=notes)
