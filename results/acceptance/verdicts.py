"""A run beside its bars: what was measured, and the verdict.

A failed seed misses every bar but ``at_floor``, where it is one of the seeds that may; a bar
with fewer seeds than it wants, or without the floor it needs, is not measured.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np

from bench.core.errors import ReportError
from results.acceptance.criteria import COSTS, Bar, Bars
from results.acceptance.observed import Reader, Seen
from results.comparison.judge import standing
from results.presentation.table import listing, plural
from results.records.run_folder import Run
from results.statistics.null_distribution import LEVEL, usable
from results.statistics.paired_values import PairedValues

REACHED, MISSED, NOT_MEASURED, REPORTED = "reached", "MISSED", "not measured", "reported"


@dataclass(frozen=True)
class Judged:
    """A bar, the statistic (None: there is none), the verdict and why it is not the plain one.

    ``pair`` holds the sampler and its rival over their shared seeds, for ``no_worse``.
    """

    bar: Bar
    seen: Seen
    value: float | None
    verdict: str
    why: str = ""
    pair: PairedValues | None = None


class Judge:
    """Bars over one run; raises ReportError where the run does not know the sampler."""

    def __init__(self, run: Run, bars: Bars, sampler: str = "") -> None:
        self.run, self.bars, self.sampler = run, bars, sampler or bars.sampler
        if self.sampler not in run.labels:
            have = ", ".join(run.labels) or "it has none"
            raise ReportError(f"the run has no sampler '{self.sampler}'; name one of its own with "
                              f"--sampler: {have}")
        self._reader = Reader(run, bars.n)

    def all(self) -> tuple[Judged, ...]:
        """Every bar of the file, judged."""
        return tuple(self._no_worse(b) if b.statistic == "no_worse" else self._limited(b)
                     for b in self.bars.bars)

    def _seen(self, bar: Bar, label: str) -> Seen:
        if bar.statistic in COSTS:
            return self._reader.cost(label, bar.target, bar.statistic)
        signed = bar.statistic == "signed_mean"
        return self._reader.metric(label, bar.target, bar.metric, signed)

    def _limited(self, bar: Bar) -> Judged:
        seen = self._seen(bar, self.sampler)
        value = statistic(bar, seen)
        fatal = bool(seen.failed) and bar.statistic != "at_floor"
        if not fatal and (why := self._missing(bar, seen)):
            return Judged(bar, seen, value, NOT_MEASURED, why)
        if bar.limit is None:
            return Judged(bar, seen, value, REPORTED, ended(seen))
        holds = not fatal and value is not None and self._holds(bar, seen, value)
        return Judged(bar, seen, value, REACHED if holds else MISSED, ended(seen))

    def _holds(self, bar: Bar, seen: Seen, value: float) -> bool:
        assert bar.limit is not None
        if bar.statistic == "at_floor":  # "4 of 5" is a share where more seeds ran
            return value >= math.ceil(bar.limit * seen.seeds / self.bars.seeds)
        return abs(value) <= bar.limit

    def _missing(self, bar: Bar, seen: Seen) -> str:
        """Why a bar cannot be judged; empty where it can."""
        jobs = self.run.of(self.sampler, bar.target)
        if not jobs:
            return "no record"
        if not seen.seeds:
            sizes = self._reader.sizes(self.sampler, bar.target, bar.metric)
            if bar.statistic in COSTS:
                return f"ran on {jobs[0].device}, the bar is of a CPU core"
            return (f"judged at {listing([f'{n:,}' for n in sizes])} points, not {self.bars.n:,}"
                    if sizes else f"{bar.metric} was not taken")
        if bar.statistic in ("mean_over_floor", "at_floor", "no_worse"):
            if seen.draws is None:
                return f"no floor of {bar.metric} at {self.bars.n:,} points"
            if usable(seen.draws) is None:
                return f"a floor of {plural(len(seen.draws), 'draw')} tells nothing"
        if seen.seeds < self.bars.seeds:
            return f"{seen.seeds} of {plural(self.bars.seeds, 'seed')}"
        return ""

    def _no_worse(self, bar: Bar) -> Judged:
        """Against the rival at equal cost: failed seeds first, then the excess over the floor."""
        seen, rival = self._seen(bar, self.sampler), self._seen(bar, self.bars.against)
        why = self._missing(bar, seen) or self._unequal(seen, rival)
        if not seen.seeds or not rival.seeds:
            return Judged(bar, seen, None, NOT_MEASURED, why)
        pair = PairedValues(seen.cell(self.bars.n), rival.cell(self.bars.n))
        value = float(np.mean(seen.array)) if len(seen.values) else None
        if why:
            return Judged(bar, seen, value, NOT_MEASURED, why, pair)
        holds = bool(seen.values) and standing(pair.a) <= standing(pair.b)
        return Judged(bar, seen, value, REACHED if holds else MISSED, ended(seen), pair)

    def _unequal(self, seen: Seen, rival: Seen) -> str:
        """Why the two cannot be set side by side; empty where they can."""
        name = self.bars.against
        if not rival.seeds:
            return f"no record of {name} by this metric on this target"
        if seen.budgets != rival.budgets:
            return f"{name} had another budget"
        if "unaffordable" in rival.failed.values():
            return f"{name} could not make its least number of updates within the budget"
        if (seen.values.keys() | seen.failed.keys()) != (rival.values.keys()
                                                         | rival.failed.keys()):
            return f"{name} has other seeds"
        return ""


def statistic(bar: Bar, seen: Seen) -> float | None:
    """A bar's statistic over the seeds that left a value; None where it is not defined."""
    values, draws = seen.array, seen.draws
    if not len(values):
        return 0.0 if bar.statistic == "at_floor" and seen.failed else None
    if bar.statistic == "at_floor":
        return None if draws is None else float((seen.ps > LEVEL).sum())
    if bar.statistic == "mean_over_floor":
        return None if draws is None else float(values.mean() / draws.mean())
    worst = bar.statistic == "max" or bar.statistic in COSTS
    return float(values.max() if worst else values.mean())


def ended(seen: Seen) -> str:
    """How seeds ended that left no value; empty where all did well."""
    counts = Counter(seen.failed.values())
    return listing([f"{amount} of {plural(seen.seeds, 'seed')} {status}"
                    for status, amount in counts.items()]) if counts else ""
