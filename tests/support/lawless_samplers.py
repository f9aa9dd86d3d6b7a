"""Samplers each of which breaks one law of the conformance kit, around a sound one."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.core.density import Density
from bench.core.log_weights import LogWeights
from samplers.base import Sampler, initial_points, normal
from samplers.mcmc.hmc import Hmc, HmcState
from samplers.particles.svgd import Svgd, SvgdState


@dataclass
class State:
    """Positions, and the steps made."""

    x: Tensor
    steps: int = 0


@dataclass(frozen=True)
class Sound(Sampler):
    """Metropolis' algorithm, which keeps every law."""

    name = "sound"
    kind = "continuing"
    family = "mcmc"
    law_settings = {"steps": 150}

    chains: int = 4000

    def init(self, target: Density, rng: torch.Generator) -> State:
        return State(initial_points(target, self.chains, rng))

    def step(self, target: Density, state: State, progress: float, rng: torch.Generator) -> State:
        there = state.x + normal(target, state.x.shape, rng)
        u = torch.rand(len(there), generator=rng, dtype=target.dtype)
        moves = u.log() < target.log_prob(there) - target.log_prob(state.x)
        return State(torch.where(moves[:, None], there, state.x), state.steps + 1)

    def draw(self, target: Density, state: State, n: int, rng: torch.Generator) -> Tensor:
        return state.x[torch.randperm(self.chains, generator=rng)[:n]]

    def points(self, n: int) -> int:
        return min(n, self.chains)

    def independent_steps(self, state: State) -> tuple[int, float]:
        return self.chains, 10.0

    def diagnostics(self, state: State) -> dict[str, float]:
        return {"steps": float(state.steps)}


def broken(**methods: Any) -> Sampler:
    """A sound sampler with other methods or class attributes."""
    return type("Broken", (Sound,), methods)()


def stepping(after: Callable[[Density, State, torch.Generator], Any]) -> Any:
    """A step followed by something else, which may give another state."""
    def step(self: Sound, target: Density, state: State, progress: float,
             rng: torch.Generator) -> State:
        moved = Sound.step(self, target, state, progress, rng)
        return after(target, moved, rng) or moved
    return step


def drawing(draw: Callable[[State, int, torch.Generator], Any]) -> Any:
    return lambda self, target, state, n, rng: draw(state, n, rng)


def _count_the_draw(self: Sound, target: Density, state: State, n: int,
                    rng: torch.Generator) -> Tensor:
    state.steps += 1
    return Sound.draw(self, target, state, n, rng)


_outside: dict[str, int] = {"steps": 0}


def _by_the_module(target: Density, state: State, rng: torch.Generator) -> State:
    _outside["steps"] += 1
    return State(state.x + _outside["steps"], state.steps)


def _weights(**parts: Any) -> Any:
    return lambda self, target, state, n, points, rng: LogWeights(**parts)


#: Law: the samplers that break it, each in its own way.
BREAKS: dict[str, list[Sampler]] = {
    "declares_itself": [broken(kind="eternal"), broken(family="mine"),
                        broken(exempt={"no_such_law": "why"}),
                        broken(exempt={"saves_and_loads": ""}),
                        broken(exempt={"recovers_distribution": "hard"})],
    "is_deterministic_under_a_seed": [
        broken(step=stepping(lambda t, s, r: State(s.x + torch.randn_like(s.x)))),
        broken(draw=drawing(lambda s, n, r: s.x[:n].clone())),
        broken(draw=drawing(lambda s, n, r: s.x[torch.randperm(len(s.x))[:n]])),
        broken(init=lambda self, t, r: State(torch.zeros(self.chains, 2)),
               step=lambda self, t, s, p, r: State(s.x + t.score(s.x)))],
    "leaves_global_generators_alone": [
        broken(step=stepping(lambda t, s, r: torch.rand(1) * 0 and None)),
        broken(step=stepping(lambda t, s, r: np.random.rand() * 0 and None)),
        broken(step=stepping(lambda t, s, r: random.random() * 0 and None))],
    "checkpoints_do_not_change_training": [
        broken(draw=_count_the_draw),
        broken(diagnostics=lambda self, s: s.x.mul_(2.0) is None or {})],
    "draw_leaves_the_state": [broken(draw=drawing(lambda s, n, r: s.x[:n]))],
    "step_cost_is_bounded": [broken(step=stepping(
        lambda t, s, r: t.score(torch.zeros(30_000, 2)) is None or None))],
    "saves_and_loads": [broken(step=stepping(_by_the_module))],
    "draws_what_is_asked_or_what_there_is": [
        broken(draw=drawing(lambda s, n, r: s.x[:n, :1].clone())),
        broken(draw=drawing(lambda s, n, r: s.x[:n].double())),
        broken(draw=drawing(lambda s, n, r: s.x[:n] * float("inf"))),
        broken(draw=drawing(lambda s, n, r: s.x[:0])),
        broken(draw=drawing(lambda s, n, r: torch.cat([s.x[:n]] * 2))),
        broken(kind="amortised"),
        broken(kind="one-shot", draw=drawing(lambda s, n, r: s.x[torch.randint(
            len(s.x), (n,), generator=r)]))],
    "diagnostics_are_numbers": [
        broken(diagnostics=lambda self, s: {"steps": s.x.mean()}),
        broken(independent_steps=lambda self, s: (0, 1.0)),
        broken(learned=True, init=lambda self, t, r: Learning(initial_points(t, 4000, r)))],
    "log_weights_are_numbers": [
        broken(log_weights=_weights(at_draws=torch.full((3,), torch.nan))),
        broken(log_weights=_weights(at_target=torch.zeros(3))),
        broken(log_weights=_weights(log_z=(1.0, -1.0))),
        broken(log_weights=lambda self, t, s, n, points, rng: LogWeights(at_draws=torch.rand(9))),
        broken(log_weights=lambda self, t, s, n, points, rng: s.x.mul_(2.0) is None or None)],
    "works_in_double_precision": [broken(step=stepping(lambda t, s, r: State(s.x.float())))],
}


@dataclass
class Learning(State):
    """Says that it was updated more often than it stepped."""

    updates: int = 100


@dataclass(frozen=True)
class RecklessHmc(Hmc):
    """A large step, never rejected."""

    name = "reckless"

    def step(self, target: Density, state: HmcState, progress: float,
             rng: torch.Generator) -> HmcState:
        v = torch.randn(state.x.shape, generator=rng)
        x = state.x
        for _ in range(5):
            v = v + 0.3 * target.score(x)
            x = x + 0.6 * v
            v = v + 0.3 * target.score(x)
        return replace(state, x=x, history=state.history.append(x))


@dataclass(frozen=True)
class LonelySvgd(Svgd):
    """No repulsion, so that particles gather at the mode."""

    name = "lonely"

    def step(self, target: Density, state: SvgdState, progress: float,
             rng: torch.Generator) -> SvgdState:
        h2 = self.square_bandwidth(state.x, rng)
        k = torch.exp(-torch.cdist(state.x, state.x).square() / (2 * h2))
        phi = k @ target.score(state.x) / len(state.x)
        past = self.decay if state.steps else 0.0
        squares = past * state.squares + (1 - past) * phi.square()
        x = state.x + self.step_size * phi / (1e-6 + squares.sqrt())
        return replace(state, x=x, squares=squares, steps=state.steps + 1)


@dataclass(frozen=True)
class WrongSignHmc(Hmc):
    """Draws the mirror image, which only an asymmetric distribution betrays."""

    name = "mirrored"

    def draw(self, target: Density, state: HmcState, n: int, rng: torch.Generator) -> Tensor:
        centre = state.x.mean(0)
        return 2 * centre - super().draw(target, state, n, rng)
