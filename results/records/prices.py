"""What samples cost: the price of n fresh points from each kind of sampler.

- amortised: the training once, then draws, interpolated between measured ones; beyond the largest
  the last measured price a point continues (and is labelled as such).
- continuing: the run gives the first set (as many points as it holds); each further set costs the
  steps after which the points are fresh, by the run's own price a step.
- one-shot: every set costs the run again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.core.cost import Cost
from bench.core.types import Array
from results.records.frames import Scores
from results.records.schema import Job

EVALUATIONS = "evaluations"
SECONDS = "seconds"


@dataclass(frozen=True)
class Price:
    """Cost of n fresh points: ``first`` for a first set, then draws or independent sets.

    ``ladder`` holds measured draws (n, cost), amortised only; ``held`` points come at once and
    ``again`` is the price of the next such set, for the other kinds.
    """

    first: float
    ladder: tuple[tuple[int, float], ...] = ()
    held: int = 0
    again: float = 0.0

    def cost(self, n: Array) -> Array:
        """Total cost of n fresh points, elementwise."""
        if self.held:
            return self.first + np.ceil(np.maximum(n - self.held, 0) / self.held) * self.again
        return self.first + self.draw(n)

    def draw(self, n: Array) -> Array:
        """Cost of drawing n points: log-linear between measured draws, proportional beyond."""
        if not self.ladder:
            return np.zeros_like(n, dtype=float)
        sizes, costs = (np.array(side, dtype=float) for side in zip(*self.ladder, strict=True))
        inside = np.exp(np.interp(np.log(n), np.log(sizes), np.log(np.maximum(costs, 1e-12))))
        return np.where(n > sizes[-1], costs[-1] * n / sizes[-1], inside)

    @property
    def marginal(self) -> float:
        """Cost of one more point when n is large."""
        if self.held:
            return self.again / self.held
        return self.ladder[-1][1] / self.ladder[-1][0] if self.ladder else 0.0

    @property
    def measured_to(self) -> float:
        """The largest n whose draw was measured."""
        return self.ladder[-1][0] if self.ladder else float(self.held)


def amount(cost: Cost, unit: str) -> float:
    """A cost in one number: device seconds, or evaluations one by one."""
    return cost.evaluations() if unit == EVALUATIONS else cost.seconds


def price(job: Job, unit: str, drawn: int, first: Cost | None = None) -> Price | None:
    """A job's price; ``first`` replaces the whole run as the cost of the first set.

    ``drawn`` is how many points the final draw had. None where the job did not measure it.
    """
    run = amount(job.train, unit)
    start = amount(job.train if first is None else first, unit)
    if job.kind == "amortised":
        if unit == EVALUATIONS:
            each = job.draw.evaluations() / drawn if drawn else 0.0
            return Price(start, ((1, each), (10**6, 1e6 * each))) if drawn else None
        return Price(start, job.ladder) if job.ladder else None
    if job.renewal is None or job.renewal[0] <= 0:
        return None
    held, steps = job.renewal
    whole = run + amount(job.draw, unit)
    start = whole if first is None else start
    if job.kind == "one-shot":
        return Price(start, held=held, again=start)
    return Price(start, held=held, again=steps * run / max(job.steps, 1))


def drawn_points(scores: Scores, job: Job) -> int:
    """Points of a job's final draw: what the final metrics were offered."""
    return scores.run.final_points.get(job.key, 0)


def thousand(job: Job) -> float | None:
    """Seconds for 1,000 fresh points once the first set stands."""
    found = price(job, SECONDS, 0)
    if found is None:
        return None
    if found.held:
        return 1000 * found.marginal
    return float(found.draw(np.array([1000.0]))[0])
