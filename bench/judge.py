"""The judge: scores points against a seed's own reference block and the floors of the run."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from bench.loop import Look
from bench.streams import stream
from metrics.base import Evidence, Metric
from metrics.parts.weighing import OfWeights
from results.arrays import read_arrays
from results.floors import p_value
from results.records import Measure
from targets.base import Target


class Judge:
    """Metrics on one target, for one seed; all samplers of a seed meet the same evidence.

    ``metrics`` is by label; measures and floors carry the label.
    """

    def __init__(self, target: Target, name: str, metrics: dict[str, Metric], seed: int, n: int,
                 floors: Path) -> None:
        self.metrics = {label: m for label, m in metrics.items() if m.applies(target)}
        self.weighers = {label: m for label, m in metrics.items()
                         if isinstance(m, OfWeights) and m.weighs(target)}
        reference = reference_block(target, name, seed, n) if target.has_reference else None
        self.evidence = Evidence(target, reference, seed)
        self.floors = read_floors(floors)

    def warm_up(self) -> None:
        """Score a few points once, so that no job pays for what the metrics import."""
        if self.evidence.reference is not None:
            few = self.evidence.reference[:20]
            for metric in self.metrics.values():
                metric.estimate(few, Evidence(self.evidence.target, few))

    def measures(self, key: str, look: Look, n_curve: int) -> list[Measure]:
        """The curve's points at every look, the table's at the last."""
        curve = self._score(key, look, "curve", look.points[:n_curve])
        if not look.final:
            return curve
        if len(look.points) <= n_curve:
            return curve + [replace(m, stage="final") for m in curve]
        return curve + self._score(key, look, "final", look.points)

    def _score(self, key: str, look: Look, stage: str, points: Tensor) -> list[Measure]:
        measures = [self._measure(key, look.index, stage, label, m,
                                  points[:m.points(len(points))], self.evidence)
                    for label, m in self.metrics.items()]
        if not self.weighers:
            return measures
        evidence = self._weighed(look, len(points))
        return measures + [self._measure(key, look.index, stage, label, m, points, evidence)
                           for label, m in self.weighers.items() if m.answered(evidence.weighing)]

    def _weighed(self, look: Look, n: int) -> Evidence:
        """The evidence with what the sampler says of its own law at n draws and n exact points."""
        exact = self.evidence.reference
        return replace(self.evidence, weighing=look.weigh(
            n, None if exact is None else exact[:n].clone()))

    def _measure(self, key: str, index: int, stage: str, label: str, metric: Metric,
                 x: Tensor, evidence: Evidence) -> Measure:
        start = time.perf_counter()
        estimate, note = None, ""
        try:
            estimate = metric.estimate(x, evidence)
            if not math.isfinite(estimate.value):
                estimate, note = None, "the metric is not finite on these points"
        except (ValueError, ArithmeticError, RuntimeError) as error:
            note = f"{type(error).__name__}: {error}"
        floor = self.floors.get(f"{label}/{len(x)}")
        facts: dict[str, Any] = {}
        if floor is not None:
            facts = {"floor_mean": float(floor.mean()), "floor_sd": float(floor.std(ddof=1))}
            if estimate is not None:
                facts["p"] = p_value(estimate.value, floor)
        return Measure(key, index, stage, label, metric.version, len(x),
                       None if estimate is None else estimate.value,
                       None if estimate is None else estimate.se,
                       parts=() if estimate is None else estimate.parts,
                       seconds=time.perf_counter() - start, note=note, **facts)


def reference_block(target: Target, name: str, seed: int, n: int) -> Tensor:
    """The n exact points that belong to a seed, shape (n, dim); other seeds have others."""
    return target.sample(n, stream("reference", name, seed, device=target.device))


def read_floors(path: Path) -> dict[str, np.ndarray]:
    """Null draws by ``label/n``; empty where the target has no reference."""
    if not path.exists():
        return {}
    return {k: v.astype(np.float64) for k, v in read_arrays(path).items() if "/" in k}
