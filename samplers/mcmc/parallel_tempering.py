"""Parallel tempering: copies at other temperatures carry a chain from mode to mode.

Theory. N + 1 copies of a chain stand on the path from the initial distribution to p,

    log p_beta(x) = beta log p(x) + (1 - beta) log N(x; 0, scale^2 I),   0 = beta_0 < ... < 1,

and each step leaves the product of their distributions stationary:

    explore   x_0 ~ N(0, scale^2 I) afresh; each other x_k makes a Hamiltonian transition on
              p_beta_k: l leapfrog steps, l ~ U{1 ... L}, accepted by the change of energy
    swap      x_k and x_k+1 for all even k at even steps, all odd k at odd ones, each accepted with
              probability min(1, exp((beta_k+1 - beta_k) (r(x_k) - r(x_k+1)))),  r = log p_1 / p_0.

Taking turns, a copy that has just gone up is offered the next temperature up, so that it travels
the ladder in of order N steps and not N^2. Each time it comes from N(0, scale^2 I) to p, p gets a
point that owes nothing to the modes known before. With rates R_k of rejection, and were exploring
perfect, such round trips would happen at the rate 1 / (2 + 2 sum R_k / (1 - R_k)) a step; for a
given number of copies that is largest where all R_k are equal, and with their number it tends to 1
/ (2 + 2 Lambda), Lambda = sum R_k.

Over the first ``warmup`` of the budget the temperatures are moved to equal R_k after steps 4, 8,
16, ... (samplers/mcmc/temperature_ladder.py), and each temperature's eps, begun at the declared
scale, is adapted to the wanted acceptance by dual averaging
(samplers/transitions/dual_averaging.py); charged, then frozen. From the frozen part log Z is
estimated by bridges between neighbouring temperatures.

References. S. Syed, A. Bouchard-Cote, G. Deligiannidis, A. Doucet, Non-reversible parallel
tempering, JRSS B 84 (2022), arXiv 1905.02939: deterministic even-odd swaps, the rate of round
trips, the barrier Lambda, the spacing; N. Surjanovic et al., Pigeons.jl, arXiv 2308.09769 (2023):
fresh draws at beta = 0; C. Geyer, Markov chain Monte Carlo maximum likelihood (1991): the idea.

Departures. Many ladders run in parallel, independent but for common temperatures and steps, so
that rates of rejection are means over ladders and the standard error of log Z is that between
them. The paper leaves the exploring kernel and the step sizes open. The number of copies is given
(they advise 2 Lambda). Points come from the copies at beta = 1 only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.core.density import Density
from bench.core.log_weights import LogWeights
from samplers.base import initial_points, normal, on_host, uniform
from samplers.mcmc.adapted_chains import AdaptedChains
from samplers.mcmc.temperature_ladder import Ladder, log_z
from samplers.transitions.dual_averaging import StepSize
from samplers.transitions.history import History
from samplers.transitions.interpolation import Normal
from samplers.transitions.metropolis import Evaluated, evaluated
from samplers.transitions.tempering import tempered_move


@dataclass(frozen=True)
class TemperingState:
    """The copies (replicas, chains, dim), their log-density and score, and what was learned.

    ``size`` has a row for each chain of each temperature but the first, equal along a temperature.
    ``fresh``, (replicas, chains), is 1 for copies that came from beta = 0 since they last stood at
    beta = 1; ``trips``, 0-d, counts their arrivals there and ``bridges``, (2, N, chains), holds
    log-sums for log Z, both since the temperatures were frozen.
    """

    x: Tensor
    log_p: Tensor
    score: Tensor
    size: StepSize
    ladder: Ladder
    history: History
    fresh: Tensor
    trips: Tensor
    bridges: Tensor


def from_base(target: Density, n: int, rng: torch.Generator) -> Evaluated:
    """Points of the initial distribution, evaluated.

    Where log p is not a number it is taken as -inf: such a copy may go down, and is replaced.
    """
    x, log_p, score = evaluated(target, initial_points(target, n, rng))
    return Evaluated(x, torch.where(log_p.isnan(), -math.inf, log_p), score)


def log_ratio(target: Density, x: Tensor, log_p: Tensor) -> Tensor:
    """r = log p - log N(x; 0, scale^2 I): (..., dim) -> (...)."""
    return log_p - Normal(target.scale).log_prob(x)


@dataclass(frozen=True)
class ParallelTempering(AdaptedChains):
    """Non-reversible parallel tempering from the initial distribution to p, on many ladders.

    ``replicas``: N + 1, temperatures of a ladder. ``chains``: ladders in parallel.
    ``leapfrog_steps``: L, the most leapfrog steps of a transition. ``acceptance``: what each
    temperature's step is adapted to. ``warmup``: the share of the budget in which steps and
    temperatures are.
    """

    name = "parallel_tempering"
    kind = "continuing"
    family = "mcmc"
    anneals = True
    update = ("x_0 ~ N(0, scale^2 I), HMC on p_beta_k for every other copy; then copies k, k + 1 "
              "swap with probability min(1, exp((beta_k+1 - beta_k) (r(x_k) - r(x_k+1)))), even "
              "and odd k in turn")
    citation = "Syed, Bouchard-Cote, Deligiannidis, Doucet 2022 (deterministic even-odd swaps)"
    limitations = ("cannot find a mode that no copy meets on its way to p: a narrow mode next to "
                   "a wide one gains its mass at beta near 1, where copies cross no longer; be "
                   "cheap: each point costs the whole ladder")
    law_settings = {
        "steps": 60,
        "parameters": {"replicas": 4, "chains": 1500, "leapfrog_steps": 3}}

    replicas: int = 10
    chains: int = 100
    leapfrog_steps: int = 5
    acceptance: float = 0.8
    warmup: float = 0.3

    def __post_init__(self) -> None:
        """Refuse a ladder of one temperature."""
        if self.replicas < 2:
            raise ValueError(f"replicas of parallel_tempering is at least 2, not {self.replicas}")

    def init(self, target: Density, rng: torch.Generator) -> TemperingState:
        """Every copy from the initial distribution (a gradient each), even temperatures."""
        shape = (self.replicas, self.chains)
        flat, log_p, score = from_base(target, self.replicas * self.chains, rng)
        x = flat.view(*shape, target.dim)
        return TemperingState(
            x, log_p.view(shape), score.view(x.shape),
            StepSize.start(target, (self.replicas - 1) * self.chains, target.scale),
            Ladder.even(target, self.replicas), History.start(x[-1]), torch.zeros_like(x[..., 0]),
            log_p.new_zeros(()), log_p.new_full((2, self.replicas - 1, self.chains), -math.inf))

    def step(self, target: Density, state: TemperingState, progress: float,
             rng: torch.Generator) -> TemperingState:
        """Explore and swap: at most (N L + 1) chains gradient evaluations."""
        adapting = progress < self.warmup
        at, size = self._explored(target, state, adapting, rng)
        r = log_ratio(target, *at[:2])
        order, ladder = state.ladder.swap(r, state.history.steps % 2,
                                          uniform(target, tuple(r.shape), rng))
        fresh = state.fresh.clone()
        fresh[0] = 1.0
        x, log_p, score, fresh = (_reordered(t, order) for t in (*at, fresh))
        trips, bridges = state.trips, state.bridges
        if not adapting:
            trips = trips + fresh[-1].sum()
            bridges = torch.logaddexp(bridges, state.ladder.bridges(r))
        elif size.adapted >= 4 and size.adapted.bit_count() == 1:
            ladder = ladder.respaced()
        fresh[-1] = 0.0
        return TemperingState(x, log_p, score, size, ladder, state.history.append(x[-1]), fresh,
                              trips, bridges)

    def _explored(self, target: Density, state: TemperingState, adapting: bool,
                  rng: torch.Generator) -> tuple[tuple[Tensor, ...], StepSize]:
        """Every copy after a transition at its own temperature, and the steps that learned."""
        here = Evaluated(*(t[1:].flatten(0, 1) for t in (state.x, state.log_p, state.score)))
        v = normal(target, tuple(here.x.shape), rng)
        length = int(torch.randint(1, self.leapfrog_steps + 1, (),
                                   generator=on_host(rng, state.history.steps)))
        beta = state.ladder.betas[1:].repeat_interleave(self.chains)
        eps = state.size.value(adapting).expand(len(beta), 1)
        found, accepted, probability = tempered_move(target, here, beta, v, eps, length,
                                                     uniform(target, (len(v),), rng))
        mean = probability.view(-1, self.chains).mean(1).repeat_interleave(self.chains)
        size = state.size.observe(accepted, mean[:, None], self.acceptance, adapting)
        lowest = from_base(target, self.chains, rng)
        return tuple(torch.cat([new[None], old.view(-1, *new.shape)])
                     for new, old in zip(lowest, found, strict=True)), size

    def log_weights(self, target: Density, state: TemperingState, n: int, points: Tensor | None,
              rng: torch.Generator) -> LogWeights | None:
        """log Z by bridges over the frozen part of the run; needs two ladders for its error."""
        if not state.size.frozen or self.chains < 2:
            return None
        return LogWeights(log_z=log_z(state.bridges - math.log(state.size.frozen)))

    def diagnostics(self, state: TemperingState) -> dict[str, float]:  # type: ignore[override]
        """Step and acceptance at beta = 1, mixing there, Lambda, swaps, round trips a step."""
        size, rates = state.size, state.ladder.rates
        found = {"step_size": float(size.log_mean.flatten()[-1].exp()),
                 "adaptive_steps": float(size.adapted), "barrier": float(rates.sum()),
                 "swap_acceptance": 1 - float(rates.mean())} | state.history.diagnostics()
        if size.frozen:
            found["acceptance"] = float(size.accepted.flatten()[-1]) / size.frozen
            found["round_trips_a_step"] = float(state.trips) / (size.frozen * self.chains)
        return found


def _reordered(t: Tensor, order: Tensor) -> Tensor:
    """The copies (replicas, chains, ...) as ``order``, (replicas, chains), has them stand."""
    return t.gather(0, order.view(*order.shape, *[1] * (t.ndim - 2)).expand_as(t))
