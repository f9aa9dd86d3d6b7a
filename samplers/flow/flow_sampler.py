"""What samplers that train a flow share apart from their loss: draws, weights, checks."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from bench.core.density import Density
from bench.core.log_weights import LogWeights
from samplers.base import Sampler
from samplers.flow.coupling_layers import CouplingFlow


class FlowState(Protocol):
    """A state with a flow."""

    flow: CouplingFlow


class FlowSampler(Sampler):
    """Draws from the flow, and the importance log-weights of its density."""

    layers: int
    width: int
    clip: float

    def __post_init__(self) -> None:
        for key in ("layers", "width"):
            if getattr(self, key) < 1:
                raise ValueError(f"{key} must be at least 1, not {getattr(self, key)!r}")
        if not self.clip > 0:
            raise ValueError(f"clip must be positive, not {self.clip!r}")

    def untrained(self, target: Density, rng: torch.Generator) -> CouplingFlow:
        """The flow before the first update: the initial distribution."""
        return CouplingFlow(target, rng, self.layers, self.width)

    def draw(self, target: Density, state: FlowState, n: int, rng: torch.Generator) -> Tensor:
        """n fresh points of the flow."""
        return state.flow.sample_in_blocks(target, n, rng)[0]

    def log_weights(self, target: Density, state: FlowState, n: int, points: Tensor | None,
              rng: torch.Generator) -> LogWeights:
        """log p~ - log q at n points of the flow and at ``points``, and the gap of scores."""
        x, _ = state.flow.sample_in_blocks(target, n, rng)
        log_p, score_p = target.log_prob_and_score(x)
        log_q, score_q = state.flow.log_prob_and_score(x)
        at_target = None
        if points is not None:
            at_target = target.log_prob(points) - state.flow.log_prob_and_score(points)[0]
        return LogWeights(log_p - log_q, at_target, gap=(score_q - score_p).square().sum(dim=1))
