r"""Whether a metric takes its scale from the tested samples.

A metric whose bandwidth or scale is estimated from the tested samples cannot be found by any null
draw: under p = q samples and reference are exchangeable, and its floor is as calibrated as any.
It is found by what it does (``scale_response``): most points are sent far away in two clusters; a
scale taken from the samples then grows with their distance, and what happens to the remaining
points becomes small compared with it. A metric that grows with the distance itself (moments,
energies, transport, KSD through the score) is exempt: its value shows the far points, and this
check says nothing of it. A metric that is kept for a paper's sake and has such a scale declares
``scale_from_samples = True``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from metrics.base import Evidence, Metric
from targets.base import Target

#: Share of the points that are sent away: it moves the median distance of the samples, and that
#: of samples and reference pooled.
AWAY = 0.8
NEAR, FAR = 30.0, 3e4  # how far, in scales
GROSS = 3.0  # by how many scales the remaining points are shifted
GROWS, SINKS = 3.0, 0.1
ENDLESS = 1e300  # a growth that JSON can hold


@dataclass(frozen=True)
class ScaleResponse:
    """How a value grows with the distance of far points, and how its contrast shrinks.

    ``contrast``: what a gross shift of the near points changes, far over near; None where it
    changes nothing at either distance (mode shares, which the far points fill already).
    """

    growth: float
    contrast: float | None

    @property
    def verdict(self) -> str:
        """``grows``, ``fixed``, ``no contrast``, or ``moves``: the scale is the samples' own."""
        if self.growth > GROWS:
            return "grows"
        if self.contrast is None:
            return "no contrast"
        return "moves" if self.contrast < SINKS else "fixed"


def scale_response(metric: Metric, target: Target, n: int = 400, seed: int = 0) -> ScaleResponse:
    """How the metric responds to far points among the samples; float64, n points."""
    home = target.to("cpu", torch.float64)
    rng = torch.Generator().manual_seed(seed)
    x, reference = home.blocks(n, 2, rng)
    z = torch.randn(x.shape, generator=rng, dtype=x.dtype)
    evidence = Evidence(home, reference, seed)

    def value(distance: float, shift: float) -> float:
        try:
            return metric.estimate(_scattered(x, home, distance, shift, z), evidence).value
        except (ValueError, ArithmeticError, RuntimeError):
            return math.inf  # it refuses such points: it does not pass over them in silence

    near, far = value(NEAR, 0.0), value(FAR, 0.0)
    if not (math.isfinite(near) and math.isfinite(far)):
        return ScaleResponse(ENDLESS, None)
    growth = min(abs(far) / abs(near), ENDLESS) if near else (ENDLESS if far else 1.0)
    contrasts = [abs(value(NEAR, GROSS) - near), abs(value(FAR, GROSS) - far)]
    changed = contrasts[0] > 1e-9 * max(abs(near), 1e-300)
    return ScaleResponse(growth, contrasts[1] / contrasts[0] if changed else None)


def _scattered(x: Tensor, target: Target, distance: float, shift: float, z: Tensor) -> Tensor:
    """Most points in two clusters along the first axis, the rest shifted along the last one."""
    away = round(AWAY * len(x))
    made = x.clone()
    side = 1.0 - 2.0 * (torch.arange(away, device=x.device) % 2).to(x.dtype)
    made[:away] = x.mean(0) + 0.5 * target.scale * z[:away]
    made[:away, 0] += side * distance * target.scale
    made[away:, -1] += shift * target.scale
    return made
