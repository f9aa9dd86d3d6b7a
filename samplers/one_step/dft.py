"""Denoising Fisher training: a one-step sampler that descends the Fisher divergence.

Let x = g_theta(z) + sigma e have the distribution p_theta, and let q be the target. With s_q and
s_theta their scores, the divergence is

    D(theta) = E |s_q(x) - s_theta(x)|^2,                                             (eq. 4)

whose gradient has two parts: through x, and through how s_theta itself changes. The second seems
out of reach, but equals the gradient of a tractable loss (theorem 1): with the score network s
in place of s_theta and held fixed (sg), and grad log p(x | x_0) = -e / sigma,

    L1(theta) = E |s_q(x) - s(x)|^2,                                                  (eq. 6)
    L2(theta) = E 2 (s_q(x) - s(x)) . (s(x) + e / sigma),                             (eq. 8)

both differentiated through x = g_theta(z) + sigma e alone, so through s_q (a Hessian-vector
product a point) and through s. L1 + L2 (eq. 9) has the gradient of D where s = s_theta. The
network is kept close to s_theta by denoising score matching (eq. 2),

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
from typing import Literal

import torch
from torch import Tensor

from bench.core.density import Density
from samplers.learning.scaled_score import scaled_score
from samplers.one_step.implicit import Denoising, Field


@dataclass(frozen=True)
class DFT(Denoising):
    """One-step generator trained on the Fisher divergence, with a score network.

    Algorithm 1, one optimiser update a step: ``score_updates`` of the score network, then one of
    the generator. ``gradient`` is "full" (L1 + L2, eq. 9) or "partial" (L2 alone, the second
    gradient of eq. 5, as in the paper's figure 2). A draw is g(z), without the noise.

    Defaults are the paper's for 2-D targets where it states them: Adam 2e-5, batch 5000. It
    describes the networks twice: section 5.1 says four layers of 400 with ELU for both, appendix
    C.1 four layers of 200, LeakyReLU(.2) in the sampler and GELU in the score network. We take
    the appendix, which distinguishes the two networks. Not stated, and ours: ``sigma`` (in units
    of the declared scale), ``latent`` (20, ten a dimension as in its logistic regression),
    ``score_updates`` (2, also from there), betas (torch's), latent distribution N(0, I).
    """

    gradient: Literal["full", "partial"] = "full"

    name = "dft"
    kind = "amortised"
    family = "one-step"
    learned = True
    update = ("score network: Adam step on |s(x) + e / sigma|^2 at x = g(z) + sigma e; generator: "
              "Adam step on |s_q - s|^2 + 2 (s_q - s) . (s + e / sigma), differentiated through x")
    citation = "Luo, Deng 2024, arXiv 2411.01453, Algorithm 1, equations 2, 6, 8, 9"
    limitations = ("cannot give separated modes their weights, to which the Fisher divergence is "
                   "insensitive; find modes that no sample is near; fit structure finer than "
                   "sigma x scale: g(z) is narrower than the target by the variance sigma^2 that "
                   "the noise adds")
    law_settings = {
        "steps": 12000, "bias": 0.05, "slow": True,
        "why": "samples are narrower than the target by the noise's variance, sigma x scale = "
               ".15",
        "parameters": {"batch": 1024, "width": 64, "layers": 3, "score_updates": 9,
                       "learning_rate": 0.001, "score_learning_rate": 0.002}}

    def __post_init__(self) -> None:
        if self.gradient not in ("full", "partial"):
            raise ValueError(f"gradient must be full or partial, not {self.gradient!r}")

    def pull(self, target: Density, score_net: Field, x: Tensor,
             e: Tensor) -> tuple[Tensor, Tensor]:
        """Freeze phi, free theta: eq. 9, or eq. 8 alone."""
        x.requires_grad_()
        score = score_net(x)
        gap = scaled_score(target, x) - score
        loss = fisher_loss(gap, score, e / self.sigma, self.gradient)
        (pull,) = torch.autograd.grad(loss, x)
        return pull, gap.detach()


def fisher_loss(gap: Tensor, score: Tensor, noise: Tensor, gradient: str) -> Tensor:
    """L1 + L2, or L2 alone, of one batch: a scalar to differentiate through x.

    ``gap`` is s_q - s, ``score`` is s and ``noise`` is e / sigma, all (n, dim).
    """
    second = 2.0 * (gap * (score + noise)).sum(dim=1)
    if gradient == "partial":
        return second.mean()
    return (gap.square().sum(dim=1) + second).mean()
