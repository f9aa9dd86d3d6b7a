"""Random-walk Metropolis: chains try a step in any direction and keep it if the density allows.

Theory. The proposal is symmetric, so that rejecting by the ratio of densities alone leaves p
stationary, and no gradient is needed:

    y = x + eps z,                                                      z ~ N(0, I)
    x <- y with probability min(1, p(y) / p(x)).

On products of many equal distributions the chain moves fastest where .234 of the proposals are
accepted, at
eps = 2.38 sd / sqrt(dim); it is fresh after of order dim steps (MALA: dim^(1/3)). eps starts at
2.38 scale / sqrt(dim) and is adapted to the wanted acceptance by dual averaging
(samplers/transitions/dual_averaging.py) over the first ``warmup`` of the budget, charged like any
other step, then frozen.

References. N. Metropolis et al., J. Chem. Phys. 21 (1953); W. Hastings, Biometrika 57 (1970);
G. Roberts, A. Gelman, W. Gilks, Weak convergence and optimal scaling of random walk Metropolis
algorithms, Ann. Appl. Probab. 7 (1997), theorem 1.1 and corollary 1.2.

Departures. One step size for all chains after the warm-up, identity covariance of the proposal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.core.compilation import compilable
from bench.core.density import Density
from samplers.base import initial_points, normal, uniform
from samplers.mcmc.adapted_chains import AdaptedChains
from samplers.transitions.dual_averaging import StepSize
from samplers.transitions.history import History
from samplers.transitions.metropolis import metropolis, moved

#: Rejections after which a chain's own step is halved: a healthy one has three in four.
PATIENCE = 16


@dataclass(frozen=True)
class MhState:
    """The chains (chains, dim), their log-density (chains,), the step, the past."""

    x: Tensor
    log_p: Tensor
    size: StepSize
    history: History


@compilable
def transition(target: Density, at: tuple[Tensor, ...], eps: Tensor, z: Tensor,
               u: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
    """From ``at`` = (x, log p) to the proposal, or not; who was accepted, how probably."""
    x, log_p = at
    y = torch.addcmul(x, eps, z)
    there = target.log_prob(y)
    accepted, probability = metropolis(there - log_p, u)
    return moved(accepted, (y, there), at), accepted, probability.mean()


@dataclass(frozen=True)
class Mh(AdaptedChains):
    """Random-walk Metropolis: Gaussian steps on many chains, no gradient, step adapted.

    ``chains``: run in parallel. ``acceptance``: what the step is adapted to. ``warmup``: the
    share of the budget in which it is.
    """

    name = "mh"
    kind = "continuing"
    family = "mcmc"
    anneals = True
    update = "y = x + eps z, accepted with probability min(1, p(y) / p(x))"
    citation = "Metropolis et al. 1953; Roberts, Gelman, Gilks 1997, theorem 1.1, corollary 1.2"
    limitations = ("cannot cross between modes that lie far apart: their weights stay those of "
                   "the start; move far in high dimension, where it needs of order dim steps; "
                   "use one step where widths differ by orders of magnitude (funnel)")
    law_settings = {"steps": 200, "parameters": {"chains": 4000}}

    chains: int = 1000
    acceptance: float = 0.234
    warmup: float = 0.2

    def init(self, target: Density, rng: torch.Generator) -> MhState:
        """Chains from the initial distribution (a log-density each); 2.38 scale / sqrt(dim)."""
        x = initial_points(target, self.chains, rng)
        size = StepSize.start(target, self.chains, 2.38 * target.scale / math.sqrt(target.dim),
                              PATIENCE)
        return MhState(x, target.log_prob(x), size, History.start(x))

    def step(self, target: Density, state: MhState, progress: float,
             rng: torch.Generator) -> MhState:
        """One transition of all chains: a log-density evaluation each, that of the proposal."""
        adapting = progress < self.warmup
        (x, log_p), accepted, probability = transition(
            target, (state.x, state.log_p), state.size.value(adapting),
            normal(target, tuple(state.x.shape), rng), uniform(target, (self.chains,), rng))
        return MhState(x, log_p,
                       state.size.observe(accepted, probability, self.acceptance, adapting),
                       state.history.append(x))
