"""A run judged by acceptance criteria: what was measured, and the verdict.

A failed seed misses every criterion but ``at_floor``, where it is one of the seeds that may miss;
a criterion with fewer seeds than it wants, or without the floor it needs, is not measured.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np

from bench.core.errors import ReportError
from results.acceptance.criteria import COSTS, Criteria, Criterion
from results.acceptance.observed import Observed, RunReader
from results.comparison.mean_ranks import rank_key
from results.presentation.table import listing, plural
from results.records.run_folder import Run
from results.statistics.null_distribution import LEVEL, usable
from results.statistics.paired_values import PairedValues


class Verdict(StrEnum):
    """What is said of a criterion."""

    MET = "met"
    MISSED = "MISSED"
    NOT_MEASURED = "not measured"
    REPORTED = "reported"  # it has no limit


@dataclass(frozen=True)
class JudgedCriterion:
    """A criterion, its statistic (None: there is none), the verdict and the reason where needed.

    ``pair`` holds the sampler and its rival over their shared seeds, for ``no_worse``.
    """

    criterion: Criterion
    observed: Observed
    value: float | None
    verdict: Verdict
    why: str = ""
    pair: PairedValues | None = None


class JudgedRun:
    """Criteria over one run; raises ReportError where the run does not know the sampler."""

    def __init__(self, run: Run, criteria: Criteria, sampler: str = "") -> None:
        self.run, self.criteria, self.sampler = run, criteria, sampler or criteria.sampler
        if self.sampler not in run.labels:
            have = ", ".join(run.labels) or "it has none"
            raise ReportError(f"the run has no sampler '{self.sampler}'; name one of its own with "
                              f"--sampler: {have}")
        self._reader = RunReader(run, criteria.n)

    @cached_property
    def judged(self) -> tuple[JudgedCriterion, ...]:
        """Every criterion of the file, judged."""
        return tuple(self._no_worse(c) if c.statistic == "no_worse" else self._limited(c)
                     for c in self.criteria.criteria)

    def _observed(self, criterion: Criterion, label: str) -> Observed:
        if criterion.statistic in COSTS:
            return self._reader.cost(label, criterion.target, criterion.statistic)
        signed = criterion.statistic == "signed_mean"
        return self._reader.metric(label, criterion.target, criterion.metric, signed)

    def _limited(self, criterion: Criterion) -> JudgedCriterion:
        observed = self._observed(criterion, self.sampler)
        value = statistic(criterion, observed)
        fatal = bool(observed.failed) and criterion.statistic != "at_floor"
        if not fatal and (why := self._missing(criterion, observed)):
            return JudgedCriterion(criterion, observed, value, Verdict.NOT_MEASURED, why)
        verdict = Verdict.REPORTED
        if criterion.limit is not None:
            holds = not fatal and value is not None and self._holds(criterion, observed, value)
            verdict = Verdict.MET if holds else Verdict.MISSED
        return JudgedCriterion(criterion, observed, value, verdict, failures(observed))

    def _holds(self, criterion: Criterion, observed: Observed, value: float) -> bool:
        assert criterion.limit is not None
        if criterion.statistic == "at_floor":  # "4 of 5" is a share where more seeds ran
            return value >= math.ceil(criterion.limit * observed.seeds / self.criteria.seeds)
        return abs(value) <= criterion.limit

    def _missing(self, criterion: Criterion, observed: Observed) -> str:
        """Why a criterion cannot be judged; empty where it can."""
        jobs = self.run.of(self.sampler, criterion.target)
        if not jobs:
            return "no record"
        if not observed.seeds:
            return self._unmeasured(criterion, jobs[0].device)
        if criterion.statistic in ("mean_over_floor", "at_floor", "no_worse"):
            if observed.draws is None:
                return f"no floor of {criterion.metric} at {self.criteria.n:,} points"
            if usable(observed.draws) is None:
                return f"a floor of {plural(len(observed.draws), 'draw')} cannot reject anything"
        if observed.seeds < self.criteria.seeds:
            return f"{observed.seeds} of {plural(self.criteria.seeds, 'seed')}"
        return ""

    def _unmeasured(self, criterion: Criterion, device: str) -> str:
        """Why jobs that ran left no value."""
        if criterion.statistic in COSTS:
            return f"ran on {device}, the criterion is of a CPU core"
        sizes = self._reader.sizes(self.sampler, criterion.target, criterion.metric)
        if not sizes:
            return f"{criterion.metric} was not taken"
        have = listing([f"{n:,}" for n in sizes])
        return f"judged at {have} points, not {self.criteria.n:,}"

    def _no_worse(self, criterion: Criterion) -> JudgedCriterion:
        """Against the rival at equal cost: failed seeds first, then the excess over the floor."""
        ours = self._observed(criterion, self.sampler)
        rival = self._observed(criterion, self.criteria.against)
        why = self._missing(criterion, ours) or self._unequal(ours, rival)
        if not ours.seeds or not rival.seeds:
            return JudgedCriterion(criterion, ours, None, Verdict.NOT_MEASURED, why)
        pair = PairedValues(ours.seed_values(self.criteria.n), rival.seed_values(self.criteria.n))
        value = float(np.mean(ours.array)) if len(ours.values) else None
        if why:
            return JudgedCriterion(criterion, ours, value, Verdict.NOT_MEASURED, why, pair)
        holds = bool(ours.values) and rank_key(pair.a) <= rank_key(pair.b)
        verdict = Verdict.MET if holds else Verdict.MISSED
        return JudgedCriterion(criterion, ours, value, verdict, failures(ours), pair)

    def _unequal(self, ours: Observed, rival: Observed) -> str:
        """Why the two cannot be compared; empty where they can."""
        name = self.criteria.against
        if not rival.seeds:
            return f"no record of {name} by this metric on this target"
        if ours.budgets != rival.budgets:
            return f"{name} had another budget"
        if "unaffordable" in rival.failed.values():
            return f"{name} could not make its least number of updates within the budget"
        if (ours.values.keys() | ours.failed.keys()) != (rival.values.keys()
                                                         | rival.failed.keys()):
            return f"{name} has other seeds"
        return ""


def statistic(criterion: Criterion, observed: Observed) -> float | None:
    """A criterion's statistic over the seeds that left a value; None where it is not defined."""
    values, draws = observed.array, observed.draws
    if not len(values):
        return 0.0 if criterion.statistic == "at_floor" and observed.failed else None
    if criterion.statistic == "at_floor":
        return None if draws is None else float((observed.p_values > LEVEL).sum())
    if criterion.statistic == "mean_over_floor":
        return None if draws is None else float(values.mean() / draws.mean())
    worst = criterion.statistic == "max" or criterion.statistic in COSTS
    return float(values.max() if worst else values.mean())


def failures(observed: Observed) -> str:
    """How seeds ended that left no value; empty where all did well."""
    counts = Counter(observed.failed.values())
    return listing([f"{amount} of {plural(observed.seeds, 'seed')} {status}"
                    for status, amount in counts.items()]) if counts else ""
