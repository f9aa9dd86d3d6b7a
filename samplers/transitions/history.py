"""A bounded record of a run of chains: what a continuing sampler is drawn from.

Level j holds the latest ``DEPTH`` snapshots taken at steps that 2^j divides. The start of a run
must be forgotten, so points come from the *later half* of the steps only: from the finest level
that still reaches back that far, so that the thinning interval doubles whenever a level is full.
The finer levels resolve autocorrelation times far below that interval. A run of T steps keeps at
most DEPTH (log2(T / DEPTH) + 2) snapshots.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from samplers.transitions.convergence import autocorrelation_time, split_rhat

DEPTH = 128
_RESOLVED = 10  # a window is long enough for an autocorrelation time of a tenth of it


def choose(points: Tensor, n: int, rng: torch.Generator) -> Tensor:
    """At most n random rows, without replacement."""
    return points[torch.randperm(len(points), generator=rng, device=points.device)[:n]]


@dataclass(frozen=True)
class History:
    """Snapshots of shape (chains, dim), level by level, oldest first; never changed in place."""

    levels: tuple[tuple[Tensor, ...], ...]
    steps: int = 0

    @classmethod
    def start(cls, x: Tensor) -> History:
        """The record of a run that has made no step; ``x`` has shape (chains, dim)."""
        return cls(((x,),))

    def append(self, x: Tensor) -> History:
        """The record one step later."""
        steps = self.steps + 1
        levels = list(self.levels)
        for j in range((steps & -steps).bit_length()):  # the levels whose interval divides steps
            older = levels[j] if j < len(levels) else ()
            levels[j : j + 1] = [(*older[1 - DEPTH :], x)]
        return History(tuple(levels), steps)

    @property
    def latest(self) -> Tensor:
        """The chains now, shape (chains, dim)."""
        return self.levels[0][-1]

    def _in_later_half(self, j: int) -> int:
        """How many multiples of 2^j lie in (steps / 2, steps]."""
        return (self.steps >> j) - (self.steps // 2 >> j)

    @property
    def level(self) -> int:
        """The finest level that reaches back over the later half of the steps."""
        return next(j for j in range(64) if self._in_later_half(j) <= DEPTH)

    def later_half(self) -> Tensor:
        """Snapshots of the later half, 2^level steps apart: (m, chains, dim), m <= DEPTH."""
        m = max(1, self._in_later_half(self.level))
        return torch.stack(self.levels[self.level][-m:])

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """Random rows without replacement: of the latest snapshot where it has enough of them.

        Otherwise of the whole later half, and no more than it holds.
        """
        x = self.latest
        return choose(x if n <= len(x) else self.later_half().flatten(0, 1), n, rng)

    def steps_to_independence(self) -> float:
        """Steps after which the chains are fresh: the integrated autocorrelation time, at least 1.

        Measured on the finest level whose window is ten times as long; where none is, on the later
        half. A run too short for an estimate (or not finite) is as long as it took: its own steps.
        """
        for j in range(self.level + 1):
            window = self.levels[j][-max(1, self._in_later_half(j)) :]
            tau = autocorrelation_time(torch.stack(window)) if len(window) >= 8 else math.nan
            if tau * _RESOLVED <= len(window):
                break
        return float(max(1, self.steps)) if math.isnan(tau) else tau * 2**j

    def diagnostics(self) -> dict[str, float]:
        """Split R-hat and effective sample size over the later half, autocorrelation time."""
        half = self.later_half()
        tau = self.steps_to_independence()
        ess = half.shape[1] * max(1.0, self.steps / 2 / tau)
        found = {"rhat": split_rhat(half), "autocorrelation_steps": tau, "ess": ess}
        return {k: v for k, v in found.items() if math.isfinite(v)}
