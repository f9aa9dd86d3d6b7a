"""The Metropolis-adjusted Langevin algorithm: Langevin steps, rejected often enough to be exact.

Theory. A Langevin step proposes y; it is accepted or rejected so that detailed balance with p
holds, hence p is stationary whatever the step eps:

    y = x + eps s(x) + sqrt(2 eps) z,                                   z ~ N(0, I)
    log a = log p(y) - log p(x) + log q(x | y) - log q(y | x)
    log q(y | x) = -|y - x - eps s(x)|^2 / (4 eps)
    x <- y with probability min(1, a).

In high dimension the chain moves fastest where .574 of the proposals are accepted. eps starts at
scale^2 and is adapted to that by dual averaging (samplers/transitions/dual_averaging.py) over the
first ``warmup`` of the budget, charged like any other step, then frozen.

References. G. Roberts, R. Tweedie, Bernoulli 2 (1996), section 1.4.2; G. Roberts, J. Rosenthal,
Optimal scaling of discrete approximations to Langevin diffusions, JRSS B 60 (1998), theorem 2.

Departures. One step size for all chains after the warm-up, identity preconditioner.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bench.core.compilation import compilable
from bench.core.density import Density
from samplers.base import initial_points, normal, uniform
from samplers.mcmc.adapted_chains import AdaptedChains
from samplers.transitions.dual_averaging import StepSize
from samplers.transitions.history import History
from samplers.transitions.langevin import langevin
from samplers.transitions.metropolis import Evaluated, evaluated, metropolis, moved


@dataclass(frozen=True)
class MalaState:
    """The chains (chains, dim), their log-density (chains,) and score, the step, the past."""

    x: Tensor
    log_p: Tensor
    score: Tensor
    size: StepSize
    history: History


@compilable
def transition(target: Density, here: Evaluated, eps: Tensor, z: Tensor,
               u: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
    """The proposal or the points as they were; who was accepted, how probably in the mean."""
    there, log_a = langevin(target, here, eps, z)
    accepted, probability = metropolis(log_a, u)
    return moved(accepted, there, here), accepted, probability.mean()


@dataclass(frozen=True)
class Mala(AdaptedChains):
    """Metropolis-adjusted Langevin algorithm: Langevin proposals on many chains, step adapted.

    ``chains``: run in parallel. ``acceptance``: what the step is adapted to. ``warmup``: the
    share of the budget in which it is.
    """

    name = "mala"
    kind = "continuing"
    family = "mcmc"
    anneals = True
    update = ("y = x + eps s(x) + sqrt(2 eps) z, accepted with probability "
              "min(1, p(y) q(x|y) / (p(x) q(y|x)))")
    citation = "Roberts and Tweedie 1996, section 1.4.2; Roberts and Rosenthal 1998, theorem 2"
    limitations = ("cannot cross between modes that lie far apart: their weights stay those of "
                   "the start; use one step where curvatures differ by orders of magnitude "
                   "(funnel)")
    law_settings = {"steps": 120, "parameters": {"chains": 4000}}

    chains: int = 1000
    acceptance: float = 0.574
    warmup: float = 0.2

    def init(self, target: Density, rng: torch.Generator) -> MalaState:
        """Chains from the initial distribution (a gradient evaluation each); eps = scale^2."""
        here = evaluated(target, initial_points(target, self.chains, rng))
        size = StepSize.start(target, self.chains, target.scale**2)
        return MalaState(*here, size, History.start(here.x))

    def step(self, target: Density, state: MalaState, progress: float,
             rng: torch.Generator) -> MalaState:
        """One transition of all chains: a gradient evaluation each, that of the proposal."""
        adapting = progress < self.warmup
        (x, log_p, score), accepted, probability = transition(
            target, Evaluated(state.x, state.log_p, state.score), state.size.value(adapting),
            normal(target, tuple(state.x.shape), rng), uniform(target, (self.chains,), rng))
        return MalaState(x, log_p, score,
                         state.size.observe(accepted, probability, self.acceptance, adapting),
                         state.history.append(x))
