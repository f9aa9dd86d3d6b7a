"""The floor: independent points of the target itself.

A baseline sampler. It takes no step; ``draw`` asks the target's own exact sampler, which no other
sampler is shown. What a metric says of it is what the metric says of perfection at the same n.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor

from bench.core.density import Density
from samplers.base import Sampler


class _Sampleable(Protocol):
    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """n independent points of the target."""


@dataclass(frozen=True)
class Exact(Sampler):
    """Baseline: independent points of the target, the best any sampler can do."""

    name = "exact"
    kind = "baseline"
    family = "baseline"
    steps = 0
    update = "x ~ p"
    citation = "baseline"
    limitations = "cannot run on a target without an exact sampler or reference"
    law_settings = {"steps": 0}

    def init(self, target: Density, rng: torch.Generator) -> None:
        """Nothing is kept."""

    def step(self, target: Density, state: None, progress: float, rng: torch.Generator) -> None:
        """Nothing is done."""

    def draw(self, target: Density, state: None, n: int, rng: torch.Generator) -> Tensor:
        """n points by the target's ``sample``, which the harness shows to this sampler only."""
        return cast(_Sampleable, target).sample(n, rng)
