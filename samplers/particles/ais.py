"""Annealed importance sampling: particles are led from a Gaussian to the target and weighted.

Theory. Between the initial distribution p0 = N(0, scale^2 I) and the target lies the geometric
path pi_beta ~ p0^(1 - beta) p~^beta (annealed_particles.py). For 0 = beta_0 < beta_1 < ... and
transitions T_k that leave pi_beta_k as it is, each particle on its own does

    w <- w (p~(x) / p0(x))^(beta_k - beta_{k-1});   x ~ T_k(x, .),

and after the last move its weight is w (p~(x) / p0(x))^(1 - beta_K): then E w = Z, and the
weighted particles have the distribution p, however few levels there are and however poorly the
moves mix. This last bridge to beta = 1 is put on at every state, so E w = Z holds in mid-run as
well.

A step is one level and the whole budget one anneal: with t the share of the budget spent,

    beta(t) = (a^(2t) - 1) / (a^2 - 1),      a = narrowing,

which shrinks the deviation of a Gaussian target a times narrower than p0 by the same factor in
equal times. T_k is a Hamiltonian transition of ``leapfrog_steps`` steps.

E w = Z needs moves that do not depend on the particles they move. So the step size is tuned on
further particles, the scouts, which go the same way and are never weighted.

References. R. Neal, Annealed importance sampling, Statistics and Computing 11 (2001), section 2;
T. Akhound-Sadegh et al., Iterated denoising energy matching, arXiv 2402.06121, appendix D.4.

Departures. Neal leaves the levels, the transitions and their tuning open; the schedule, the
Hamiltonian moves and the scouts are ours. He reports weighted averages; a benchmark wants equal
points, no one twice: a draw resamples by weight (systematic), moves all points a few times at
beta = 1, which keeps their distribution and parts copies, and leaves out copies that stayed
together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.core.density import Density
from bench.core.log_weights import LogWeights, effective_size, log_z_with_error, normalised
from samplers.base import Sampler, initial_points
from samplers.particles.annealed_particles import log_ratio, move, redrawn
from samplers.transitions.metropolis import Evaluated, evaluated


@dataclass(frozen=True)
class AisState:
    """Particles, then scouts, (particles + scouts, dim), with log p~ and score.

    ``log_w``: log-weights up to ``beta``, (particles,) in double precision.
    """

    x: Tensor
    log_p: Tensor
    score: Tensor
    log_w: Tensor
    beta: float
    log_eps: Tensor
    acceptance: Tensor  # of the scouts at the latest level, 0-d
    steps: int
    scale: float

    @property
    def here(self) -> Evaluated:
        """All that moves."""
        return Evaluated(self.x, self.log_p, self.score)

    def log_weights(self) -> Tensor:
        """With the last bridge, from ``beta`` to 1: (particles,)."""
        n = len(self.log_w)
        return self.log_w + (1 - self.beta) * log_ratio(self.x[:n], self.log_p[:n], self.scale)


@dataclass(frozen=True)
class Ais(Sampler):
    """Annealed importance sampling: one anneal over the whole budget, Hamiltonian moves.

    ``particles``: weighted and drawn from. ``scouts``: moved with them to tune the step on.
    ``leapfrog_steps``: of a move; 1 is MALA. ``narrowing``: a in the schedule, how many times
    narrower than the initial distribution the target is taken to be. ``acceptance``: what the step
    is tuned to.
    """

    name = "ais"
    kind = "one-shot"
    family = "particles"
    anneals = True
    update = ("w <- w (p~ / p0)^(beta_k - beta_{k-1}); x moved by a Hamiltonian transition that "
              "keeps p0^(1 - beta_k) p~^beta_k")
    citation = "Neal 2001, section 2; Akhound-Sadegh et al. 2024, appendix D.4"
    limitations = ("cannot keep its weights even where the levels are few for the dimension: few "
                   "particles then carry all weight; move particles between modes once beta has "
                   "parted them; say log Z with an honest error where the weights are "
                   "heavy-tailed")
    law_settings = {"steps": 150, "parameters": {"particles": 4000}}

    particles: int = 2000
    scouts: int = 200
    leapfrog_steps: int = 1
    narrowing: float = 5.0
    acceptance: float = 0.65

    def __post_init__(self) -> None:
        if not self.narrowing > 1:
            raise ValueError(f"narrowing must exceed 1, not {self.narrowing}")
        if self.scouts < 1:
            raise ValueError("scouts must be at least 1: the step is tuned on them")

    def init(self, target: Density, rng: torch.Generator) -> AisState:
        """Particles and scouts from the initial distribution (a gradient each), weights 1."""
        here = evaluated(target, initial_points(target, self.particles + self.scouts, rng))
        log_w = torch.zeros_like(here.log_p[: self.particles], dtype=torch.float64)
        log_eps = here.log_p.new_full((), math.log(target.scale))
        return AisState(*here, log_w, 0.0, log_eps, torch.zeros_like(log_eps), 0, target.scale)

    def beta(self, progress: float) -> float:
        """The schedule, from 0 to 1."""
        return math.expm1(2 * progress * math.log(self.narrowing)) / (self.narrowing**2 - 1)

    def step(self, target: Density, state: AisState, progress: float,
             rng: torch.Generator) -> AisState:
        """One level: weights first, then the move (``leapfrog_steps`` gradients a particle)."""
        n, beta = self.particles, max(state.beta, self.beta(progress))
        r = log_ratio(state.x[:n], state.log_p[:n], target.scale)
        log_w = state.log_w + (beta - state.beta) * r
        here, accepted = move(target, state.here, beta, state.log_eps, self.leapfrog_steps, rng)
        rate = accepted[n:].to(state.log_eps.dtype).mean()
        return AisState(*here, log_w, beta, state.log_eps + (rate - self.acceptance), rate,
                        state.steps + 1, target.scale)

    def points(self, n: int) -> int:
        """No more than there are particles."""
        return min(n, self.particles)

    def draw(self, target: Density, state: AisState, n: int, rng: torch.Generator) -> Tensor:
        """Particles resampled by weight and moved apart (annealed_particles.py)."""
        return redrawn(target, state.x[: self.particles], state.log_weights(), self.points(n),
                       state.log_eps, self.leapfrog_steps, rng)

    def log_weights(self, target: Density, state: AisState, n: int, points: Tensor | None,
              rng: torch.Generator) -> LogWeights:
        """The weights of all particles, which are independent, and log Z by their mean."""
        log_w = state.log_weights()
        return LogWeights(at_draws=log_w, log_z=log_z_with_error(log_w))

    def independent_steps(self, state: AisState) -> tuple[int, float]:
        """(particles, the steps of the whole run: a fresh set is a fresh run)."""
        return self.particles, float(max(1, state.steps))

    def diagnostics(self, state: AisState) -> dict[str, float]:
        """beta, step size, acceptance of the scouts, effective size and estimate of log Z."""
        log_w = state.log_weights()
        log_z, se = log_z_with_error(log_w)
        return {"beta": state.beta, "step_size": float(state.log_eps.exp()),
                "acceptance": float(state.acceptance), "log_z": log_z, "log_z_se": se,
                "ess": float(effective_size(normalised(log_w)))}
