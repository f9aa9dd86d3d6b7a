"""The judge: scores points against a seed's own reference block and the floors of the run."""

from __future__ import annotations

import math
import time
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.core.seeds import stream
from bench.harness import validation
from bench.harness.loop import CheckpointView
from metrics.base import Estimate, Evidence, Metric
from metrics.importance.log_weight_metric import LogWeightMetric
from results.records.floors_file import Floors
from results.records.schema import Measure
from results.statistics.p_value import p_value
from targets.base import Target


class Judge:
    """Metrics on one target, for one seed; all samplers of a seed meet the same evidence.

    ``metrics`` is by label; measures and floors carry the label.
    """

    def __init__(self, target: Target, name: str, metrics: dict[str, Metric], seed: int, n: int,
                 floors: Floors) -> None:
        self.name = name
        self.metrics = {label: m for label, m in metrics.items() if m.applies(target)}
        self.log_weight_metrics = {label: m for label, m in metrics.items()
                         if isinstance(m, LogWeightMetric) and m.applies_with_weights(target)}
        reference = reference_block(target, name, seed, n) if target.has_reference else None
        self.evidence = Evidence(target, reference, seed)
        self.floors = floors
        self._exact_sets: dict[int, Tensor] = {}

    def warm_up(self) -> None:
        """Score a few points once, so that no job pays for what the metrics import."""
        if self.evidence.reference is not None:
            few = self.evidence.reference[:20]
            for metric in self.metrics.values():
                with suppress(Exception):  # the measure itself will say so
                    metric.estimate(few.clone(), Evidence(self.evidence.target, few.clone()))

    def measures(self, key: str, checkpoint: CheckpointView, n_curve: int) -> list[Measure]:
        """The curve's points at every checkpoint, the table's at the last."""
        curve = self._score(key, checkpoint, "curve", checkpoint.points[:n_curve])
        if not checkpoint.final:
            return curve
        if len(checkpoint.points) <= n_curve:
            return curve + [replace(m, stage="final") for m in curve]
        return curve + self._score(key, checkpoint, "final", checkpoint.points)

    def _score(self, key: str, checkpoint: CheckpointView, stage: str,
               points: Tensor) -> list[Measure]:
        measures = [self._measure(key, checkpoint.index, stage, label, m, points, self.evidence)
                    for label, m in self.metrics.items()]
        if not self.log_weight_metrics:
            return measures
        evidence = self._with_log_weights(checkpoint, len(points))
        return measures + [self._measure(key, checkpoint.index, stage, label, m, points, evidence)
                           for label, m in self.log_weight_metrics.items()
                           if m.answered(evidence.log_weights)]

    def _with_log_weights(self, checkpoint: CheckpointView, n: int) -> Evidence:
        """The evidence, with the sampler's log-weights at n draws and n exact points."""
        return replace(self.evidence, log_weights=checkpoint.log_weights(n, self._exact_points(n)))

    def _exact_points(self, n: int) -> Tensor | None:
        """Exact points for log-weights: a copy, and none that the sampler is judged by."""
        reference, target = self.evidence.reference, self.evidence.target
        if reference is None:
            return None
        if n not in self._exact_sets:
            try:
                drawn = target.sample(2 * n, self._stream("weigh-exact"))
            except ValueError:  # a pool that holds no more
                drawn = target.sample(n, self._stream("weigh-exact"))
            known = {tuple(row) for row in reference.tolist()}
            fresh = [i for i, row in enumerate(drawn.tolist()) if tuple(row) not in known]
            self._exact_sets[n] = drawn[fresh[:n]]
        return self._exact_sets[n].clone() if len(self._exact_sets[n]) else None

    def _stream(self, purpose: str) -> torch.Generator:
        return stream(purpose, self.name, self.evidence.seed, device=self.evidence.target.device)

    def _measure(self, key: str, index: int, stage: str, label: str, metric: Metric,
                 points: Tensor, evidence: Evidence) -> Measure:
        """A metric's value on a copy of the points; whatever it raises is a note, no more."""
        start, notes, n = time.perf_counter(), [], len(points)
        estimate: Estimate | None = None
        try:
            n = min(validation.whole(metric.points(n)), n)
            estimate = validation.estimate(metric.estimate(points[:n].clone(), evidence))
            if not math.isfinite(estimate.value):
                estimate, notes = None, ["the metric is not finite on these points"]
        except Exception as error:
            notes = [f"{type(error).__name__}: {error}"]
        facts, why = self._against(f"{label}/{n}", estimate)
        value, se, parts = ((None, None, ()) if estimate is None
                            else (estimate.value, estimate.se, estimate.parts))
        return Measure(key, index, stage, label, metric.version, n, value, se, parts=parts,
                       seconds=time.perf_counter() - start, note="; ".join([*notes, *why]),
                       **facts)

    def _against(self, key: str, estimate: Estimate | None) -> tuple[dict[str, Any], list[str]]:
        """What the floor says of an estimate, and why it does not where it cannot."""
        floor = self.floors.draws.get(key)
        if floor is None:
            return {}, [self.floors.left_out[key]] if key in self.floors.left_out else []
        if not np.isfinite(floor).all():
            return {}, ["no floor: the metric is not finite on exact points"]
        facts = {"floor_mean": float(floor.mean()), "floor_sd": float(floor.std(ddof=1))}
        return facts if estimate is None else facts | {"p": p_value(estimate.value, floor)}, []


def reference_block(target: Target, name: str, seed: int, n: int) -> Tensor:
    """The n exact points that belong to a seed, shape (n, dim); other seeds have others."""
    return target.sample(n, stream("reference", name, seed, device=target.device))
