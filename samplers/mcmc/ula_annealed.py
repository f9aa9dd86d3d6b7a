"""Annealed unadjusted Langevin: chains follow a path of distributions that ends at the target.

    x <- x + dt grad log pi_lambda(x) + sqrt(2 dt) z,    z ~ N(0, I),    lambda = t / T.

The distribution of the chains is, up to the time step, that of annealed SBTM's particles, whose
noiseless flow has the same Fokker-Planck equation; hence the two are compared. It lags behind
pi_lambda, and nothing corrects for the lag: with the weights of the path it would be annealed
importance sampling. Paths: ``samplers.transitions.annealing``. T is the budget: lambda goes evenly
from 0 to 1.

References. V. Ilin et al., Score-Based Deterministic Density Sampling, arXiv 2504.18130, 2025,
whose baseline it is; code Vilin97/SBTM-sampling.

Departures. dt is in units of scale^2, as in ``sbtm``; with scale 1 it is the paper's. The dilation
has the factor 1 / lambda that the code leaves out (``chain_rule = False`` leaves it out too).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bench.core.density import Density
from samplers.base import Sampler, initial_points, normal
from samplers.transitions.annealing import Path, check_path, path_score
from samplers.transitions.history import choose


@dataclass(frozen=True)
class UlaAnnealedState:
    """The chains, shape (chains, dim)."""

    x: Tensor
    steps: int = 0


@dataclass(frozen=True)
class UlaAnnealed(Sampler):
    """Langevin chains along a path from the start to the target.

    ``chains``: run in parallel. ``step_size``: dt, in units of scale^2. ``path``: "geometric" or
    "dilation"; ``chain_rule``: whether the dilated score has its factor 1 / lambda.

    One-shot though a Markov chain: only its end is near the target, so it has no past to draw
    from, and a fresh set of points is a fresh run.
    """

    chains: int = 1000
    step_size: float = 0.01
    path: Path = "geometric"
    chain_rule: bool = True

    name = "ula_annealed"
    kind = "one-shot"
    family = "mcmc"
    anneals = True
    update = "x <- x + dt grad log pi_lambda(x) + sqrt(2 dt) z, lambda = t / T"
    citation = "baseline of V. Ilin et al. 2025, arXiv 2504.18130; code Vilin97/SBTM-sampling"
    limitations = ("cannot give more points than chains; forget its step size; give modes their "
                   "weights: chains lag behind the path, and weights are set early, by the "
                   "path's shape; follow the dilation of a steep target without a small dt")
    law_settings = {"steps": 400, "parameters": {"chains": 4000}}

    def __post_init__(self) -> None:
        check_path(self.path)

    def init(self, target: Density, rng: torch.Generator) -> UlaAnnealedState:
        """Chains from the initial distribution."""
        return UlaAnnealedState(initial_points(target, self.chains, rng))

    def step(self, target: Density, state: UlaAnnealedState, progress: float,
             rng: torch.Generator) -> UlaAnnealedState:
        """One Euler step of all chains at lambda = progress: a gradient evaluation each."""
        dt = self.step_size * target.scale**2
        score = path_score(target, state.x, progress, self.path, self.chain_rule)
        z = normal(target, tuple(state.x.shape), rng)
        x = state.x.add(score, alpha=dt).add_(z, alpha=(2.0 * dt) ** 0.5)
        return UlaAnnealedState(x, state.steps + 1)

    def points(self, n: int) -> int:
        """No more than there are chains."""
        return min(n, self.chains)

    def draw(self, target: Density, state: UlaAnnealedState, n: int,
             rng: torch.Generator) -> Tensor:
        """Random chains, without replacement."""
        return choose(state.x, n, rng)

    def independent_steps(self, state: UlaAnnealedState) -> tuple[int, float]:
        """(chains, the steps of the whole run: a fresh set is a fresh run)."""
        return self.chains, float(max(1, state.steps))
