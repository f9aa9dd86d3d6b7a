"""The overhead: a thousand steps that do nothing.

A baseline sampler. Its seconds are those of the harness itself (loop, meter, clock): what is left
of any other sampler's time after subtracting them, step for step, is the sampler's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bench.core.density import Density
from samplers.base import Sampler, initial_points


@dataclass(frozen=True)
class Overhead(Sampler):
    """Baseline: steps that do nothing, so that its time is the harness's own."""

    name = "overhead"
    kind = "baseline"
    family = "baseline"
    steps = 1000
    update = "x <- x"
    citation = "baseline"
    limitations = "cannot do anything"
    exempt = {"recovers_distribution": "a baseline: it draws the initial distribution, which the "
                                       "kit must refuse"}

    def init(self, target: Density, rng: torch.Generator) -> None:
        """Nothing is kept."""

    def step(self, target: Density, state: None, progress: float, rng: torch.Generator) -> None:
        """Nothing is done."""

    def draw(self, target: Density, state: None, n: int, rng: torch.Generator) -> Tensor:
        """n points of the initial distribution."""
        return initial_points(target, n, rng)
