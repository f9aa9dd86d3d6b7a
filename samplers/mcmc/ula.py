"""The unadjusted Langevin algorithm: many chains follow the score and noise, and none is rejected.

Theory. The Langevin diffusion dX = s(X) dt + sqrt(2) dW, with s = grad log p, has p as its
stationary distribution. ULA is its Euler scheme with step eps:

    x <- x + eps s(x) + sqrt(2 eps) z,    z ~ N(0, I).

The scheme's own stationary distribution is not p but differs from it by O(eps): on N(0, 1) its
variance is 1/(1 - eps/2). Where the score grows faster than linearly, or eps exceeds 2 over the
largest curvature, chains run away to infinity; a funnel has no safe step at all.

References. G. Roberts, R. Tweedie, Exponential convergence of Langevin distributions and their
discrete approximations, Bernoulli 2 (1996), section 1.4.1. The step 0.01 in this form is the one
that reproduces the LD rows of table 1 of Denoising Fisher Training (arXiv 2411.01453).

Departures. Start N(0, scale^2 I) as every sampler here; there N(0, I). The step is never adapted:
0.01 stands whatever the target's scale, and a suite that wants another one says so in a preset.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bench.core.compilation import compilable
from bench.core.density import Density
from samplers.base import Sampler, initial_points, normal
from samplers.transitions.history import History


@dataclass(frozen=True)
class UlaState:
    """The chains, shape (chains, dim), and what they passed through."""

    x: Tensor
    history: History


@compilable
def euler(target: Density, x: Tensor, eps: float, z: Tensor) -> Tensor:
    """x + eps s(x) + sqrt(2 eps) z, shape (chains, dim)."""
    return x.add(target.score(x), alpha=eps).add_(z, alpha=(2 * eps) ** 0.5)


@dataclass(frozen=True)
class Ula(Sampler):
    """Unadjusted Langevin algorithm: gradient steps with noise on many chains, never rejected.

    ``chains``: run in parallel. ``step_size``: eps, in squared units of x. ``history``: whether
    more points than chains may be drawn, from the later half of the run.
    """

    name = "ula"
    kind = "continuing"
    family = "mcmc"
    update = "x <- x + eps s(x) + sqrt(2 eps) z"
    citation = "Roberts and Tweedie 1996, section 1.4.1; step as in DFT (arXiv 2411.01453)"
    limitations = ("cannot forget its step size: a bias of order eps remains for ever; cross "
                   "between modes that lie far apart; stay finite where the score is steep "
                   "(funnel)")
    law_settings = {
        "steps": 400, "bias": 0.03,
        "why": "a step of .02 biases variances by a few per cent",
        "parameters": {"chains": 4000, "step_size": 0.02}}

    chains: int = 1000
    step_size: float = 0.01
    history: bool = True

    def init(self, target: Density, rng: torch.Generator) -> UlaState:
        """Chains from the initial distribution."""
        x = initial_points(target, self.chains, rng)
        return UlaState(x, History.start(x))

    def step(self, target: Density, state: UlaState, progress: float,
             rng: torch.Generator) -> UlaState:
        """One Euler step of all chains: a gradient evaluation each."""
        z = normal(target, tuple(state.x.shape), rng)
        x = euler(target, state.x, self.step_size, z)
        return UlaState(x, state.history.append(x))

    def draw(self, target: Density, state: UlaState, n: int, rng: torch.Generator) -> Tensor:
        """Rows of the chains now, or of the later half of the run where more are wanted."""
        return state.history.draw(self.points(n), rng)

    def points(self, n: int) -> int:
        """No more than there are chains where the past is not drawn from."""
        return n if self.history else min(n, self.chains)

    def independent_steps(self, state: UlaState) -> tuple[int, float]:
        """(chains, autocorrelation time in steps)."""
        return self.chains, state.history.steps_to_independence()

    def diagnostics(self, state: UlaState) -> dict[str, float]:
        """R-hat, autocorrelation time, effective sample size."""
        return state.history.diagnostics()
