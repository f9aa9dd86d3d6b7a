"""A plugin of samplers that go wrong, each in its own way, and a user's own target."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.core.density import Density
from bench.core.registry import load
from samplers.base import Sampler, initial_points
from targets.base import Target


class Mine(Target):
    """A user's own target: nothing but log_prob, a dimension and a scale."""

    name = "mine"
    dim = 2
    scale = 1.5

    def log_prob(self, x: Tensor) -> Tensor:
        """A tilted bell."""
        return -(x**2).sum(-1) / 2 - torch.nn.functional.softplus(3 * x[:, 0])


@dataclass(frozen=True)
class Good(Sampler):
    """Counts to the end of its budget."""

    name = "good"
    kind = "one-shot"
    particles: int = 50

    def init(self, target: Density, rng: torch.Generator) -> Tensor:
        """Start."""
        return initial_points(target, self.particles, rng)

    def step(self, target: Density, state: Tensor, progress: float,
             rng: torch.Generator) -> Tensor:
        """Descend."""
        return state + 0.05 * target.score(state)

    def draw(self, target: Density, state: Tensor, n: int, rng: torch.Generator) -> Tensor:
        """The particles."""
        return state[:n]

    def independent_steps(self, state: Tensor) -> tuple[int, float]:
        """All again."""
        return self.particles, 10.0


@dataclass(frozen=True)
class Nan(Good):
    """Turns into NaN."""

    name = "nan"

    def step(self, target: Density, state: Tensor, progress: float,
             rng: torch.Generator) -> Tensor:
        """Divide by zero."""
        return target.score(state) * float("nan")


@dataclass(frozen=True)
class Raises(Good):
    """Raises an exception with markup in it."""

    name = "raises"

    def step(self, target: Density, state: Tensor, progress: float,
             rng: torch.Generator) -> Tensor:
        """Fail."""
        raise ArithmeticError("<script>alert(1)</script> [red]boom[/red]")


@dataclass(frozen=True)
class Hangs(Good):
    """Never comes back."""

    name = "hangs"

    def step(self, target: Density, state: Tensor, progress: float,
             rng: torch.Generator) -> Tensor:
        """Sleep."""
        time.sleep(1000)
        return state


@dataclass(frozen=True)
class Dies(Good):
    """Kills its own process."""

    name = "dies"

    def step(self, target: Density, state: Tensor, progress: float,
             rng: torch.Generator) -> Tensor:
        """Die."""
        os.kill(os.getpid(), signal.SIGKILL)
        return state


@dataclass(frozen=True)
class Greedy(Good):
    """Asks for more memory than any machine has."""

    name = "greedy"

    def step(self, target: Density, state: Tensor, progress: float,
             rng: torch.Generator) -> Tensor:
        """Allocate."""
        return state + torch.empty(1 << 46).sum()


@dataclass(frozen=True)
class Cheat(Good):
    """Evaluates a target of its own."""

    name = "cheat"

    def step(self, target: Density, state: Tensor, progress: float,
             rng: torch.Generator) -> Tensor:
        """Go round the meter."""
        bare = load("targets", "gmm4").to("cpu", torch.float32)
        return state + 0.01 * bare.score(state) + 0 * target.score(state)


@dataclass(frozen=True)
class Refuses(Good):
    """Does not do two dimensions."""

    name = "refuses"

    def init(self, target: Density, rng: torch.Generator) -> Tensor:
        """Decline."""
        raise NotImplementedError("only for one dimension")
