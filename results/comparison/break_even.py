"""Break-even: from how many points on training once is cheaper than running a chain.

For an amortised sampler on a target: the least n at which training plus drawing n points costs
less than n fresh points of the cheapest rival (continuing or one-shot) whose excess over the floor
is no larger; what does not differ significantly from the floor has excess 0. Answered twice: with
whole runs as the price of a first set, and with each sampler's price at its first checkpoint from
which on it is no worse than the amortised sampler's end (on the curve's points; annealing samplers
have no earlier checkpoint). The second does not depend on how generous the budget happened to be.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bench.core.cost import Cost
from bench.core.types import Array
from results.presentation.table import points
from results.records.endings import ending
from results.records.frames import Scores
from results.records.leading import primary
from results.records.prices import EVALUATIONS, SECONDS, Price, drawn_points, price
from results.records.schema import Job

#: 100 to a million points, 200 a decade: finer than the two digits that are shown.
GRID: Array = np.unique(np.round(np.geomspace(1e2, 1e6, 801)))


@dataclass(frozen=True)
class Answer:
    """``n``, ``never``, ``not reached`` (to a million), ``no rival`` or ``unknown``."""

    kind: str
    n: float = math.nan
    until: float = math.nan
    extrapolated: bool = False

    def words(self) -> str:
        """As a table shows it."""
        if self.kind != "n":
            return self.kind if self.kind != "not reached" else "not reached (to 10⁶)"
        text = "at once (≤ 10²)" if self.n <= GRID[0] else points(self.n)
        text += f" until {points(self.until)}" if math.isfinite(self.until) else ""
        return text + (" (extrapolated)" if self.extrapolated else "")


def answer(mine: Price, rivals: list[Price], grid: Array = GRID) -> Answer:
    """The least n of the grid at which ``mine`` is under the cheapest of the rivals.

    Where it is not so up to the end, ``until`` is the last such n. Where it is nowhere so, a price
    a point below the cheapest rival's means that it would come later: not reached; else never.
    """
    if not rivals:
        return Answer("no rival")
    under = mine.cost(grid) < np.min([r.cost(grid) for r in rivals], axis=0)
    if not under.any():
        later = mine.marginal < min(r.marginal for r in rivals)
        return Answer("not reached" if later else "never")
    n = float(grid[np.argmax(under)])
    until = math.nan if under[-1] else float(grid[np.flatnonzero(under)[-1]])
    return Answer("n", n, until, bool(mine.ladder) and n > max(mine.measured_to, grid[0]))


def _pooled(prices: list[Price]) -> Price | None:
    """Median over seeds, part by part."""
    if not prices:
        return None
    rungs = [dict(p.ladder) for p in prices]
    common = sorted(set(rungs[0]).intersection(*rungs))
    ladder = tuple((n, float(np.median([r[n] for r in rungs]))) for n in common)
    return Price(float(np.median([p.first for p in prices])), ladder,
                 int(np.median([p.held for p in prices])),
                 float(np.median([p.again for p in prices])))


@dataclass(frozen=True)
class Case:
    """One amortised sampler on one target, in one currency, by one notion of the first set."""

    label: str
    target: str
    unit: str
    earliest: bool
    found: Answer
    seeds: tuple[Answer, ...]
    mine: Price | None
    rivals: dict[str, Price]

    def best_rival(self) -> str:
        """The cheapest rival at the break-even, or at the end of the grid."""
        if not self.rivals:
            return ""
        at = np.array([self.found.n if self.found.kind == "n" else GRID[-1]])
        return min(self.rivals, key=lambda r: float(self.rivals[r].cost(at)[0]))

    def spread(self) -> str:
        """Least and largest answer over seeds, where each seed has a number."""
        ns = [a.n for a in self.seeds if a.kind == "n"]
        if len(self.seeds) < 2:
            return ""
        if len(ns) == len(self.seeds):
            low, high = points(min(ns)), points(max(ns))
            return f"seeds: {low}" if low == high else f"seeds: {low} to {high}"
        return "seeds: " + ", ".join(dict.fromkeys(a.words() for a in self.seeds))


def _first(scores: Scores, job: Job, metric: str, limit: float) -> Cost | None:
    """What a job had spent when its sampler was first, and from then on, no worse than a limit."""
    curve = scores.curve(job.label, job.target, metric)
    if job.anneals or not curve:
        return None
    kept = None
    for point in reversed(curve):
        if point.score.excess is None or point.score.excess > limit:
            break
        kept = point
    return kept.spent.get(job.seed) if kept is not None else None


def _prices(scores: Scores, label: str, target: str, unit: str, metric: str,
            limit: float | None) -> dict[int, Price]:
    """Prices by seed; with a limit, from the first checkpoint that is no worse than it."""
    found = {}
    for job in scores.run.of(label, target):
        if ending(job) != "ok":
            continue
        first = None if limit is None else _first(scores, job, metric, limit)
        if first is not None and job.kind == "amortised":
            first = _training(scores, job, first)
        value = price(job, unit, drawn_points(scores, job), first)
        if value is not None:
            found[job.seed] = value
    return found


def whole_price(scores: Scores, label: str, target: str, unit: str) -> Price | None:
    """What points of a sampler cost, whole runs as the first set: medians over seeds."""
    return _pooled(list(_prices(scores, label, target, unit, "", None).values()))


def _training(scores: Scores, job: Job, spent: Cost) -> Cost:
    """The training part of a checkpoint's cost: an amortised draw is charged by its own n."""
    for checkpoint in scores.run.checkpoints_of.get(job.key, ()):
        if checkpoint.spent + checkpoint.draw == spent:
            return checkpoint.spent
    return spent


def _end(scores: Scores, label: str, target: str, metric: str, earliest: bool) -> float:
    """The excess at the end, of the curve where the first checkpoint is asked; inf without one."""
    curve = scores.curve(label, target, metric) if earliest else ()
    score = curve[-1].score if curve else scores.final(label, target, metric)
    excess = None if score is None else score.excess
    return math.inf if excess is None else excess


def _rivals(scores: Scores, label: str, target: str, metric: str, earliest: bool) -> list[str]:
    """Samplers that are not amortised, have no failed job and are no worse at the end."""
    limit = _end(scores, label, target, metric, earliest)
    return [x for x in scores.run.ranked
            if x != label and scores.run.of(x, target) and not scores.failed(x, target)
            and scores.run.of(x, target)[0].kind != "amortised"
            and not scores.left_out(x, target, metric)
            and _end(scores, x, target, metric, earliest) <= limit < math.inf]


def case(scores: Scores, label: str, target: str, metric: str, unit: str,
         earliest: bool) -> Case:
    """The break-even of a sampler on a target."""
    limit = None
    if earliest and scores.curve(label, target, metric):
        limit = _end(scores, label, target, metric, earliest)
    mine = _prices(scores, label, target, unit, metric, limit)
    names = _rivals(scores, label, target, metric, earliest)
    by_seed = {r: _prices(scores, r, target, unit, metric, limit) for r in names}
    pooled = {r: p for r in names if (p := _pooled(list(by_seed[r].values()))) is not None}
    own = _pooled(list(mine.values()))
    if own is None or math.isinf(_end(scores, label, target, metric, earliest)):
        return Case(label, target, unit, earliest, Answer("unknown"), (), None, pooled)
    seeds = tuple(answer(p, rivals) for seed, p in mine.items()
                  if (rivals := [r[seed] for r in by_seed.values() if seed in r]))
    return Case(label, target, unit, earliest, answer(own, list(pooled.values())), seeds, own,
                pooled)


def cases(scores: Scores) -> list[Case]:
    """Every amortised sampler on every target with a floor: two currencies, two first sets."""
    run, metric = scores.run, primary(scores)
    pairs = [(x, t) for t in run.targets for x in run.ranked
             if any(j.kind == "amortised" and ending(j) == "ok" for j in run.of(x, t))
             and (s := scores.final(x, t, metric)) is not None and s.floor is not None]
    return [case(scores, label, target, metric, unit, earliest) for label, target in pairs
            for unit in (SECONDS, EVALUATIONS) for earliest in (True, False)]
