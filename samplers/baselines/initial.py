"""The ceiling: points of the initial distribution, as every sampler starts from.

A baseline sampler. It takes no step and evaluates nothing; a sampler that does not beat it
learnt nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bench.core.density import Density
from samplers.base import Sampler, initial_points


@dataclass(frozen=True)
class Initial(Sampler):
    """Baseline: the initial distribution N(0, scale^2 I), what doing nothing gives."""

    name = "initial"
    kind = "baseline"
    family = "baseline"
    steps = 0
    update = "x ~ N(0, scale^2 I)"
    citation = "baseline"
    limitations = "cannot know the target beyond its declared scale"
    law_settings = {"steps": 0}
    exempt = {"recovers_distribution": "a baseline: it draws the initial distribution, which the "
                                       "kit must refuse"}

    def init(self, target: Density, rng: torch.Generator) -> None:
        """Nothing is kept."""

    def step(self, target: Density, state: None, progress: float, rng: torch.Generator) -> None:
        """Nothing is done."""

    def draw(self, target: Density, state: None, n: int, rng: torch.Generator) -> Tensor:
        """n points of the initial distribution."""
        return initial_points(target, n, rng)
