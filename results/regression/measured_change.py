"""The numbers behind a verdict: by how much a metric or a cost changed, and what is detectable."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from results.regression.cost import costs
from results.regression.detectable import detectable_factor, detectable_rise
from results.regression.outcome import COST, Outcome, Rule
from results.regression.quality import aligned_values, allowances
from results.regression.two_samples import TwoSamples
from results.statistics.rank_sum_test import Shift, rank_sum, shift


@dataclass(frozen=True)
class MeasuredChange:
    """A change, in the unit of ``metric`` (evaluations where that is cost).

    ``old`` and ``new`` are medians over so many ``seeds``, ``shift`` is the Hodges-Lehmann
    estimate. ``detectable`` is the least rise (of cost: the least factor) that this comparison
    detects with probability .9; ``limit`` what the median may rise by. ``adjusted_p`` is adjusted
    for all tests of the check; ``each`` holds the p-value of each metric alone, not adjusted.
    """

    metric: str
    n: int
    old: float
    new: float
    shift: Shift
    limit: float
    detectable: float
    p: float
    adjusted_p: float
    seeds: tuple[int, int]
    each: tuple[tuple[str, float], ...] = ()


def measured_change(samples: TwoSamples, what: str, found: Outcome, adjusted_p: float,
                    level: float, rule: Rule, better: bool = False) -> MeasuredChange | None:
    """What is shown of a test; ``level`` is the strictest that Holm's method may ask of it.

    None where the old side has no value of any metric.
    """
    p = found.p_better if better else found.p_worse
    if what == COST:
        return _cost_change(samples, p, adjusted_p, level, rule)
    old, sizes = samples.old, samples.sizes
    a, b = aligned_values(old, samples.new)
    if not len(a):
        return None
    i = found.fell if better else found.rose
    sign = -1.0 if better else 1.0
    each = tuple((m, rank_sum(sign * x, sign * y))
                 for m, x, y in zip(old.metrics, a, b, strict=True))
    limits = allowances(a, samples.floors, rule.tolerance)
    return MeasuredChange(
        old.metrics[i], old.sizes[i], float(np.median(a[i])), float(np.median(b[i])),
        shift(a[i], b[i]), float(limits[i]),
        detectable_rise(old, samples.floors, sizes[1], level, i, rule.tolerance),
        p, adjusted_p, sizes, each)


def _cost_change(samples: TwoSamples, p: float, adjusted_p: float, level: float,
                 rule: Rule) -> MeasuredChange:
    old, sizes = samples.old, samples.sizes
    a, b = costs(old, samples.new) or (np.empty(0), np.empty(0))
    middle, top = float(np.median(a)), float(old.evals[np.isfinite(old.evals)].max())
    return MeasuredChange(
        "evaluations", 0, middle, float(np.median(b)), shift(a, b), rule.tolerance * middle,
        detectable_factor(a, top, sizes[1], level, rule.tolerance), p, adjusted_p, sizes)
