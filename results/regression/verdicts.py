"""A check: every cell of a run against the baseline, adjusted together, confirmed by fresh seeds.

1. A cell is compared where settings, target and metrics are the baseline's (``matching``).
2. Seeds that both sides have and that agree in every number make it identical: nothing is tested.
3. Else its quality and its cost are tested one-sidedly (``quality``, ``cost``) against the
   baseline's other seeds. All tests of the check are adjusted by Holm's method at ``alpha``; one
   that fires and is large enough to matter is a regression, so far unconfirmed.
4. Where fresh seeds of a confirmation are at hand, those that fired are tested again against all
   of the baseline's seeds, adjusted among themselves, and must fire again.
5. A way of ending that no seed of the baseline had is a regression by itself.

At least 40 seeds against 5: the least p is 8e-7, so that a clear change fires among hundreds of
tests. Five against five could not (.004).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from bench.core.errors import ReportError
from results.presentation.table import listing, plural
from results.regression.baseline import SamplerOnTarget, Snapshot
from results.regression.matching import difference
from results.regression.measured_change import MeasuredChange, measured_change
from results.regression.outcome import COST, QUALITY, Outcome, Rule
from results.regression.quality import aligned_values, rising
from results.regression.two_samples import TwoSamples, two_samples
from results.statistics.multiple_testing import holm

#: What a baseline holds at least; seeds that a check runs, and runs again where it fires.
BASELINE_SEEDS, CHECK_SEEDS, FRESH_SEEDS = 40, 5, 20


class Verdict(StrEnum):
    """What is said of a cell's quality or cost, the gravest first."""

    WORSE = "worse"
    NOT_COMPARED = "not compared"
    MISSING = "missing"  # in the baseline, not in the run
    NOT_CONFIRMED = "not confirmed"
    BETTER = "better"
    LOWER = "lower"  # some metric fell, which is no gain in quality
    STAYED = "stayed"
    IDENTICAL = "identical"
    NEW = "new"  # in the run, not in the baseline

    @property
    def order(self) -> int:
        """0 is the gravest."""
        return list(Verdict).index(self)


@dataclass(frozen=True)
class Finding:
    """What is said of a cell's quality or cost.

    ``again`` is the change measured by fresh seeds, ``seconds`` the medians of a job's seconds in
    the baseline and in the run.
    """

    sampler: str
    target: str
    what: str
    verdict: Verdict
    reason: str = ""
    measured: MeasuredChange | None = None
    again: MeasuredChange | None = None
    seconds: tuple[float, float] | None = None

    @property
    def name(self) -> tuple[str, str]:
        """The cell: sampler and target."""
        return self.sampler, self.target


@dataclass(frozen=True)
class Check:
    """All findings of a run against a baseline; ``confirmed``: whether fresh seeds took part."""

    baseline: Snapshot
    run: Snapshot
    rule: Rule
    findings: tuple[Finding, ...]
    confirmed: bool

    @property
    def code(self) -> int:
        """Exit code: 0 no regression, 1 regression, 2 something could not be judged."""
        verdicts = {f.verdict for f in self.findings}
        if Verdict.WORSE in verdicts:
            return 1
        return 2 if verdicts & {Verdict.NOT_COMPARED, Verdict.MISSING} else 0

    def of(self, verdict: Verdict) -> list[Finding]:
        """Findings with that verdict."""
        return [f for f in self.findings if f.verdict == verdict]

    @property
    def fired(self) -> list[Finding]:
        """Regressions that fresh seeds have yet to confirm."""
        return [f for f in self.of(Verdict.WORSE) if f.measured is not None and f.again is None]


def check(baseline: Snapshot, run: Snapshot, rule: Rule | None = None,
          fresh: Snapshot | None = None, samplers: Collection[str] = (),
          targets: Collection[str] = ()) -> Check:
    """Judge a run; raises ReportError where the baseline is of another suite.

    ``fresh`` holds the confirming seeds. ``samplers`` and ``targets`` leave the baseline's other
    cells out, where only these were asked for.
    """
    rule = rule or Rule()
    if baseline.suite != run.suite:
        raise ReportError(f"the baseline is of suite '{baseline.suite}', the run of "
                          f"'{run.suite}'; check a run of the same suite")
    cells = [c for c in baseline.cells if (not samplers or c.sampler in samplers)
             and (not targets or c.target in targets)]
    untested = {c.name: _untested(baseline, run, c) for c in cells}
    found = [f for f in untested.values() if f is not None]
    tested = {c.name: samples for c in cells if untested[c.name] is None
              and (samples := two_samples(baseline, run, c)) is not None}
    found += _tested(tested, rule)
    if fresh is not None:
        found = _confirmed(baseline, fresh, found, rule)
    found += [Finding(*c.name, QUALITY, Verdict.NEW,
                      "not in the baseline; freeze a new one to gate it")
              for c in run.cells if c.name not in baseline.by_name]
    order = {c.name: i for i, c in enumerate((*baseline.cells, *run.cells))}
    found.sort(key=lambda f: (f.verdict.order, order[f.name], f.what == COST))
    return Check(baseline, run, rule, tuple(found), fresh is not None)


def _untested(baseline: Snapshot, run: Snapshot, old: SamplerOnTarget) -> Finding | None:
    """What can be said without a test; None where one is needed."""
    new = run.by_name.get(old.name)
    if new is None:
        return Finding(*old.name, QUALITY, Verdict.MISSING, "in the baseline, not in the run")
    if why := difference(baseline, run, old, new):
        verdict, reason = Verdict.NOT_COMPARED, why
    elif news := _new_endings(old, new):
        verdict, reason = Verdict.WORSE, news
    elif _same_bits(old, new):
        verdict, reason = Verdict.IDENTICAL, f"bitwise, {plural(len(new.seeds), 'seed')}"
    else:
        return None
    return Finding(*old.name, QUALITY, verdict, reason, seconds=_seconds(old, new))


def _seconds(old: SamplerOnTarget, new: SamplerOnTarget) -> tuple[float, float]:
    return float(np.median(old.seconds)), float(np.median(new.seconds))


def _new_endings(old: SamplerOnTarget, new: SamplerOnTarget) -> str:
    counts = Counter(s for s in new.status if s not in old.statuses | {"ok"})
    said = [f"{status} in {n} of {len(new.seeds)} seeds" for status, n in counts.items()]
    return f"{listing(said)}, never in the baseline's {len(old.seeds)}" if said else ""


def _same_bits(old: SamplerOnTarget, new: SamplerOnTarget) -> bool:
    """Whether every seed of the run is one of the baseline's, and bitwise identical."""
    known = dict(zip(old.seeds, old.bits, strict=True))
    return all(known.get(s) == bits for s, bits in zip(new.seeds, new.bits, strict=True))


def _tested(cells: dict[tuple[str, str], TwoSamples], rule: Rule) -> list[Finding]:
    """All tests of the check, adjusted together."""
    tests = [(samples, what, found) for samples in cells.values()
             for what, found in samples.outcomes(rule).items()]
    level = rule.alpha / max(len(tests), 1)
    worse = holm([found.p_worse for _, _, found in tests])
    better = holm([found.p_better for _, _, found in tests])
    findings = []
    for (samples, what, found), p, q in zip(tests, worse, better, strict=True):
        verdict, reason = _judged(samples, what, found, p, q, level, rule)
        fell = verdict in (Verdict.BETTER, Verdict.LOWER)
        findings.append(Finding(
            *samples.old.name, what, verdict, reason,
            measured_change(samples, what, found, q if fell else p, level, rule, fell),
            seconds=_seconds(samples.old, samples.new)))
    return findings


def _judged(samples: TwoSamples, what: str, found: Outcome, worse: float, better: float,
            level: float, rule: Rule) -> tuple[Verdict, str]:
    """The verdict of one test by its adjusted p-values, and the reason where it needs one."""
    if samples.least_p(what) > level:
        old, new = samples.sizes
        return Verdict.NOT_COMPARED, (f"too few seeds: {new} against {old} cannot fire; run more "
                                      "with --seeds")
    if found.worse and worse <= rule.alpha:
        return Verdict.WORSE, ""
    if found.better and better <= rule.alpha:
        return (Verdict.BETTER, "") if found.gain else (Verdict.LOWER, _why_no_gain(samples))
    return Verdict.STAYED, ""


def _why_no_gain(samples: TwoSamples) -> str:
    """Why a fall is no gain."""
    names, (a, b) = samples.old.metrics, aligned_values(samples.old, samples.new)
    fell, rose = ([names[i] for i in rising(*sides)] for sides in ((-a, -b), (a, b)))
    said = f"{listing(rose)} rose" if rose else "the worst metric of a seed did not fall"
    return f"lower in {listing(fell) if fell else 'one metric'}, not a gain in quality: {said}"


def _confirmed(baseline: Snapshot, fresh: Snapshot, found: list[Finding],
               rule: Rule) -> list[Finding]:
    """Those that fired once, judged again by seeds that took no part in the first test.

    Where too few of these are left for any to fire, nothing is cleared: it stays unconfirmed.
    """
    fired = [f for f in found if f.verdict == Verdict.WORSE and f.measured is not None]
    cells = {f.name: samples for f in fired
             if (samples := two_samples(baseline, fresh, baseline.by_name[f.name])) is not None}
    tests = {(f.name, f.what): outcome for f in fired if f.name in cells
             if (outcome := cells[f.name].outcomes(rule).get(f.what)) is not None}
    tests = {k: t for k, t in tests.items()
             if cells[k[0]].least_p(k[1]) <= rule.alpha / len(tests)}
    adjusted = dict(zip(tests, holm([t.p_worse for t in tests.values()]), strict=True))
    made = []
    for finding in found:
        key = finding.name, finding.what
        if finding in fired and key in tests:
            again = measured_change(cells[finding.name], finding.what, tests[key], adjusted[key],
                                    rule.alpha / len(tests), rule)
            holds = tests[key].worse and adjusted[key] <= rule.alpha
            finding = replace(finding, again=again,
                              verdict=Verdict.WORSE if holds else Verdict.NOT_CONFIRMED)
        made.append(finding)
    return made
