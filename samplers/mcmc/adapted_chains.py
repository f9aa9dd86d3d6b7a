"""What samplers of adapted chains share apart from their transition: draws and diagnostics."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from bench.core.density import Density
from samplers.base import Sampler
from samplers.transitions.dual_averaging import StepSize
from samplers.transitions.history import History


class ChainState(Protocol):
    """A state with an adapted step and a record of the past."""

    @property
    def size(self) -> StepSize:
        """The step size and its search."""

    @property
    def history(self) -> History:
        """What the chains passed through."""


class AdaptedChains(Sampler):
    """Draws, autocorrelation and diagnostics of many chains with one adapted step."""

    chains: int

    def draw(self, target: Density, state: ChainState, n: int, rng: torch.Generator) -> Tensor:
        """Rows of the chains now, or of the later half of the run where more are wanted."""
        return state.history.draw(n, rng)

    def independent_steps(self, state: ChainState) -> tuple[int, float]:
        """(chains, autocorrelation time in transitions)."""
        return self.chains, state.history.steps_to_independence()

    def diagnostics(self, state: ChainState) -> dict[str, float]:
        """Step size, acceptance, R-hat, autocorrelation time, effective sample size."""
        return state.size.diagnostics() | state.history.diagnostics()

    def divergence(self, size: StepSize, divergences: Tensor) -> dict[str, float]:
        """Divergent trajectories since the step was frozen (if it was): number and share."""
        if not size.frozen:
            return {}
        found = float(divergences)
        return {"divergences": found, "divergent_share": found / (size.frozen * self.chains)}
