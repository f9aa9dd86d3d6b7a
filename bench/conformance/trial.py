"""A sampler driven for some steps as the harness drives it, without budget, clock or judge."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from bench.core.density import Density
from samplers.base import Sampler


@dataclass
class Trial:
    """A run of ``steps`` steps on a target, without checkpoints."""

    sampler: Sampler
    target: Density
    steps: int
    seed: int = 0
    state: Any = field(init=False)

    def __post_init__(self) -> None:
        self.rng = torch.Generator(self.target.device).manual_seed(self.seed)
        self.state = self.sampler.init(self.target, self.rng)
        self.made = 0

    def run(self, steps: int | None = None) -> Trial:
        """Take so many steps, or all; returns itself."""
        for _ in range(self.steps if steps is None else steps):
            progress = min(self.made / max(1, self.steps), 1.0)
            self.state = self.sampler.step(self.target, self.state, progress, self.rng)
            self.made += 1
        return self

    def draw(self, n: int, seed: int = 1) -> Tensor:
        """At most n points of the present state, (m, dim), by a generator of their own."""
        rng = torch.Generator(self.target.device).manual_seed(seed)
        return self.sampler.draw(self.target, self.state, n, rng)
