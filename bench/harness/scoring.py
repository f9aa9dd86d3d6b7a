"""The judging side of a job: what is looked at becomes records, points are scored and kept.

It never meets the sampler, only what a checkpoint shows (``bench.harness.loop.CheckpointView``).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.core.compilation import compiling
from bench.harness.judge import Judge
from bench.harness.loop import CheckpointView
from metrics.base import Metric
from results.records.arrays import save_arrays
from results.records.schema import Checkpoint, Record
from results.records.store import StoreError
from targets.base import Target

Tell = Callable[[dict[str, Any]], None]


class Scorer:
    """Records of a job's checkpoints and measures, as they come."""

    def __init__(self, spec: dict[str, Any], seed: int, target: Target,
                 metrics: dict[str, Metric], tell: Tell) -> None:
        common, label = spec["common"], spec["target"]["label"]
        self.key, self.n_curve, self.tell = spec["keys"][str(seed)], common["n_curve"], tell
        self.folder = Path(common["folder"])
        floors = self.folder / "floors" / f"{label}.npz"
        if target.has_reference and not floors.exists():
            raise StoreError(f"'{floors}' is missing, and with it what exact samples score; "
                             "make it again with --resume")
        self.judge = Judge(target, label, metrics, seed, common["n"], floors)
        self.records: list[Record] = []
        self.seconds = 0.0
        self.judge.warm_up()

    def see(self, checkpoint: CheckpointView) -> None:
        """Score a checkpoint, and tell who is watching; the last state's points are kept."""
        start = time.process_time()
        self.records.append(Checkpoint(
            self.key, checkpoint.index, checkpoint.progress, checkpoint.steps, checkpoint.spent,
            len(checkpoint.points), checkpoint.draw, checkpoint.final, checkpoint.diagnostics))
        with compiling(False):  # a job scores too few sets for it to pay
            measures = self.judge.measures(self.key, checkpoint, self.n_curve)
        self.records.extend(measures)
        self.seconds += time.process_time() - start
        self.tell({"event": "look", "key": self.key, "progress": checkpoint.progress,
                   "steps": checkpoint.steps, "spent": asdict(checkpoint.spent),
                   "values": {m.metric: m.value for m in measures if m.value is not None}})
        if checkpoint.final:
            save_arrays(self.folder / "samples" / f"{self.key}.npz",
                        {"points": checkpoint.points.float().cpu().numpy()})
