r"""Whether a floor holds: false alarms, zero means, and rulers that stay put.

**False alarms.** A value v is told from R floor draws where p = (1 + #{draws >= v}) / (R + 1) <=
level, that is, where v lies above the k-th largest draw T, k = floor(level (R + 1)). For a
continuous null law, 1 - F(T) is the k-th smallest of R uniforms, Beta(k, R + 1 - k), so the number
of alarms among m fresh null draws is

    beta-binomial(m, k, R + 1 - k),   mean m k / (R + 1),

the floor's own error included. Where values tie, the number *above* T is stochastically no larger
and the number *at or above* T no smaller than that, so the first is held against the upper limit,
the second against the lower one. Over all cells together: Bonferroni, since metrics share draws.

**Zero means.** A metric that calls itself ``signed`` has mean zero under p = q. The studentised
mean of m draws is held against t quantiles, with the Edgeworth term of the law's skewness g
(Hall 1992, section 2.6): x_q = t_q - g (2 t_q^2 + 1) / (6 sqrt(m)). It catches a V-statistic
taken for an unbiased one.

**Rulers.** A metric whose bandwidth comes from the tested samples cannot be caught by any null
draw: under p = q samples and reference are exchangeable, and its floor is as calibrated as any.
It is caught by what it does (``ruler``): most points are sent far away in two clusters; a ruler
taken from the samples then grows with their distance, and what happens to the remaining points
sinks below it. A metric that grows with the distance itself (moments, energies, transport, KSD
through the score) is exempt: its value tells of the far points, and this check says nothing of it.
A metric that is kept for a paper's sake and has such a ruler says so with ``own_ruler = True``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from metrics.base import Evidence, Metric
from targets.base import Target

Array = np.ndarray
LEVEL = 0.05
#: Chance that a suite of sound floors is called unsound, for each of the two kinds of test.
FAMILY = 0.05
#: Share of the points that ``ruler`` sends away: it moves the median distance of the samples, and
#: that of samples and reference pooled.
AWAY = 0.8
NEAR, FAR = 30.0, 3e4  # how far, in scales
GROSS = 3.0  # by how many scales the remaining points are shifted
GROWS, SINKS = 3.0, 0.1
ENDLESS = 1e300  # a growth that JSON can hold


def rank(draws: int, level: float = LEVEL) -> int:
    """k: values above the k-th largest of so many floor draws have p <= level; 0 if none can."""
    return math.floor(level * (draws + 1) + 1e-9)


def threshold(law: Array, level: float = LEVEL) -> float:
    """The k-th largest floor draw; infinite where the floor is too short to tell anything."""
    k = rank(len(law), level)
    return float(np.sort(np.asarray(law, dtype=np.float64))[-k]) if k else math.inf


def above(value: float, limit: float) -> bool:
    """Whether the judge tells the value from the floor; rounding must not decide a tie."""
    return value == math.inf or value - 1e-6 * abs(value) > limit


@dataclass(frozen=True)
class Null:
    """Fresh null draws of a metric against its floor: ``reached`` counts ties, ``seen`` not."""

    draws: int
    seen: int
    reached: int
    mean: float
    sd: float
    skew: float


def null_of(values: list[float], limit: float) -> Null:
    """Counts of fresh null values against a floor's threshold, moments of the finite ones."""
    array = np.asarray([v for v in values if math.isfinite(v)] or [0.0], dtype=np.float64)
    sd = float(array.std(ddof=1)) if len(array) > 1 else 0.0
    skew = float(stats.skew(array)) if sd > 0 else 0.0
    seen = sum(bool(above(v, limit)) for v in values)
    reached = sum(bool(v + 1e-6 * abs(v) >= limit) for v in values)
    return Null(len(values), seen, reached, float(array.mean()), sd, skew)


def alarm_band(fresh: int, floor: int, error: float, level: float = LEVEL) -> tuple[int, int]:
    """Least and most alarms among ``fresh`` null draws; outside with chance at most ``error``."""
    k = rank(floor, level)
    if k == 0:
        return 0, 0
    law = stats.betabinom(fresh, k, floor + 1 - k)
    return int(law.ppf(error / 2.0)), int(law.isf(error / 2.0))


def mean_band(null: Null, error: float) -> tuple[float, float]:
    """Limits of the studentised mean of a law of mean zero and the skewness seen."""
    t = float(stats.t.isf(error / 2.0, null.draws - 1))
    lean = null.skew * (2.0 * t * t + 1.0) / (6.0 * math.sqrt(null.draws))
    return -t - lean, t - lean


def alarm_faults(cells: Mapping[str, tuple[Null, int]], family: float = FAMILY) -> dict[str, str]:
    """Cells, name -> (null, floor draws), whose alarms leave the simultaneous band, with why."""
    faults = {}
    for name, (null, floor) in cells.items():
        low, high = alarm_band(null.draws, floor, family / len(cells))
        if null.seen > high or null.reached < low:
            count = null.seen if null.seen > high else null.reached
            faults[name] = (f"{count} false alarms in {null.draws} null draws, outside {low} to "
                            f"{high}: the floor is not this metric's at this n")
    return faults


def mean_faults(cells: Mapping[str, Null], family: float = FAMILY) -> dict[str, str]:
    """Cells of signed metrics whose null mean is not zero, with why."""
    faults = {}
    for name, null in cells.items():
        if null.draws < 2 or null.sd == 0.0:
            continue
        z = null.mean * math.sqrt(null.draws) / null.sd
        low, high = mean_band(null, family / len(cells))
        if not low <= z <= high:
            faults[name] = (f"mean {null.mean:.3g} under exact sampling, {z:.1f} standard errors "
                            "from zero: it is not unbiased, so it must not be signed")
    return faults


# ---- rulers ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ruler:
    """How a value grows with the distance of far points, and how its contrast shrinks.

    ``contrast``: what a gross shift of the near points changes, far over near; None where it
    changes nothing at either distance (mode shares, which the far points fill already).
    """

    growth: float
    contrast: float | None

    @property
    def verdict(self) -> str:
        """``grows``, ``fixed``, ``no contrast``, or ``moves``: a ruler made of the samples."""
        if self.growth > GROWS:
            return "grows"
        if self.contrast is None:
            return "no contrast"
        return "moves" if self.contrast < SINKS else "fixed"


def _scattered(x: Tensor, target: Target, distance: float, shift: float, z: Tensor) -> Tensor:
    """Most points in two clusters along the first axis, the rest shifted along the last one."""
    away = round(AWAY * len(x))
    made = x.clone()
    side = 1.0 - 2.0 * (torch.arange(away, device=x.device) % 2).to(x.dtype)
    made[:away] = x.mean(0) + 0.5 * target.scale * z[:away]
    made[:away, 0] += side * distance * target.scale
    made[away:, -1] += shift * target.scale
    return made


def ruler(metric: Metric, target: Target, n: int = 400, seed: int = 0) -> Ruler:
    """Whether the metric's ruler moves with what it measures; float64, n points."""
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
        return Ruler(ENDLESS, None)
    growth = min(abs(far) / abs(near), ENDLESS) if near else (ENDLESS if far else 1.0)
    contrasts = [abs(value(NEAR, GROSS) - near), abs(value(FAR, GROSS) - far)]
    seen = contrasts[0] > 1e-9 * max(abs(near), 1e-300)
    return Ruler(growth, contrasts[1] / contrasts[0] if seen else None)
