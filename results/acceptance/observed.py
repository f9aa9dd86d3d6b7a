"""What a run holds for a criterion: a value a seed, seeds that failed, and the floor's draws."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bench.core.types import Array
from results.acceptance.criteria import COSTS
from results.records.endings import ending
from results.records.prices import amount
from results.records.run_folder import Run
from results.records.schema import Measure
from results.statistics.null_distribution import usable
from results.statistics.p_value import p_value
from results.statistics.paired_values import SeedValues


@dataclass(frozen=True)
class Observed:
    """Values by seed: a metric's, its signed ones (``parts[0]``) for ``signed_mean``, or costs.

    ``failed`` says by seed how jobs ended that left no value: they count against their sampler.
    ``budgets``: what each job was given, as (amount, currency).
    """

    values: dict[int, float]
    failed: dict[int, str]
    draws: Array | None = None
    budgets: frozenset[tuple[float, str]] = frozenset()

    @property
    def seeds(self) -> int:
        """Seeds that ended, well or not, and were judged."""
        return len(self.values) + len(self.failed)

    @property
    def array(self) -> Array:
        """Values in the order of the seeds, (S,)."""
        return np.array(list(self.values.values()), dtype=np.float64)

    @property
    def p_values(self) -> Array:
        """Each seed's own p-value, (S,); empty without a floor that can reject any."""
        draws = usable(self.draws)
        return np.array([] if draws is None else [p_value(v, draws) for v in self.array])

    def seed_values(self, n: int) -> SeedValues:
        """As a comparison of samplers wants it: failed seeds are infinitely bad."""
        values = {**self.values, **dict.fromkeys(self.failed, math.inf)}
        return SeedValues(n, dict(sorted(values.items())), self.draws)


class RunReader:
    """Final values of a run at ``n`` points, by sampler, target and metric."""

    def __init__(self, run: Run, n: int) -> None:
        self.run, self.n = run, n
        self._found: dict[tuple[str, str], Measure] = {
            (m.key, m.metric): m for m in run.current if m.stage == "final" and m.n == n}

    def metric(self, label: str, target: str, metric: str, signed: bool = False) -> Observed:
        """Values of a metric; a value that is no number counts as a failed seed."""
        values: dict[int, float] = {}
        failed: dict[int, str] = {}
        for job in self.run.of(label, target):
            found = self._found.get((job.key, metric))
            if ending(job) != "ok":
                failed[job.seed] = ending(job)
            elif found is not None:
                value = (found.parts or (None,))[0] if signed else found.value
                if value is None or not math.isfinite(value):
                    failed[job.seed] = "not finite"
                else:
                    values[job.seed] = value
        return Observed(values, failed, self.run.draws.get((target, metric, self.n)),
                    self._budgets(label, target))

    def cost(self, label: str, target: str, unit: str) -> Observed:
        """What training and one draw cost; seconds only where they are those of a CPU."""
        assert unit in COSTS
        jobs = [j for j in self.run.of(label, target)
                if unit != "seconds" or j.device.startswith("cpu")]
        spent = {j.seed: amount(j.train + j.draw, unit) for j in jobs if ending(j) == "ok"}
        failed = {j.seed: ending(j) for j in jobs if ending(j) != "ok"}
        return Observed(spent, failed, None, self._budgets(label, target))

    def _budgets(self, label: str, target: str) -> frozenset[tuple[float, str]]:
        return frozenset((j.budget, j.currency) for j in self.run.of(label, target))

    def sizes(self, label: str, target: str, metric: str) -> list[int]:
        """Numbers of points at which a pair's final samples were judged by a metric."""
        keys = {j.key for j in self.run.of(label, target)}
        return sorted({m.n for m in self.run.measures
                       if m.key in keys and m.metric == metric and m.stage == "final"})
