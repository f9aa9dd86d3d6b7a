"""How one cell is tested: a number a seed, a rank sum, and a change large enough to matter.

*Quality.* With q_r the quantiles of a metric over the seeds of both sides pooled, a seed scores
its worst gated metric,

    S_i = max_m (v_mi - q_.25,m) / u_m,    u_m = max((q_.4 - q_.1) / 1.028, sd of the floor),

inf where it failed. Pooling keeps the seeds exchangeable under the null, so that the rank sum of
the S_i is exact whatever their law; quantiles keep one absurd seed from blinding it; the floor's
deviation keeps a metric that hardly varies from ruling. The lower half is taken, where u is one
standard deviation of a normal law: with median and MAD a rise of half the seeds (22 against 23)
would lift centre and unit with it and hide among the noise of the other metrics; so placed, they
are the old seeds' own until six in ten seeds rose.

The worst metric fires with the fewest seeds where something breaks; a modest change of one metric
drowns in it among the noise of the others, however many seeds there are. So half of the level goes
to the rank sum of S, half to the M metrics, each by its own rank sum:

    p = min(1, 2 p_S, 2 M min_m p_m).

And some metric's median must move by more than
``tolerance`` times the old excess over its floor and by more than the floor's own gap from median
to upper 5 % point: what exact samples do by themselves is no change.

A fall in one metric is no gain: a chain whose noise is a tenth too small lies too close to the
modes, which one metric rewards. A change is called better only where the worst metric of a seed
fell (its rank sum alone, at ``GAIN``) and no metric rose (each rank sum alone, at ``RISE``: not
corrected, so that praise and not blame is what is withheld in doubt); else it is called lower.

*Cost.* Evaluations to reach a quality: the pooled median of the leading metric at the last look
but one, reached between two looks by log-linear interpolation, inf where it never is. Counts, not
seconds; the median must grow by more than ``tolerance``. A cell that has that quality at its first
look cannot show that it got slower.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bench.core.types import Array
from results.regression.baseline import Cell, Floor
from results.statistics.power import pairs_won, resamples
from results.statistics.rank_sum_test import critical_pairs, rank_sum_if_larger

#: Quantiles that make ruler and centre, and what the outer two span under a normal law.
LOW, CENTRE, HIGH, SPAN = 0.1, 0.25, 0.4, 1.0282
#: Power at which a change counts as detectable.
POWER = 0.9
QUALITY, COST = "quality", "cost"
#: Parts that the level of a quality is split into: the worst metric, and the metrics one by one.
SPLIT = 2
#: What praise asks of single tests: the worst metric fell (at the first), none rose (the other).
GAIN, RISE = 0.01, 0.05


@dataclass(frozen=True)
class Rule:
    """Family-wise level of the check, and the share by which excess may rise unnoticed."""

    alpha: float = 0.01
    tolerance: float = 0.25


@dataclass(frozen=True)
class Outcome:
    """A test of old against new seeds: chances of so much worse and so much better under the null.

    ``worse`` and ``better``: whether the change is also large enough to matter. ``rose`` and
    ``fell`` are the places of the metrics that did so most for their allowance: one change can do
    both. ``gain``: whether a fall is one of quality, and not of single metrics.
    """

    p_worse: float
    p_better: float
    worse: bool
    better: bool
    rose: int = 0
    fell: int = 0
    gain: bool = True


def aligned(old: Cell, new: Cell) -> tuple[Array, Array]:
    """Values of both by the old cell's metrics; inf where the new one has none."""
    return old.values, new.rows(old.metrics)


def _quantiles(values: Array, shares: Sequence[float]) -> Array:
    """Quantiles of each row over its finite values, (shares, rows); 0 where there is none."""
    if np.isfinite(values).all():
        return np.asarray(np.quantile(values, shares, axis=1))
    rows = (row[np.isfinite(row)] for row in values)
    return np.array([np.quantile(row, shares) if len(row) else np.zeros(len(shares))
                     for row in rows]).T


def rulers(pooled: Array, floors: Sequence[Floor | None]) -> tuple[Array, Array]:
    """Centre and unit of each metric from the pooled seeds, (metrics,) each."""
    if not len(pooled):
        return np.empty(0), np.empty(0)
    low, centre, high = _quantiles(pooled, (LOW, CENTRE, HIGH))
    least = np.array([f.sd if f else 0.0 for f in floors])
    unit = np.maximum((high - low) / SPAN, least)
    return centre, np.where(unit > 0, unit, np.maximum(np.abs(centre), 1.0) * 1e-9)


def seed_scores(values: Array, centre: Array, unit: Array) -> Array:
    """S of each seed, (seeds,); inf where nothing was measured."""
    if not len(values):
        return np.full(values.shape[1], np.inf)
    return np.asarray(((values - centre[:, None]) / unit[:, None]).max(axis=0))


def allowed(old: Array, floors: Sequence[Floor | None], tolerance: float) -> Array:
    """What each metric's median may move by, (metrics,); without a floor a share of itself."""
    base = _quantiles(old, (0.5,))[0] if len(old) else np.empty(0)
    excess = np.array([max(b - (f.median if f else 0.0), 0.0)
                       for b, f in zip(base, floors, strict=True)])
    return np.maximum(tolerance * excess, np.array([f.gap if f else 0.0 for f in floors]))


def moved(old: Array, new: Array) -> Array:
    """How far each row's median moved; 0 where both are infinite."""
    with np.errstate(invalid="ignore"):
        gap = np.median(new, axis=1) - np.median(old, axis=1)
    return np.where(np.isnan(gap), 0.0, gap)


def quality_outcome(old: Cell, new: Cell, floors: Sequence[Floor | None], rule: Rule) -> Outcome:
    """The quality of a cell's new seeds against its old ones."""
    a, b = aligned(old, new)
    centre, unit = rulers(np.hstack([a, b]), floors)
    s, t = seed_scores(a, centre, unit), seed_scores(b, centre, unit)
    rise, limit = moved(a, b), allowed(a, floors, rule.tolerance)
    worse, better = _shared(s, t, a, b), _shared(-s, -t, -a, -b)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.nan_to_num(rise / limit, nan=0.0)
    rose, fell = (int(np.argmax(r)) if len(r) else 0 for r in (ratio, -ratio))
    # A cell that never had a value on one side has moved without any metric to say so.
    gone = not len(a) and bool(np.isinf(t).any())
    falls = bool((-rise > limit).any())
    gain = falls and rank_sum_if_larger(-s, -t) <= GAIN and not rising(a, b)
    return Outcome(worse, better, gone or bool((rise > limit).any()), falls, rose, fell, gain)


def rising(old: Array, new: Array) -> list[int]:
    """Places of metrics whose values rose by their own rank sum, uncorrected."""
    return [i for i, (x, y) in enumerate(zip(old, new, strict=True))
            if rank_sum_if_larger(x, y) <= RISE]


def _shared(s: Array, t: Array, a: Array, b: Array) -> float:
    """p of scores (seeds,) and of metrics (metrics, seeds), each with half of the level."""
    each = [SPLIT * len(a) * rank_sum_if_larger(x, y) for x, y in zip(a, b, strict=True)]
    return min(1.0, SPLIT * rank_sum_if_larger(s, t), *each)


def reach(evals: Array, curve: Array, level: float) -> Array:
    """Evaluations at which each seed's curve first lies at or below ``level``, (seeds,)."""
    found = np.full(curve.shape[1], np.inf)
    for k in reversed(range(len(curve))):
        here = curve[k] <= level
        at = evals[k].copy()
        if k:
            above = np.isfinite(curve[k - 1]) & (curve[k - 1] > level)
            with np.errstate(divide="ignore", invalid="ignore"):
                share = np.clip((curve[k - 1] - level) / (curve[k - 1] - curve[k]), 0.0, 1.0)
                between = np.exp((1 - share) * np.log(evals[k - 1]) + share * np.log(evals[k]))
            at = np.where(above, between, at)
        found = np.where(here, at, found)
    return found


def level_of(old: Cell, new: Cell) -> float | None:
    """The quality whose price is asked for; None without two looks or without evaluations."""
    if len(old.curve) < 2 or not (np.isfinite(old.evals) & (old.evals > 0)).any():
        return None
    last = [c.curve[-2] for c in (old, new) if len(c.curve) == len(old.curve)]
    pooled = np.concatenate(last)
    return float(np.median(pooled[np.isfinite(pooled)])) if np.isfinite(pooled).any() else None


def prices(old: Cell, new: Cell) -> tuple[Array, Array] | None:
    """Evaluations to reach the level, for old and new seeds; None where that cannot be asked."""
    level = level_of(old, new)
    if level is None:
        return None
    after = (reach(new.evals, new.curve, level) if len(new.curve) == len(old.curve)
             else np.full(len(new.seeds), np.inf))
    return reach(old.evals, old.curve, level), after


def cost_outcome(old: Cell, new: Cell, rule: Rule) -> Outcome | None:
    """The cost of a quality for new seeds against old ones; None where it cannot be asked."""
    found = prices(old, new)
    if found is None:
        return None
    a, b = found
    before, after, slack = float(np.median(a)), float(np.median(b)), 1 + rule.tolerance
    return Outcome(rank_sum_if_larger(a, b), rank_sum_if_larger(-a, -b),
                   bool(np.isfinite(before) and after > slack * before),
                   bool(np.isfinite(after) and before > slack * after))


def outcomes(old: Cell, new: Cell, floors: Sequence[Floor | None], rule: Rule
             ) -> dict[str, Outcome]:
    """Quality, and cost where it can be asked."""
    cost = cost_outcome(old, new, rule)
    made = {QUALITY: quality_outcome(old, new, floors, rule)}
    return made if cost is None else {**made, COST: cost}


def visible_rise(old: Cell, floors: Sequence[Floor | None], size: int, level: float, lead: int,
                 tolerance: float) -> float:
    """The least rise of one metric that ``size`` seeds show in 9 of 10 tries at ``level``.

    By resampling the old seeds, with the metric raised; inf where no rise could show.
    """
    a = old.values
    if not len(a) or not np.isfinite(a[lead]).any():
        return np.inf
    limit = float(allowed(a, floors, tolerance)[lead])
    centre, unit = rulers(a, floors)
    scores, chosen = seed_scores(a, centre, unit), resamples(a.shape[1], size)
    worst, alone = (critical_pairs(a.shape[1], size, level / k) for k in (SPLIT, SPLIT * len(a)))

    def seen(rise: float) -> float:
        raised = a.copy()
        raised[lead] += rise
        won = pairs_won(scores, seed_scores(raised, centre, unit))[chosen].sum(axis=1) >= worst
        won |= pairs_won(a[lead], raised[lead])[chosen].sum(axis=1) >= alone
        middle = np.median(raised[lead][chosen], axis=1) - np.median(a[lead])
        return float(np.mean(won & (middle > limit)))

    return least(seen, max(limit, float(unit[lead]) * 0.1))


def visible_factor(old: Array, top: float, size: int, level: float, tolerance: float) -> float:
    """The least factor on the price of a quality that ``size`` seeds show in 9 of 10 tries.

    Beyond ``top`` evaluations, all there are, the quality counts as never reached.
    """
    if not np.isfinite(np.median(old)):
        return np.inf
    chosen, bound = resamples(len(old), size), critical_pairs(len(old), size, level)

    def seen(more: float) -> float:
        slower = old * (1 + more)
        slower = np.where(slower > top, np.inf, slower)
        won = pairs_won(old, slower)[chosen].sum(axis=1)
        middle = np.median(slower[chosen], axis=1)
        return float(np.mean((won >= bound) & (middle > (1 + tolerance) * np.median(old))))

    return 1 + least(seen, max(tolerance, 0.01))


def least(seen: Callable[[float], float], start: float) -> float:
    """Smallest argument with power ``POWER``, to 2 %, from ``start`` > 0; inf beyond 2^20 such."""
    high = start
    while seen(high) < POWER:
        high *= 2.0
        if high > 2.0**20 * start:
            return np.inf
    low = high / 2.0
    while high > 1.02 * low:
        middle = (low * high) ** 0.5
        low, high = (low, middle) if seen(middle) >= POWER else (middle, high)
    return high
