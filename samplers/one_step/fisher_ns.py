"""Fisher neural sampler: a one-step sampler that plays Stein's identity against a test function.

Let x = g_theta(z) have the distribution q and the target the score s_p. For every smooth f that
vanishes at infinity E_p [s_p . f + div f] = 0 (Stein's identity), so a large value under q
distinguishes the two distributions. With a penalty on the size of f the game is

    min_theta max_f  E_q [ s_p(x) . f(x) + div f(x) - lambda |f(x)|^2 ].

By parts E_q div f = -E_q s_q . f; the best f and the value there are

    f* = (s_p - s_q) / (2 lambda),        E_q |s_p - s_q|^2 / (4 lambda),

the Fisher divergence, and f* a difference of scores. At f* the value does not change with f, so
its gradient by theta is that of the game at f held fixed, through x = g(z) alone: through s_p (a
Hessian-vector product a point), div f and |f|^2.

References
----------
.. [1] Hu, Chen, Sun, Bai, Ye, Cheng. Stein Neural Sampler. arXiv 1810.03545, 2018. Fisher-NS.
.. [2] Luo, Deng. Denoising Fisher Training for Neural Implicit Samplers. arXiv 2411.01453, 2024.
   Runs it as Fisher-NS (tables 1 and 2).

Departures. No code of [1] was found; networks, batch, learning rates and latent are those of
``dft``, as in [2]. Ours: lambda = 1/2, so that f* = s_p - s_q (Adam makes the generator's steps
the same at any lambda), five updates of f for one of the generator, and the exact divergence.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bench.core.density import Density
from samplers.learning.optimisation import descend
from samplers.learning.scaled_score import scaled_score
from samplers.one_step.implicit import Alternating, Field, PairState, known


@dataclass(frozen=True)
class FisherNs(Alternating):
    """One-step generator against a test function f, a network trained with it.

    One optimiser update a step: ``score_updates`` of f (``score_net`` in the state), upwards, then
    one of the generator, downwards; both see the target, so that a step of either sort costs a
    gradient evaluation a point, the generator's a Hessian-vector product more. ``penalty``:
    lambda. ``probes``: random directions that estimate div f (Hutchinson); 0: exactly, by one
    backward pass a dimension.
    """

    score_updates: int = 5
    penalty: float = 0.5
    probes: int = 0

    name = "fisher_ns"
    kind = "amortised"
    family = "one-step"
    learned = True
    update = ("v(x) = s_p . f + div f - lambda |f|^2 at x = g(z); f: Adam step up E v; generator: "
              "Adam step down E v, differentiated through x")
    citation = "Hu, Chen, Sun, Bai, Ye, Cheng 2018, arXiv 1810.03545, Fisher-NS"
    limitations = ("cannot give separated modes their weights, to which the Fisher divergence is "
                   "insensitive; find modes that no sample is near; descend anything known where "
                   "f lags behind the generator")
    law_settings = {
        "steps": 4000, "bias": 0.2, "slow": True,
        "why": "f lags behind the generator: means are off by up to .26 sd",
        "parameters": {"width": 64, "layers": 2, "learning_rate": 0.001,
                       "score_learning_rate": 0.005, "batch": 256}}

    def __post_init__(self) -> None:
        if not self.penalty > 0:
            raise ValueError(f"penalty must be positive, not {self.penalty}: without it the best "
                             "f is infinite")

    def update_score(self, target: Density, state: PairState, rng: torch.Generator) -> None:
        """Freeze theta, free f: up."""
        with torch.no_grad():
            x = state.generator(self.latents(target, rng))
            score = scaled_score(target, x)
        value = self.values(state.score_net, x.requires_grad_(), score, rng).mean()
        descend(state.score_optimiser, -value)
        state.score_loss = -value.detach()

    def update_generator(self, target: Density, state: PairState, rng: torch.Generator) -> None:
        """Freeze f, free theta: down, through x."""
        clean = state.generator(self.latents(target, rng))
        x = clean.detach().requires_grad_()
        value = self.values(state.score_net, x, scaled_score(target, x), rng).mean()
        (pull,) = torch.autograd.grad(value, x)
        descend(state.generator_optimiser, clean, pull)
        state.fisher = 4.0 * self.penalty * value.detach()

    def values(self, f: Field, x: Tensor, score: Tensor, rng: torch.Generator) -> Tensor:
        """s_p . f + div f - lambda |f|^2 at each point, (n,); ``score`` is s_p there, (n, dim)."""
        out = f(x)
        divergence = trace(out, x) if self.probes == 0 else probed(out, x, self.probes, rng)
        return ((score - self.penalty * out) * out).sum(dim=1) + divergence

    def diagnostics(self, state: PairState) -> dict[str, float]:
        """Minus the value of the game, and its estimate of the Fisher divergence x scale^2."""
        return known(score_loss=state.score_loss, fisher_divergence=state.fisher)


def trace(out: Tensor, x: Tensor) -> Tensor:
    """div f at each point, (n,): one backward pass a dimension."""
    rows = [torch.autograd.grad(column.sum(), x, create_graph=True)[0][:, i]
            for i, column in enumerate(out.unbind(1))]
    return torch.stack(rows).sum(dim=0)


def probed(out: Tensor, x: Tensor, probes: int, rng: torch.Generator) -> Tensor:
    """Unbiased estimate of div f, (n,): the mean of v' (df/dx) v over random signs v."""
    total = torch.zeros_like(x[:, 0])
    for _ in range(probes):
        v = torch.randn(x.shape, generator=rng, device=x.device, dtype=x.dtype).sign()
        (product,) = torch.autograd.grad(out, x, v, create_graph=True)
        total = total + (product * v).sum(dim=1)
    return total / probes
