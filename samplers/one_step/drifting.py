"""Drifting: a one-step generator pulled along a difference of smoothed scores.

With phi_s the Gaussian kernel of width s (sigma below), q the distribution of x = f_theta(z) and p
the target, points are moved by

    V(x) = eta (grad log (p * phi_s)(x) - grad log (q * phi_s)(x)),

which vanishes where q = p, and the generator is regressed onto the moved points,

    L(theta) = mean_i |f_theta(z_i) - sg(x_i + V(x_i))|^2,

whose gradient is -(2/N) sum_i V(x_i) . dx_i/dtheta.

**Target side**, from the energy E = -log p alone. Monte Carlo (paper, section 3.3): with
u_l = x + s e_l and w_l proportional to exp(-E(u_l)),

    grad log (p * phi_s)(x)  ~  (sum_l w_l u_l - x) / s^2,

which costs L log-density evaluations a point and no gradient. Second order: expanding E around x
to H,

    grad log (p * phi_s)(x)  ~  -(I + s^2 H(x))^{-1} grad E(x),

one gradient evaluation and ``dim`` Hessian-vector products a point.

**Sampler side**: the Gaussian mean-shift over the current batch, the point itself included.

References
----------
.. [1] Cao, Yan, Zhao. One-Step Sampler for Boltzmann Distributions via Drifting.
   arXiv 2603.17579, 2026. Section 3.6 is the algorithm.
.. [2] Deng, Li, Li, Du, He. Generative modeling via drifting. arXiv 2602.04770, 2026.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from bench.core.density import Density
from samplers.base import Sampler, normal
from samplers.learning.networks import MLP, one_step_generator, pushed_forward
from samplers.learning.optimisation import adam, descend
from samplers.learning.smoothed_score import monte_carlo_score, second_order_score
from samplers.one_step.kernels import mean_shift


@dataclass
class DriftingState:
    """The generator, its optimiser, and the last update's numbers (on the device)."""

    generator: MLP
    optimiser: torch.optim.Adam
    updates: int = 0
    loss: Tensor | None = None
    ess: Tensor | None = None


@dataclass(frozen=True)
class Drifting(Sampler):
    """One-step generator trained along the drift between smoothed target and sampler scores.

    The defaults are the paper's: residual MLP 32 -> 3 x 256 -> dim, batch 1024, learning rate
    1e-3, sigma = eta = .22, Monte-Carlo target side with 256 perturbations, self included on the
    sampler side. What the paper leaves open is read so:

    - optimiser: Adam with default betas (so eta, which only rescales the gradient, hardly
      matters); activation: SiLU; latent distribution: N(0, I);
    - residual: the second and third hidden layer add to their input;
    - output: multiplied by the declared scale, and standardised at the start, so that the
      untrained generator's distribution has mean 0 and standard deviation ``scale`` in each
      coordinate, like every sampler's start. ``sigma`` stays a length in the target's own units,
      as in the paper (whose targets are of scale about one);
    - second-order side where I + sigma^2 H is singular or indefinite (E concave there, so the
      expansion has no Gaussian posterior): eigenvalues are replaced by their modulus, at least
      .1. Where all of them exceed .1 this is the paper's formula.
    """

    latent: int = 32
    width: int = 256
    layers: int = 3
    batch: int = 1024
    learning_rate: float = 1e-3
    sigma: float = 0.22
    eta: float = 0.22
    estimator: Literal["monte_carlo", "second_order"] = "monte_carlo"
    perturbations: int = 256

    name = "drifting"
    kind = "amortised"
    family = "one-step"
    learned = True
    update = ("x = f(z); V = eta (smoothed target score - smoothed sampler score) at x; Adam step "
              "on mean |f(z) - sg(x + V)|^2")
    citation = "Cao, Yan, Zhao 2026, arXiv 2603.17579, section 3.6"
    limitations = ("cannot move mass between modes that lie about five widths apart or farther, "
                   "since the kernel of width sigma does not reach across: modes are lost or "
                   "misweighted; targets much larger than sigma are learned slowly and with "
                   "collapse; structure finer than sigma is biased by the self-inclusive "
                   "mean-shift")
    law_settings = {
        "bias": 0.1, "slow": True,
        "why": "the mean-shift over a finite batch counts each point itself, which shrinks "
               "the distribution",
        "parameters": {"estimator": "second_order", "width": 128}}

    def __post_init__(self) -> None:
        if self.estimator not in ("monte_carlo", "second_order"):
            raise ValueError(f"estimator must be monte_carlo or second_order, not "
                             f"{self.estimator!r}")

    def init(self, target: Density, rng: torch.Generator) -> DriftingState:
        """An untrained generator, whose distribution has mean 0 and deviation ``scale``."""
        sizes = (self.latent, self.width, target.dim)
        generator = one_step_generator(sizes, self.layers, target, rng, functional.silu,
                                       residual=True)
        return DriftingState(generator, adam(generator.parameters(), self.learning_rate))

    def step(self, target: Density, state: DriftingState, progress: float,
             rng: torch.Generator) -> DriftingState:
        """One update of the generator: the five points of section 3.6."""
        z = normal(target, (self.batch, self.latent), rng)
        x = target.scale * state.generator(z)
        with torch.no_grad():
            sampler_side = mean_shift(x, self.sigma)
            target_side, state.ess = self._target_side(target, x.detach(), rng)
            drift = self.eta * (target_side - sampler_side)
            goal = x + drift
        loss = (x - goal).square().sum(dim=1).mean()
        descend(state.optimiser, loss)
        state.loss = loss.detach()
        state.updates += 1
        return state

    def draw(self, target: Density, state: DriftingState, n: int,
             rng: torch.Generator) -> Tensor:
        """n fresh points: one forward pass, in blocks."""
        return pushed_forward(state.generator, target, self.latent, n, rng)

    def diagnostics(self, state: DriftingState) -> dict[str, float]:
        """Loss, root-mean-square drift, and effective number of perturbations."""
        found: dict[str, float] = {}
        if state.loss is not None:
            found |= {"loss": float(state.loss), "drift_norm": float(state.loss.sqrt())}
        if state.ess is not None:
            found["ess"] = float(state.ess)
        return found

    def _target_side(self, target: Density, x: Tensor,
                     rng: torch.Generator) -> tuple[Tensor, Tensor | None]:
        if self.estimator == "monte_carlo":
            return monte_carlo_score(target, x, self.sigma, self.perturbations, rng)
        return second_order_score(target, x, self.sigma), None
