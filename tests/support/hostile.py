"""Samplers that are right but for one thing, and the loop played with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bench.core.density import Density
from bench.harness.budget import Budget
from bench.harness.loop import CheckpointView, JobLoop, Outcome
from samplers.base import Sampler, initial_points, normal
from targets.base import Target


class Bell(Target):
    """A standard normal in the plane."""

    name = "bell"
    dim = 2
    scale = 1.0
    has_reference = True
    log_z = 1.8378770664093453

    def log_prob(self, x: Tensor) -> Tensor:
        return -(x**2).sum(-1) / 2

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        return torch.randn((n, 2), generator=rng, dtype=self.dtype)


@dataclass
class State:
    """Particles, and the steps they made."""

    x: Tensor
    steps: int = 0


@dataclass(frozen=True)
class Fair(Sampler):
    """A hundred particles that diffuse; every verb is right."""

    name = "fair"
    kind = "continuing"
    family = "mcmc"

    def init(self, target: Density, rng: torch.Generator) -> State:
        return State(initial_points(target, 100, rng))

    def step(self, target: Density, state: State, progress: float, rng: torch.Generator) -> State:
        x = state.x + 0.05 * target.score(state.x)
        return State(x + 0.3 * normal(target, tuple(x.shape), rng), state.steps + 1)

    def draw(self, target: Density, state: State, n: int, rng: torch.Generator) -> Tensor:
        return state.x[:n]

    def independent_steps(self, state: State) -> tuple[int, float]:
        return 100, 10.0


def play(sampler: Sampler, target: Target | None = None, evals: float = 2000, seed: int = 3,
         dtype: torch.dtype = torch.float32, weighed: bool = False
         ) -> tuple[Outcome, list[CheckpointView], JobLoop]:
    """The whole run of a sampler: how it went, what was looked at, the run."""
    looks: list[CheckpointView] = []

    def observe(look: CheckpointView) -> None:
        looks.append(look)
        if weighed:
            look.log_weights(20, torch.zeros(20, 2, dtype=dtype))

    run = JobLoop(sampler, (target or Bell()).to("cpu", dtype), "bell", Budget("evals", evals),
                  seed, 60, 30, weighed)
    return run.play(observe), looks, run


def spoilt(**verbs: Any) -> Sampler:
    """A fair sampler with some attributes of its class replaced."""
    made: Sampler = type("Spoilt", (Fair,), {"__module__": __name__, **verbs})()
    return made
