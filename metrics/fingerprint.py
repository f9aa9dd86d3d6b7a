"""A metric is identified by how it behaves on a target: a fingerprint that survives a refactor."""

from __future__ import annotations

import math

from bench.core.fingerprint import probes
from metrics.base import Evidence, Metric
from targets.base import Target

_POINTS = 64


def fingerprint(metric: Metric, target: Target) -> float | None:
    """The metric's value at 64 fixed points against 64 others, in float64 on the CPU.

    No random number and no exact sampler is used, so that only the metric and the density decide:
    a bandwidth, a weight or a unit that changes shows here, whatever its version says. None where
    the metric has no finite value on such points.
    """
    home = target.to("cpu", probes(1, 1.0).dtype)
    points = probes(home.dim, home.scale, 2 * _POINTS)
    try:
        value = float(metric.estimate(points[:_POINTS], Evidence(home, points[_POINTS:])).value)
    except Exception:  # a metric that is wrong shows where it is used
        return None
    return value if math.isfinite(value) else None
