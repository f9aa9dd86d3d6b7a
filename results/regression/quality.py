"""The test of quality: a number a seed, a rank sum, and a change large enough to matter.

With q_r the quantiles of a metric over the seeds of both sides pooled, a seed's number is that of
its worst gated metric,

    S_i = max_m (v_mi - q_.25,m) / u_m,    u_m = max((q_.4 - q_.1) / 1.028, sd of the floor),

inf where it failed. Pooling keeps the seeds exchangeable under the null hypothesis, so that the
rank sum of the S_i is exact whatever their distribution; quantiles keep one absurd seed from
dominating the unit; the floor's deviation keeps a metric that hardly varies from ruling. The lower
half is taken, where u is one standard deviation of a normal distribution: with median and MAD a
rise of half the seeds (22 against 23) would lift centre and unit with it and hide among the noise
of the other metrics; so placed, they are the old seeds' own until six in ten seeds rose.

The worst metric fires with the fewest seeds where something breaks; a modest change of one metric
drowns in it among the noise of the others, however many seeds there are. So half of the level goes
to the rank sum of S, half to the M metrics, each by its own rank sum (Bonferroni):

    p = min(1, 2 p_S, 2 M min_m p_m).

And some metric's median must move by more than ``tolerance`` times the old excess over its floor
and by more than the floor's own distance from median to upper 5 % point: what exact samples do by
themselves is no change.

A fall in one metric is no gain: a chain whose noise is a tenth too small lies too close to the
modes, which one metric rewards. A change is called better only where the worst metric of a seed
fell (its rank sum alone, at ``GAIN``) and no metric rose (each rank sum alone, at ``RISE``: not
adjusted, so that in doubt it is "better" and not "worse" that is withheld); else it is called
lower.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.core.types import Array
from results.regression.baseline import FloorSummary, SamplerOnTarget
from results.regression.outcome import Outcome, Rule
from results.statistics.rank_sum_test import rank_sum_if_larger

#: Quantiles that make centre and unit, and what the outer two span in a normal distribution.
LOW, CENTRE, HIGH, SPAN = 0.1, 0.25, 0.4, 1.0282
#: Parts that the level of a quality is split into: the worst metric, and the metrics one by one.
SPLIT = 2
#: Levels of the single tests behind "better": the worst metric fell (first), none rose (second).
GAIN, RISE = 0.01, 0.05


def aligned_values(old: SamplerOnTarget, new: SamplerOnTarget) -> tuple[Array, Array]:
    """Values of both by the old side's metrics; inf where the new one has none."""
    return old.values, new.values_of(old.metrics)


def _quantiles(values: Array, shares: Sequence[float]) -> Array:
    """Quantiles of each row over its finite values, (shares, rows); 0 where there is none."""
    if np.isfinite(values).all():
        return np.asarray(np.quantile(values, shares, axis=1))
    rows = (row[np.isfinite(row)] for row in values)
    return np.array([np.quantile(row, shares) if len(row) else np.zeros(len(shares))
                     for row in rows]).T


def centre_and_unit(pooled: Array, floors: Sequence[FloorSummary | None]) -> tuple[Array, Array]:
    """Centre and unit of each metric from the pooled seeds, (metrics,) each."""
    if not len(pooled):
        return np.empty(0), np.empty(0)
    low, centre, high = _quantiles(pooled, (LOW, CENTRE, HIGH))
    least = np.array([f.sd if f else 0.0 for f in floors])
    unit = np.maximum((high - low) / SPAN, least)
    return centre, np.where(unit > 0, unit, np.maximum(np.abs(centre), 1.0) * 1e-9)


def worst_metric(values: Array, centre: Array, unit: Array) -> Array:
    """S of each seed, (seeds,); inf where nothing was measured."""
    if not len(values):
        return np.full(values.shape[1], np.inf)
    return np.asarray(((values - centre[:, None]) / unit[:, None]).max(axis=0))


def allowances(old: Array, floors: Sequence[FloorSummary | None], tolerance: float) -> Array:
    """What each metric's median may move by, (metrics,); without a floor a share of itself."""
    base = _quantiles(old, (0.5,))[0] if len(old) else np.empty(0)
    excess = np.array([max(b - (f.median if f else 0.0), 0.0)
                       for b, f in zip(base, floors, strict=True)])
    return np.maximum(tolerance * excess, np.array([f.gap if f else 0.0 for f in floors]))


def median_changes(old: Array, new: Array) -> Array:
    """How far each metric's median moved, (metrics,); 0 where both are infinite."""
    with np.errstate(invalid="ignore"):
        gap = np.median(new, axis=1) - np.median(old, axis=1)
    return np.where(np.isnan(gap), 0.0, gap)


def quality_outcome(old: SamplerOnTarget, new: SamplerOnTarget,
                    floors: Sequence[FloorSummary | None], rule: Rule) -> Outcome:
    """The quality of the new seeds against that of the old ones."""
    a, b = aligned_values(old, new)
    centre, unit = centre_and_unit(np.hstack([a, b]), floors)
    s, t = worst_metric(a, centre, unit), worst_metric(b, centre, unit)
    rise, limit = median_changes(a, b), allowances(a, floors, rule.tolerance)
    worse, better = _combined(s, t, a, b), _combined(-s, -t, -a, -b)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.nan_to_num(rise / limit, nan=0.0)
    rose, fell = (int(np.argmax(r)) if len(r) else 0 for r in (ratio, -ratio))
    # A side that never had a value has moved without any metric to say so.
    gone = not len(a) and bool(np.isinf(t).any())
    falls = bool((-rise > limit).any())
    gain = falls and rank_sum_if_larger(-s, -t) <= GAIN and not rising(a, b)
    return Outcome(worse, better, gone or bool((rise > limit).any()), falls, rose, fell, gain)


def rising(old: Array, new: Array) -> list[int]:
    """Indices of metrics whose values rose by their own rank sum, not adjusted."""
    return [i for i, (x, y) in enumerate(zip(old, new, strict=True))
            if rank_sum_if_larger(x, y) <= RISE]


def _combined(s: Array, t: Array, a: Array, b: Array) -> float:
    """p of S (seeds,) and of metrics (metrics, seeds), each with half of the level."""
    each = [SPLIT * len(a) * rank_sum_if_larger(x, y) for x, y in zip(a, b, strict=True)]
    return min(1.0, SPLIT * rank_sum_if_larger(s, t), *each)
