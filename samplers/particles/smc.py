"""Sequential Monte Carlo samplers: annealed particles, resampled by weight on the way.

Theory. As annealed importance sampling (samplers/particles/ais.py) on the geometric path pi_beta ~
p0^(1 - beta) p~^beta, but particles of little weight are replaced by copies of those of much. For
a population of N, with g = log p~ - log p0, a level is

    Z^ <- Z^ 1/N sum_i exp((beta_k - beta_{k-1}) g(x_i));
    x_i resampled with these weights (systematic);  each x_i moved ``moves`` times, keeping
    pi_beta_k;

from beta_0 = 0 to the first beta_k = 1. Then E Z^ = Z, and E[Z^ 1/N sum_i f(x_i)] = Z E_p f, for
given levels and moves.

Levels and step sizes come from a pilot round: the next beta leaves the weights an effective size
of ``share`` N (bisection, mean over populations), and the step follows the acceptance. They are
then frozen. A round runs ``islands`` independent populations in parallel; when one ends, a fresh
one begins, for as long as the budget lasts, and all completed rounds are pooled: every population
counts by its Z^, so that the pooled estimate is unbiased and a larger budget gives more points and
a smaller error. Its standard error is that of the mean of independent Z^. The pilot counts only
until a round after it is complete, and an unfinished one only if there is no other: its
populations then have the weights exp((1 - beta) g), the last bridge.

References. P. Del Moral, A. Doucet, A. Jasra, Sequential Monte Carlo samplers, JRSS B 68 (2006),
sections 2.3 and 3.3.2.3 (weights before the move); A. Jasra, D. Stephens, A. Doucet,
T. Tsagaris, Scand. J. Stat. 38 (2011), for levels by effective size; A. Beskos, A. Jasra,
N. Kantas, A. Thiery, Ann. Appl. Probab. 26 (2016), for the bias of adapting, which freezing
avoids; G. Whiteley et al., Bernoulli 22 (2016), for populations in parallel.

Departures. The papers leave the moves open: Hamiltonian transitions here. They resample when the
effective size is low; here at every level, which the choice of levels makes the same. Rounds and
their pooling are ours. A draw moves points a few times at beta = 1 to part copies, as in ais.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from bench.core.density import Density
from bench.core.log_weights import (
    LogWeights,
    log_mean_exp,
    log_z_with_error,
    normalised,
    systematic,
)
from samplers.base import Sampler, initial_points, uniform
from samplers.particles.annealed_particles import log_ratio, move, next_beta, redrawn
from samplers.transitions.metropolis import Evaluated, evaluated

#: Points of completed rounds that are kept; beyond, every other one of each population goes.
KEPT = 100_000


@dataclass(frozen=True)
class SmcState:
    """The populations of this round, (islands x particles, dim), and what the others left.

    ``log_z``: log Z^ up to ``beta``, (islands,). ``level`` and ``turn``: the levels begun and the
    moves made at this one. ``ladder``, ``log_sizes``: what the pilot chose, level by level.
    ``finished``: points of each completed round, (islands, kept, dim), and its log Z^.
    """

    x: Tensor
    log_p: Tensor
    score: Tensor
    log_z: Tensor
    log_eps: Tensor
    acceptance: Tensor  # of the latest move, 0-d
    scale: float
    beta: float = 0.0
    level: int = 0
    turn: int = 0
    ladder: tuple[float, ...] = ()
    log_sizes: tuple[Tensor, ...] = ()
    rounds: int = 0
    stride: int = 1
    finished: tuple[tuple[Tensor, Tensor], ...] = ()
    steps: int = 0

    @property
    def here(self) -> Evaluated:
        """All that moves."""
        return Evaluated(self.x, self.log_p, self.score)

    def log_ratio(self) -> Tensor:
        """r, (islands, particles)."""
        return log_ratio(self.x, self.log_p, self.scale).view(len(self.log_z), -1)

    def weighted(self) -> tuple[Tensor, Tensor]:
        """Points of all populations that count, (m, kept, dim), and log-weights, (m, kept)."""
        if not self.finished:
            log_w = self.log_z[:, None] + (1 - self.beta) * self.log_ratio()
            return self.x.view(*log_w.shape, -1), log_w
        x = torch.cat([points for points, _ in self.finished])
        log_z = torch.cat([estimates for _, estimates in self.finished])
        return x, log_z[:, None].expand(x.shape[:2])


@dataclass(frozen=True)
class Smc(Sampler):
    """Sequential Monte Carlo: tempered populations, resampled and moved, rounds pooled by Z^.

    ``islands``: independent populations of a round. ``particles``: N, of each. ``moves``: made at
    each level. ``leapfrog_steps``: of a move; 1 is MALA. ``share``: the effective size that a
    level leaves, over N. ``acceptance``: what the pilot tunes the step to.
    """

    name = "smc"
    kind = "one-shot"
    family = "particles"
    update = ("weights (p~ / p0)^(beta_k - beta_{k-1}), systematic resampling, Hamiltonian moves "
              "that keep p0^(1 - beta_k) p~^beta_k; rounds pooled by their estimates of Z")
    citation = "Del Moral, Doucet, Jasra 2006, section 3.3.2.3; Jasra et al. 2011"
    limitations = ("cannot find modes that no particle of the pilot's path is near; say log Z "
                   "with an honest error before a few rounds are complete")
    law_settings = {"steps": 120, "parameters": {"particles": 500}}

    islands: int = 8
    particles: int = 250
    moves: int = 3
    leapfrog_steps: int = 1
    share: float = 0.5
    acceptance: float = 0.65

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"share must lie between 0 and 1, not {self.share}")
        if self.islands < 2:
            raise ValueError("islands must be at least 2: they give the error of log Z")

    def init(self, target: Density, rng: torch.Generator) -> SmcState:
        """The populations of the pilot round, from the initial distribution (a gradient each)."""
        here = self._start(target, rng)
        log_eps = here.log_p.new_full((), math.log(target.scale))
        return SmcState(*here, self._nothing(here.x), log_eps, torch.zeros_like(log_eps),
                        target.scale)

    def _start(self, target: Density, rng: torch.Generator) -> Evaluated:
        return evaluated(target, initial_points(target, self.islands * self.particles, rng))

    def _nothing(self, x: Tensor) -> Tensor:
        return torch.zeros(self.islands, dtype=torch.float64, device=x.device)

    def step(self, target: Density, state: SmcState, progress: float,
             rng: torch.Generator) -> SmcState:
        """One move of all particles; a level begins before it, a round may end after it."""
        if state.turn == 0:
            state = self._climb(target, state, rng)
        pilot = state.rounds == 0
        log_eps = state.log_eps if pilot else state.log_sizes[state.level - 1]
        here, accepted = move(target, state.here, state.beta, log_eps, self.leapfrog_steps, rng)
        rate = accepted.to(log_eps.dtype).mean()
        if pilot:
            log_eps = log_eps + (rate - self.acceptance)
        turn = (state.turn + 1) % self.moves
        state = replace(state, x=here.x, log_p=here.log_p, score=here.score, log_eps=log_eps,
                        acceptance=rate, turn=turn, steps=state.steps + 1)
        if pilot and turn == 0:
            state = replace(state, log_sizes=(*state.log_sizes, log_eps))
        return self._next_round(target, state, rng) if turn == 0 and state.beta == 1 else state

    def _climb(self, target: Density, state: SmcState, rng: torch.Generator) -> SmcState:
        """The next beta: weights, Z^, resampling within each population."""
        r, ladder = state.log_ratio(), state.ladder
        if state.rounds == 0:
            ladder = (*ladder, next_beta(state.beta, r, self.share))
        beta = ladder[state.level]
        log_w = (beta - state.beta) * r
        index = systematic(normalised(log_w), self.particles,
                           uniform(target, (self.islands, 1), rng))
        first = self.particles * torch.arange(self.islands, device=index.device)
        rows = (index + first[:, None]).flatten()
        return replace(state, x=state.x[rows], log_p=state.log_p[rows], score=state.score[rows],
                       log_z=state.log_z + log_mean_exp(log_w), beta=beta,
                       level=state.level + 1, ladder=ladder)

    def _next_round(self, target: Density, state: SmcState, rng: torch.Generator) -> SmcState:
        """Keep what this round found and begin a fresh one (a gradient more a particle)."""
        points = state.x.view(self.islands, self.particles, -1)[:, :: state.stride]
        earlier = state.finished if state.rounds > 1 else ()  # the pilot goes
        finished, stride = (*earlier, (points, state.log_z)), state.stride
        if sum(x.shape[0] * x.shape[1] for x, _ in finished) > KEPT and points.shape[1] > 1:
            finished = tuple((x[:, ::2].clone(), z) for x, z in finished)
            stride *= 2
        x, log_p, score = self._start(target, rng)
        return replace(state, x=x, log_p=log_p, score=score, log_z=self._nothing(x), beta=0.0,
                       level=0, rounds=state.rounds + 1, stride=stride, finished=finished)

    def draw(self, target: Density, state: SmcState, n: int, rng: torch.Generator) -> Tensor:
        """Points resampled by weight and moved apart; no more than are kept."""
        x, log_w = state.weighted()
        return redrawn(target, x.flatten(0, 1), log_w.flatten(), min(n, log_w.numel()),
                       state.log_sizes[-1] if state.finished else state.log_eps,
                       self.leapfrog_steps, rng)

    def log_weights(self, target: Density, state: SmcState, n: int, points: Tensor | None,
              rng: torch.Generator) -> LogWeights:
        """The weights of all points that count, and log Z by the populations."""
        _, log_w = state.weighted()
        return LogWeights(at_draws=log_w.flatten(), log_z=log_z_with_error(log_mean_exp(log_w)))

    def independent_steps(self, state: SmcState) -> tuple[int, float]:
        """(points that count, the steps of the whole run: a fresh set is a fresh run)."""
        return state.weighted()[1].numel(), float(max(1, state.steps))

    def diagnostics(self, state: SmcState) -> dict[str, float]:
        """Rounds, levels, step size and acceptance, and the estimate of log Z."""
        log_z, se = log_z_with_error(log_mean_exp(state.weighted()[1]))
        return {"rounds": float(state.rounds), "levels": float(len(state.ladder)),
                "beta": state.beta, "step_size": float(state.log_eps.exp()),
                "acceptance": float(state.acceptance), "log_z": log_z, "log_z_se": se}
