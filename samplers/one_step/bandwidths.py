"""How widths of the kernel are chosen: a ladder of widths, and a weight on each.

All widths are derived from the declared scale R of the target:

    s_j = top R / 2^j,   j = 0 .. rungs - 1.

- ``fixed``: one width, given in the target's units (the drifting paper's).
- ``annealed``: one width, falling from top R to the given one over the first ``UNTIL`` of the run,
  geometrically.
- ``ladder``: all rungs, equally.
- ``adaptive``: all rungs, with weights alpha_j learned from the importance weights b of points u
  that were proposed by kernels of all widths, q~ = sum_j alpha_j q_j:

      alpha_j  <-  (1 - rate) alpha_j + rate sum_u b(u) alpha_j q_j(u) / q~(u) / sum_u b(u).

  This is the recursion of Douc et al. [1]; its fixed point is the weighting of the rungs that
  minimises KL(p | q~), that is, which makes the perplexity of the weights (an effective sample
  size) largest. So the finest width is found and not given: it is the kernel bandwidth with which
  as many centres as there are predict the target best. A run climbs most of the way: the main
  rung weighs .46 after 500 updates and .86 after 6,000 where the fixed point is .89. A floor under
  the sum of all weights, falling from ``FLOOR_FIRST`` to ``FLOOR_LAST``, keeps every width in play
  while modes are looked for.

[1] Douc, Guillin, Marin, Robert. Convergence of adaptive mixtures of importance sampling schemes.
    Annals of Statistics 35 (2007), section 5 (D-kernel population Monte Carlo).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from bench.core.density import Density

Schedule = Literal["fixed", "annealed", "ladder", "adaptive"]
SCHEDULES: tuple[Schedule, ...] = ("fixed", "annealed", "ladder", "adaptive")

#: Rate of the recursion; at 640 points an update, .02 averages over 32,000 points.
RATE = 0.02
FLOOR_FIRST, FLOOR_LAST, UNTIL = 0.8, 0.02, 0.8
#: A rung whose weight is under this many times the last floor takes no part in the drift.
IDLE = 1.5


@dataclass(frozen=True)
class Bandwidths:
    """Widths in the target's units, widest first, and their weights (rungs,), of sum 1."""

    schedule: Schedule
    widths: tuple[float, ...]
    weights: Tensor
    last: float

    @classmethod
    def start(cls, schedule: Schedule, target: Density, rungs: int, top: float,
              given: float) -> Bandwidths:
        """``given``: the one width of ``fixed``, the last of ``annealed``, in target units."""
        if schedule == "fixed":
            widths = [given]
        elif schedule == "annealed":
            widths = [top * target.scale]
        else:
            widths = [top * target.scale / 2**j for j in range(rungs)]
        weights = torch.full((len(widths),), 1.0 / len(widths), device=target.device,
                             dtype=target.dtype)
        return cls(schedule, tuple(widths), weights, given)

    def at(self, progress: float, first: float) -> Bandwidths:
        """``annealed`` moves from the width ``first``; all others stay as they are."""
        if self.schedule != "annealed":
            return self
        width = first * (self.last / first) ** min(1.0, progress / UNTIL)
        return Bandwidths(self.schedule, (width,), self.weights, self.last)

    def observed(self, shares: Tensor, progress: float) -> Bandwidths:
        """After importance weights were seen: ``shares`` (rungs,) of their sum, by rung."""
        if self.schedule != "adaptive":
            return self
        excess = (FLOOR_FIRST - FLOOR_LAST) * max(0.0, 1.0 - progress / UNTIL)
        floor = (FLOOR_LAST + excess) / len(self.widths)
        weights = ((1.0 - RATE) * self.weights + RATE * shares).clamp_min_(floor)
        return Bandwidths(self.schedule, self.widths, weights / weights.sum(), self.last)

    def active(self) -> tuple[list[float], list[float]]:
        """Widths that take part in the drift, and their weights, of sum 1."""
        weights = self.weights.tolist()
        least = IDLE * FLOOR_LAST / len(weights) if self.schedule == "adaptive" else 0.0
        kept = [(s, w) for s, w in zip(self.widths, weights, strict=True) if w > least]
        total = sum(w for _, w in kept)
        return [s for s, _ in kept], [w / total for _, w in kept]

    def main(self) -> float:
        """The width of the largest weight, in the target's units."""
        return self.widths[int(self.weights.argmax())]
