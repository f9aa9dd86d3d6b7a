"""The judging side of a job: what a checkpoint shows becomes records, and its points are scored.

It never meets the sampler, only what a checkpoint shows (``bench.harness.loop.CheckpointView``).
"""

from __future__ import annotations

import time
from collections.abc import Callable

from torch import Tensor

from bench.core.compilation import compiling
from bench.harness.judge import Judge
from bench.harness.loop import CheckpointView
from results.records.schema import Checkpoint, Measure

#: Hears of each checkpoint once it has been scored.
OnCheckpoint = Callable[[Checkpoint, list[Measure]], None]


class Scorer:
    """Records of a job's checkpoints and measures, as they come, and the points of the last.

    ``key`` joins the records; ``n_curve`` points are scored at each checkpoint, all at the last.
    """

    def __init__(self, key: str, judge: Judge, n_curve: int, on_checkpoint: OnCheckpoint) -> None:
        self.key, self.judge, self.n_curve = key, judge, n_curve
        self.records: list[Checkpoint | Measure] = []
        self.points: Tensor | None = None
        self.seconds = 0.0
        self._on_checkpoint = on_checkpoint
        judge.warm_up()

    def see(self, checkpoint: CheckpointView) -> None:
        """Score a checkpoint, and tell who is watching."""
        start = time.process_time()
        record = Checkpoint(
            self.key, checkpoint.index, checkpoint.progress, checkpoint.steps, checkpoint.spent,
            len(checkpoint.points), checkpoint.draw, checkpoint.final, checkpoint.diagnostics)
        with compiling(False):  # a job scores too few sets for it to pay
            measures = self.judge.measures(self.key, checkpoint, self.n_curve)
        self.records += [record, *measures]
        self.seconds += time.process_time() - start
        if checkpoint.final:
            self.points = checkpoint.points
        self._on_checkpoint(record, measures)
