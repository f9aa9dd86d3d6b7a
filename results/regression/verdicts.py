"""A check: every cell of a run against the baseline, corrected together, confirmed by fresh seeds.

1. A cell is compared where settings, target and metrics are the baseline's (``matching``).
2. Seeds that both sides have and that agree in every number make it identical: nothing is tested.
3. Else its quality and its cost are tested one-sidedly (``scores``) against the baseline's other
   seeds. All tests of the check are corrected by Holm's method at ``alpha``; one that fires and
   is large enough to matter is a regression, so far unconfirmed.
4. Where fresh seeds of a confirmation are at hand, those that fired are tested again against all
   of the baseline's seeds, corrected among themselves, and must fire again.
5. A way of ending that no seed of the baseline had is a regression by itself.

At least 40 seeds against 5: the least p is 8e-7, so that a clear change fires among hundreds of
tests. Five against five could not (.004).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from bench.core.errors import ReportError
from results.presentation.table import listing, plural
from results.regression.baseline import Cell, Snapshot
from results.regression.matching import difference
from results.regression.scores import COST, QUALITY, SPLIT, Rule, aligned, rising
from results.regression.trial import Measured, Trial, measured, trial_of
from results.statistics.multiple_testing import holm
from results.statistics.rank_sum_test import least_p

#: What a baseline holds at least; seeds that a check runs, and runs again where it fires.
BASELINE_SEEDS, CHECK_SEEDS, FRESH_SEEDS = 40, 5, 20
#: Every verdict, the gravest first.
VERDICTS = ("worse", "not compared", "missing", "not confirmed", "better", "lower", "stayed",
            "identical", "new")


@dataclass(frozen=True)
class Finding:
    """What is said of a cell's quality or cost."""

    sampler: str
    target: str
    what: str
    verdict: str
    reason: str = ""
    measured: Measured | None = None
    again: Measured | None = None  # by fresh seeds
    seconds: tuple[float, float] | None = None  # medians of a job, then and now

    @property
    def name(self) -> tuple[str, str]:
        """The cell."""
        return self.sampler, self.target


@dataclass(frozen=True)
class Check:
    """All findings of a run against a baseline."""

    baseline: Snapshot
    run: Snapshot
    rule: Rule
    findings: tuple[Finding, ...]
    confirmed: bool  # whether fresh seeds were at hand

    @property
    def code(self) -> int:
        """Exit code: 0 no regression, 1 regression, 2 something could not be judged."""
        kinds = {f.verdict for f in self.findings}
        if "worse" in kinds:
            return 1
        return 2 if kinds & {"not compared", "missing"} else 0

    def of(self, verdict: str) -> list[Finding]:
        """Findings with that verdict."""
        return [f for f in self.findings if f.verdict == verdict]

    @property
    def fired(self) -> list[Finding]:
        """Regressions that fresh seeds have yet to confirm."""
        return [f for f in self.of("worse") if f.measured is not None and f.again is None]


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
    told = [_untested(baseline, run, cell) for cell in cells]
    found = [f for f in told if f is not None]
    trials = {c.name: trial for c, f in zip(cells, told, strict=True)
              if f is None and (trial := trial_of(baseline, run, c)) is not None}
    found += _tested(trials, rule)
    if fresh is not None:
        found = _confirmed(baseline, fresh, found, rule)
    found += [Finding(*c.name, QUALITY, "new", "not in the baseline; freeze a new one to gate it")
              for c in run.cells if c.name not in baseline.by_name]
    order = {c.name: i for i, c in enumerate((*baseline.cells, *run.cells))}
    found.sort(key=lambda f: (VERDICTS.index(f.verdict), order[f.name], f.what == COST))
    return Check(baseline, run, rule, tuple(found), fresh is not None)


def _untested(baseline: Snapshot, run: Snapshot, old: Cell) -> Finding | None:
    """What can be said without a test; None where one is needed."""
    new = run.by_name.get(old.name)
    if new is None:
        return Finding(*old.name, QUALITY, "missing", "in the baseline, not in the run")
    seconds = _seconds(old, new)
    if why := difference(baseline, run, old, new):
        return Finding(*old.name, QUALITY, "not compared", why, seconds=seconds)
    if news := _new_endings(old, new):
        return Finding(*old.name, QUALITY, "worse", news, seconds=seconds)
    if _same_bits(old, new):
        return Finding(*old.name, QUALITY, "identical",
                       f"to the bit, {plural(len(new.seeds), 'seed')}", seconds=seconds)
    return None


def _seconds(old: Cell, new: Cell) -> tuple[float, float]:
    return float(np.median(old.seconds)), float(np.median(new.seconds))


def _new_endings(old: Cell, new: Cell) -> str:
    counts = Counter(s for s in new.status if s not in old.statuses | {"ok"})
    said = [f"{status} in {n} of {len(new.seeds)} seeds" for status, n in counts.items()]
    return f"{listing(said)}, never in the baseline's {len(old.seeds)}" if said else ""


def _same_bits(old: Cell, new: Cell) -> bool:
    """Whether every seed of the run is one of the baseline's, and the same to the last bit."""
    known = dict(zip(old.seeds, old.bits, strict=True))
    return all(known.get(s) == bits for s, bits in zip(new.seeds, new.bits, strict=True))


def _tested(trials: dict[tuple[str, str], Trial], rule: Rule) -> list[Finding]:
    """All tests of the check, corrected together."""
    tests = [(trial, what, found) for trial in trials.values()
             for what, found in trial.outcomes(rule).items()]
    level = rule.alpha / max(len(tests), 1)
    worse = holm([found.p_worse for _, _, found in tests])
    better = holm([found.p_better for _, _, found in tests])
    findings = []
    for (trial, what, found), p, q in zip(tests, worse, better, strict=True):
        verdict, reason = "stayed", ""
        if _least(trial, what) > level:
            verdict = "not compared"
            reason = (f"too few seeds: {len(trial.new.seeds)} against {len(trial.old.seeds)} "
                      "cannot fire; run more with --seeds")
        elif found.worse and p <= rule.alpha:
            verdict = "worse"
        elif found.better and q <= rule.alpha:
            verdict, reason = ("better", "") if found.gain else ("lower", _lower(trial))
        fell = verdict in ("better", "lower")
        findings.append(Finding(
            *trial.old.name, what, verdict, reason,
            measured(trial, what, found, q if fell else p, level, rule, fell),
            seconds=_seconds(trial.old, trial.new)))
    return findings


def _least(trial: Trial, what: str) -> float:
    """The smallest p that the trial's test can reach."""
    return least_p(len(trial.old.seeds), len(trial.new.seeds)) * (SPLIT if what == QUALITY else 1)


def _lower(trial: Trial) -> str:
    """Why a fall is no gain."""
    names, (a, b) = trial.old.metrics, aligned(trial.old, trial.new)
    fell, rose = ([names[i] for i in rising(*sides)] for sides in ((-a, -b), (a, b)))
    said = f"{listing(rose)} rose" if rose else "the worst metric of a seed did not fall"
    return f"lower in {listing(fell) if fell else 'one metric'}, not a gain in quality: {said}"


def _confirmed(baseline: Snapshot, fresh: Snapshot, found: list[Finding],
               rule: Rule) -> list[Finding]:
    """Those that fired once, judged again by seeds that nobody has seen.

    Where too few of these are left for any to fire, nothing is cleared: it stays unconfirmed.
    """
    fired = [f for f in found if f.verdict == "worse" and f.measured is not None]
    trials = {f.name: trial for f in fired
              if (trial := trial_of(baseline, fresh, baseline.by_name[f.name])) is not None}
    tests = {(f.name, f.what): outcome for f in fired if f.name in trials
             if (outcome := trials[f.name].outcomes(rule).get(f.what)) is not None}
    tests = {k: t for k, t in tests.items()
             if _least(trials[k[0]], k[1]) <= rule.alpha / len(tests)}
    corrected = dict(zip(tests, holm([t.p_worse for t in tests.values()]), strict=True))
    made = []
    for finding in found:
        key = finding.name, finding.what
        if finding in fired and key in tests:
            again = measured(trials[finding.name], finding.what, tests[key], corrected[key],
                              rule.alpha / len(tests), rule)
            holds = tests[key].worse and corrected[key] <= rule.alpha
            finding = replace(finding, again=again,
                              verdict="worse" if holds else "not confirmed")
        made.append(finding)
    return made

