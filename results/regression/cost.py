"""The test of cost: evaluations to reach a quality, old against new seeds.

The quality is the pooled median of the leading metric at the last checkpoint but one, reached
between two checkpoints by log-linear interpolation, inf where it never is. Counts, not seconds;
the median must grow by more than ``tolerance``. A sampler that has that quality at its first
checkpoint cannot show that it got slower.
"""

from __future__ import annotations

import numpy as np

from bench.core.types import Array
from results.regression.baseline import SamplerOnTarget
from results.regression.outcome import Outcome, Rule
from results.statistics.rank_sum_test import rank_sum_if_larger


def evaluations_to(level: float, evals: Array, curve: Array) -> Array:
    """Evaluations at which each seed's curve first lies at or below ``level``, (seeds,).

    ``evals`` and ``curve`` are (checkpoints, seeds).
    """
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


def quality_level(old: SamplerOnTarget, new: SamplerOnTarget) -> float | None:
    """The quality whose cost is tested; None without two checkpoints or without evaluations."""
    if len(old.curve) < 2 or not (np.isfinite(old.evals) & (old.evals > 0)).any():
        return None
    last = [c.curve[-2] for c in (old, new) if len(c.curve) == len(old.curve)]
    pooled = np.concatenate(last)
    return float(np.median(pooled[np.isfinite(pooled)])) if np.isfinite(pooled).any() else None


def costs(old: SamplerOnTarget, new: SamplerOnTarget) -> tuple[Array, Array] | None:
    """Evaluations to reach the level, for old and new seeds; None where that cannot be tested."""
    level = quality_level(old, new)
    if level is None:
        return None
    after = (evaluations_to(level, new.evals, new.curve) if len(new.curve) == len(old.curve)
             else np.full(len(new.seeds), np.inf))
    return evaluations_to(level, old.evals, old.curve), after


def cost_outcome(old: SamplerOnTarget, new: SamplerOnTarget, rule: Rule) -> Outcome | None:
    """The cost of a quality for new seeds against old ones; None where it cannot be tested."""
    found = costs(old, new)
    if found is None:
        return None
    a, b = found
    before, after, slack = float(np.median(a)), float(np.median(b)), 1 + rule.tolerance
    return Outcome(rank_sum_if_larger(a, b), rank_sum_if_larger(-a, -b),
                   bool(np.isfinite(before) and after > slack * before),
                   bool(np.isfinite(after) and before > slack * after))
