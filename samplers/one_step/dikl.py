"""Reverse diffusive KL: a one-step sampler that descends the KL divergence at many noise levels.

The reverse KL divergence does not miss modes that the sampler has no points near. Noised enough,
they are near: with x_t = a_t x + b_t e, a_t^2 = prod (1 - beta), b_t^2 = 1 - a_t^2, both for x =
g_theta(z) of distribution q and for x of the target p,

    DiKL(theta) = sum_t w_t KL(q_t | p_t),
    grad_theta DiKL = sum_t w_t E (grad log q_t(x_t) - grad log p_t(x_t))' a_t dg_theta(z)/dtheta,

with w_t = 1 / a_t, so that levels pull alike. The score of q_t is learned on samples of the
moment, by denoising score matching at all levels,

    min_phi E |e + b_t s_phi(x_t, t)|^2.

That of p_t is an expectation over the posterior of the clean point, p(x | x_t) ~ p(x)
N(x_t; a_t x, b_t^2 I): weighting Tweedie's formula by b_t^2 and the target score identity by a_t^2
(the mixed score identity),

    grad log p_t(x_t) = E[ a_t (x + grad log p(x)) - x_t | x_t ].

It is estimated by annealed importance sampling from ``candidates`` starts, of which one is kept,
and by Metropolis-adjusted Langevin transitions after that
(samplers/one_step/denoising_posterior.py).

References
----------
.. [1] He, Chen, Zhang, Barber, Hernandez-Lobato. Training Neural Samplers with Reverse Diffusive
   KL Divergence. AISTATS 2025, arXiv 2410.12456. Settings from the authors' code for the mixture
   of 40 Gaussians and the 32-dimensional many-well.

Departures. Importance samples start from the posterior under a prior N(0, tau^2 I), tau a few
declared scales, and the annealed path tempers p against it; the code starts from N(x_t / a_t,
b_t^2 / a_t^2 I), cut off at a given box, and tempers against that. Transitions are Langevin
(the code's are Hamiltonian of one leapfrog step, the same kernel). Each level and temperature
adapts a step of its own, towards an acceptance of .574; in the code steps are given. The mean is
over all points of the chain after it was kept, in the code over the last two. Betas end at .15 as
for the many-well, whose lengths are of order one like ours (versions of the code differ: .1 or
.15 there, .5 or .7 for the mixture, whose lengths are 40). The code's generator batch of 1024
would be 158,720 gradient evaluations an update; ours is 128, that of score matching stays 1024.
Latents: 20, in the code as many as dimensions. The score network is that of ``idem`` and predicts
-b_t s_phi.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from bench.core.density import Density
from samplers.base import normal
from samplers.learning.networks import TimedNet
from samplers.learning.optimisation import adam, descend
from samplers.one_step.denoising_posterior import Noised, annealed, continued
from samplers.one_step.implicit import Alternating, PairState, known

#: The acceptance Langevin steps are adapted to, and how fast their logarithms move.
ACCEPTANCE, RATE = 0.574, 0.3


@dataclass(kw_only=True)
class DiklState(PairState):
    """As of a pair, and the steps of the posterior's transitions: their logarithms, (levels, J).

    The last column is of the transitions after a chain was kept.
    """

    log_steps: Tensor
    acceptance: Tensor | None = None


@dataclass(frozen=True)
class Dikl(Alternating):
    """One-step generator trained on KL divergences along a diffusion, with a score network.

    One optimiser update a step: ``score_updates`` of the score network on ``score_batch`` points,
    then one of the generator on ``batch`` points, each with a level of its own. The latter costs
    batch x (candidates x temperatures + transitions) gradient evaluations, 19,840 at the defaults.
    ``tau`` is in units of the declared scale. Level 0, nearly noiseless, is not used, as in the
    code.
    """

    batch: int = 128
    learning_rate: float = 1e-3
    width: int = 400
    layers: int = 4
    score_updates: int = 50
    score_learning_rate: float = 1e-4
    score_batch: int = 1024
    embedding: int = 128
    levels: int = 30
    beta_first: float = 1e-4
    beta_last: float = 0.15
    tau: float = 2.0
    candidates: int = 10
    temperatures: int = 15
    transitions: int = 5
    grad_clip: float = 10.0

    name = "dikl"
    kind = "amortised"
    family = "one-step"
    learned = True
    update = ("score network: Adam step on |e + b s(x_t, t)|^2 at x_t = a g(z) + b e; generator: "
              "Adam step along (s - E[a (x + s_p(x)) - x_t | x_t]) / a . dx_t/dtheta, posterior "
              "by annealed importance sampling and Langevin transitions")
    citation = "He, Chen, Zhang, Barber, Hernandez-Lobato 2025, arXiv 2410.12456"
    limitations = ("cannot estimate the posterior without bias in a few transitions where modes "
                   "are far apart against the noise; find modes farther out than a few tau; see "
                   "much finer than the least noise, .07 scales at the defaults")
    law_settings = {
        "steps": 4000, "bias": 0.3, "slow": True,
        "why": "noised scores by importance samples are biased: the first mean is .2 sd too "
               "large at every seed, a variance by up to .36",
        "parameters": {"width": 64, "layers": 3, "learning_rate": 0.0005,
                       "score_learning_rate": 0.002, "batch": 128, "score_updates": 4,
                       "score_batch": 256, "embedding": 16, "temperatures": 5, "candidates": 6}}

    def __post_init__(self) -> None:
        if self.levels < 2:
            raise ValueError(f"levels must be at least 2, not {self.levels}: level 0 is not used")
        if min(self.candidates, self.temperatures, self.transitions) < 1:
            raise ValueError("candidates, temperatures and transitions must be at least 1")

    def schedule(self, target: Density) -> tuple[Tensor, Tensor]:
        """a_t and b_t of all levels, (levels, 1) each."""
        betas = torch.linspace(self.beta_first, self.beta_last, self.levels,
                               device=target.device, dtype=torch.float64)
        kept = (1.0 - betas).cumprod(0)[:, None]
        return kept.sqrt().to(target.dtype), (1.0 - kept).sqrt().to(target.dtype)

    def init(self, target: Density, rng: torch.Generator) -> DiklState:
        """Both networks untrained, all steps half the variance of pi_0."""
        generator = self.fresh_generator(target, rng, functional.silu)
        score_net = TimedNet(target, rng, self.width, self.embedding)
        steps = torch.full((self.levels, self.temperatures), 0.5, device=target.device,
                           dtype=target.dtype)
        return DiklState(generator=generator, score_net=score_net,
                         generator_optimiser=adam(generator.parameters(), self.learning_rate),
                         score_optimiser=adam(score_net.parameters(), self.score_learning_rate),
                         log_steps=steps.log())

    def noised(self, target: Density, clean: Tensor,
               rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """x_t = a x + b e, each point at a random level but 0: level (n,), a, b (n, 1), e, x_t."""
        level = torch.randint(1, self.levels, (len(clean),), generator=rng, device=target.device)
        a, b = (part[level] for part in self.schedule(target))
        e = normal(target, tuple(clean.shape), rng)
        return level, a, b, e, a * clean + b * e

    def noise_in(self, state: PairState, x_t: Tensor, level: Tensor) -> Tensor:
        """What the network takes e for, which is -b s_phi(x_t, t): (n, dim)."""
        time = level[:, None].to(x_t.dtype) / (self.levels - 1)
        return state.score_net(x_t, time)

    def update_score(self, target: Density, state: PairState, rng: torch.Generator) -> None:
        """Freeze theta, free phi: denoising score matching at all levels."""
        with torch.no_grad():
            clean = state.generator(normal(target, (self.score_batch, self.latent), rng))
        level, _, _, e, x_t = self.noised(target, clean, rng)
        loss = (e - self.noise_in(state, x_t, level)).square().sum(dim=1).mean()
        descend(state.score_optimiser, loss)
        state.score_loss = loss.detach()

    def update_generator(self, target: Density, state: DiklState, rng: torch.Generator) -> None:
        """Freeze phi, free theta: along w_t a_t (s - s_p) with w_t = 1 / a_t."""
        clean = state.generator(self.latents(target, rng))
        level, a, b, _, x_t = self.noised(target, clean.detach(), rng)
        with torch.no_grad():
            own = -self.noise_in(state, x_t, level) / b
            gap = self.target_score(target, state, x_t, level, rng) - own
        descend(state.generator_optimiser, clean, -gap / len(clean), longest=self.grad_clip)
        state.fisher = (b * gap).square().sum(dim=1).mean()

    def target_score(self, target: Density, state: DiklState, x_t: Tensor, level: Tensor,
                     rng: torch.Generator) -> Tensor:
        """Estimate of grad log p_t at x_t, (n, dim), by the mixed score identity; adapts steps."""
        a, b = (part[level] for part in self.schedule(target))
        steps = state.log_steps[level].exp()
        noised = Noised(x_t, a, b, self.tau)
        chain, rates = annealed(target, noised, self.candidates, steps[:, :-1], rng)
        x, score, rate = continued(target, noised, chain, self.transitions, steps[:, -1:], rng)
        rates = torch.cat([rates, rate[:, None]], dim=1)
        state.log_steps = adapted(state.log_steps, level, rates)
        state.acceptance = rates.mean()
        return a * (x + score) - x_t

    def diagnostics(self, state: DiklState) -> dict[str, float]:
        """Score-matching loss, mean of b_t^2 |s - s_p|^2 with its noise, acceptance."""
        return known(score_loss=state.score_loss, fisher_divergence=state.fisher,
                     acceptance=state.acceptance)


def adapted(log_steps: Tensor, level: Tensor, rates: Tensor) -> Tensor:
    """Steps longer where more was accepted than wanted: log eps <- log eps + rate (acc - .574).

    ``rates``, (n, J): acceptances of points at ``level``, (n,); ``log_steps``: (levels, J).
    """
    excess = torch.zeros_like(log_steps).index_add(0, level, rates - ACCEPTANCE)
    points = torch.bincount(level, minlength=len(log_steps)).clamp_min(1)
    return log_steps + RATE * excess / points[:, None]
