"""Denoising Fisher training: a one-step sampler that descends the Fisher divergence.

Let x = g_theta(z) + sigma e have the law p_theta, and let q be the target. With s_q and s_theta
their scores, the divergence is

    D(theta) = E |s_q(x) - s_theta(x)|^2,                                             (eq. 4)

whose gradient has two parts: through x, and through how s_theta itself changes. The second seems
out of reach, but equals the gradient of a tractable loss (theorem 1): with the score network s
in place of s_theta and held fixed (sg), and grad log p(x | x_0) = -e / sigma,

    L1(theta) = E |s_q(x) - s(x)|^2,                                                  (eq. 6)
    L2(theta) = E 2 (s_q(x) - s(x)) . (s(x) + e / sigma),                             (eq. 8)

both differentiated through x = g_theta(z) + sigma e alone, so through s_q (a Hessian-vector row a
point) and through s. L1 + L2 (eq. 9) has the gradient of D where s = s_theta. The network is kept
close to s_theta by denoising score matching (eq. 2),

    min_phi E |s_phi(x) + e / sigma|^2.

Lengths are in units of the declared scale: networks see points of order one, scores are
multiplied by the scale. This multiplies D by the scale squared and changes nothing else.

References
----------
.. [1] Luo, Deng. Denoising Fisher Training for Neural Implicit Samplers. arXiv 2411.01453, 2024.
   Equations 2 to 9, Algorithm 1, appendix C.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from samplers.base import Sampler, normal
from samplers.parts.nets import MLP, adam, one_step_generator, pushed_forward
from targets.base import Density


@dataclass
class DFTState:
    """Both networks with their optimisers; ``turn`` counts the updates of this iteration."""

    generator: MLP
    score_net: MLP
    generator_optimiser: torch.optim.Adam
    score_optimiser: torch.optim.Adam
    turn: int = 0
    updates: int = 0
    score_loss: Tensor | None = None
    fisher: Tensor | None = None


@dataclass(frozen=True)
class DFT(Sampler):
    """One-step generator trained on the Fisher divergence, with a score network beside it.

    Algorithm 1, one optimiser update a step: ``score_updates`` of the score network, then one of
    the generator. ``gradient`` is "full" (L1 + L2, eq. 9) or "partial" (L2 alone, the second
    gradient of eq. 5, as in the paper's figure 2). A draw is g(z), without the noise.

    Defaults are the paper's for 2-D targets where it states them: Adam 2e-5, batch 5000. It
    describes the networks twice: section 5.1 says four layers of 400 with ELU for both, appendix
    C.1 four layers of 200, LeakyReLU(.2) in the sampler and GELU in the score network. We take
    the appendix, which tells the two networks apart. Not stated, and ours: ``sigma`` (in units of
    the declared scale), ``latent`` (20, ten a dimension as in its logistic regression),
    ``score_updates`` (2, also from there), betas (torch's), latent law N(0, I).
    """

    gradient: Literal["full", "partial"] = "full"
    sigma: float = 0.1
    score_updates: int = 2
    batch: int = 5000
    learning_rate: float = 2e-5
    score_learning_rate: float = 2e-5
    latent: int = 20
    width: int = 200
    layers: int = 4

    name = "dft"
    kind = "amortised"
    family = "one-step"
    learned = True
    update = ("score network: Adam step on |s(x) + e / sigma|^2 at x = g(z) + sigma e; generator: "
              "Adam step on |s_q - s|^2 + 2 (s_q - s) . (s + e / sigma), differentiated through x")
    reference = "Luo, Deng 2024, arXiv 2411.01453, Algorithm 1, equations 2, 6, 8, 9"
    cannot = ("weigh separated modes, to which the Fisher divergence is blind; find modes that "
              "no sample is near; fit structure finer than sigma x scale: g(z) is narrower than "
              "the target by the variance sigma^2 that the noise adds")

    def __post_init__(self) -> None:
        if self.gradient not in ("full", "partial"):
            raise ValueError(f"gradient must be full or partial, not {self.gradient!r}")

    def init(self, target: Density, rng: torch.Generator) -> DFTState:
        """Both networks untrained; the generator's law has mean 0 and deviation ``scale``."""
        leaky = partial(functional.leaky_relu, negative_slope=0.2)
        sizes = (self.latent, self.width, target.dim)
        generator = one_step_generator(sizes, self.layers, target, rng, leaky)
        score_net = MLP((target.dim, self.width, target.dim), self.layers, target, rng,
                        functional.gelu)
        return DFTState(generator, score_net, adam(generator.parameters(), self.learning_rate),
                        adam(score_net.parameters(), self.score_learning_rate))

    def step(self, target: Density, state: DFTState, progress: float,
             rng: torch.Generator) -> DFTState:
        """One update of the score network, or after ``score_updates`` of them the generator's."""
        z = normal(target, (self.batch, self.latent), rng)
        e = normal(target, (self.batch, target.dim), rng)
        if state.turn < self.score_updates:
            self._update_score(state, z, e)
            state.turn += 1
        else:
            self._update_generator(target, state, z, e)
            state.turn = 0
        state.updates += 1
        return state

    def _update_score(self, state: DFTState, z: Tensor, e: Tensor) -> None:
        """Freeze theta, free phi: denoising score matching, eq. 2."""
        with torch.no_grad():
            x = state.generator(z).add_(e, alpha=self.sigma)
        loss = (state.score_net(x) + e / self.sigma).square().sum(dim=1).mean()
        state.score_optimiser.zero_grad()
        loss.backward()
        state.score_optimiser.step()
        state.score_loss = loss.detach()

    def _update_generator(self, target: Density, state: DFTState, z: Tensor, e: Tensor) -> None:
        """Freeze phi, free theta: eq. 9, or eq. 8 alone."""
        clean = state.generator(z)
        x = (clean.detach() + self.sigma * e).requires_grad_()
        score = state.score_net(x)
        gap = target.scale * target.score(target.scale * x) - score
        loss = fisher_loss(gap, score, e / self.sigma, self.gradient)
        (pull,) = torch.autograd.grad(loss, x)  # dL/dx, which is dL/dg(z); phi gets no gradient
        state.generator_optimiser.zero_grad()
        clean.backward(pull)
        state.generator_optimiser.step()
        state.fisher = gap.detach().square().sum(dim=1).mean()

    def draw(self, target: Density, state: DFTState, n: int, rng: torch.Generator) -> Tensor:
        """n fresh points g(z): one forward pass, in blocks."""
        return pushed_forward(state.generator, target, self.latent, n, rng)

    def diagnostics(self, state: DFTState) -> dict[str, float]:
        """Score-matching loss, and the estimate of D x scale^2 (as good as the score network)."""
        found: dict[str, float] = {}
        if state.score_loss is not None:
            found["score_loss"] = float(state.score_loss)
        if state.fisher is not None:
            found["fisher_divergence"] = float(state.fisher)
        return found


def fisher_loss(gap: Tensor, score: Tensor, noise: Tensor, gradient: str) -> Tensor:
    """L1 + L2, or L2 alone, of one batch: a scalar to differentiate through x.

    ``gap`` is s_q - s, ``score`` is s and ``noise`` is e / sigma, all (n, dim).
    """
    second = 2.0 * (gap * (score + noise)).sum(dim=1)
    if gradient == "partial":
        return second.mean()
    return (gap.square().sum(dim=1) + second).mean()
