"""Mean ranks of samplers over targets: by failed seeds first, then by excess over the floor."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from bench.core.types import Array
from results.statistics.metric_result import MetricResult
from results.statistics.paired_values import SeedValues
from results.statistics.ranks import doubled_midranks

#: (sampler, target) -> its values by one metric.
SamplerTargetValues = Mapping[tuple[str, str], SeedValues]


def rank_key(values: SeedValues) -> tuple[float, float]:
    """What ranks a sampler on a target: share of failed seeds, then excess over the floor.

    Where a target has no floor, which is so for all samplers on it, their means stand in order.
    """
    if not len(values.good):
        return 1.0, math.inf
    result = MetricResult("", "", "", values.n, (), tuple(values.good.tolist()), values.draws)
    excess = result.excess
    return values.failed / len(values.values), result.mean if excess is None else excess


def mean_ranks(metrics: Sequence[SamplerTargetValues], labels: Sequence[str],
               targets: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...], Array]:
    """Labels on every target, the targets any metric judges, and their ranks (targets, labels).

    Over several metrics, a target's ranks are those of the samplers' mean ranks over metrics.
    """
    kept = tuple(x for x in labels if all(
        (x, t) in values for values in metrics for t in targets if _judges(values, t)))
    used = tuple(t for t in targets if any(_judges(values, t) for values in metrics))
    found = []
    for target in used:
        rows = [_ranks(values, kept, target) for values in metrics if _judges(values, target)]
        found.append(doubled_midranks(np.array(rows).mean(axis=0).round(9)) / 2)
    return kept, used, np.array(found).reshape(len(used), len(kept))


def _judges(values: SamplerTargetValues, target: str) -> bool:
    return any(key[1] == target for key in values)


def _ranks(values: SamplerTargetValues, labels: Sequence[str], target: str) -> Array:
    """Ranks on one target, (labels,), ties sharing their mean."""
    keys = [rank_key(values[x, target]) for x in labels]
    order = sorted(set(keys))
    return doubled_midranks(np.array([order.index(k) for k in keys])) / 2
