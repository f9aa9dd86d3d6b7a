"""What the one-step samplers share: a generator, and often a second network trained with it.

A draw is scale x g(z), z ~ N(0, I). Lengths are in units of the declared scale: networks see
points of order one, scores are multiplied by the scale. A step is one optimiser update: where a
second network is trained, ``score_updates`` updates of it, then one of the
generator.

``Denoising`` samplers train the distribution p_theta of x = g(z) + sigma e, whose score the second
network learns by denoising score matching (Vincent, Neural Computation 23, 2011; equation 2 of
Denoising Fisher Training, arXiv 2411.01453),

    min_phi E |s_phi(x) + e / sigma|^2.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.core.density import Density
from samplers.base import Sampler, normal
from samplers.learning.networks import MLP, Activation, one_step_generator, pushed_forward
from samplers.learning.optimisation import adam, descend

#: A network as the losses see it: (n, dim) -> (n, dim).
Field = Callable[[Tensor], Tensor]

LEAKY: Activation = partial(functional.leaky_relu, negative_slope=0.2)


@dataclass
class OneStepState:
    """The generator with its optimiser, and the latest loss."""

    generator: MLP
    generator_optimiser: torch.optim.Adam
    updates: int = 0
    loss: Tensor | None = None


@dataclass
class PairState:
    """Both networks with their optimisers; ``turn`` counts the updates of this iteration."""

    generator: MLP
    score_net: nn.Module
    generator_optimiser: torch.optim.Adam
    score_optimiser: torch.optim.Adam
    turn: int = 0
    updates: int = 0
    score_loss: Tensor | None = None
    fisher: Tensor | None = None


@dataclass(frozen=True)
class OneStep(Sampler):
    """A generator g and its draws; defaults are those of ``dft``, which says where from."""

    batch: int = 5000
    learning_rate: float = 2e-5
    latent: int = 20
    width: int = 200
    layers: int = 4

    def fresh_generator(self, target: Density, rng: torch.Generator,
                        activation: Activation = LEAKY) -> MLP:
        """An untrained generator, whose distribution has mean 0 and deviation ``scale``."""
        sizes = (self.latent, self.width, target.dim)
        return one_step_generator(sizes, self.layers, target, rng, activation)

    def latents(self, target: Density, rng: torch.Generator) -> Tensor:
        """A batch of z, shape (batch, latent)."""
        return normal(target, (self.batch, self.latent), rng)

    def draw(self, target: Density, state: OneStepState | PairState, n: int,
             rng: torch.Generator) -> Tensor:
        """n fresh points g(z): one forward pass, in blocks."""
        return pushed_forward(state.generator, target, self.latent, n, rng)


@dataclass(frozen=True)
class Alone(OneStep):
    """A generator without a second network."""

    def init(self, target: Density, rng: torch.Generator) -> OneStepState:
        """An untrained generator, whose distribution has mean 0 and deviation ``scale``."""
        generator = self.fresh_generator(target, rng)
        return OneStepState(generator, adam(generator.parameters(), self.learning_rate))


@dataclass(frozen=True)
class Alternating(OneStep):
    """A generator and a second network, updated in turns."""

    score_updates: int = 2
    score_learning_rate: float = 2e-5

    def init(self, target: Density, rng: torch.Generator) -> PairState:
        """Both networks untrained; the generator has mean 0 and deviation ``scale``."""
        generator = self.fresh_generator(target, rng)
        score_net = MLP((target.dim, self.width, target.dim), self.layers, target, rng,
                        functional.gelu)
        return PairState(generator, score_net, adam(generator.parameters(), self.learning_rate),
                         adam(score_net.parameters(), self.score_learning_rate))

    def step(self, target: Density, state: PairState, progress: float,
             rng: torch.Generator) -> PairState:
        """One update of the score network, or after ``score_updates`` of them the generator's."""
        if state.turn < self.score_updates:
            self.update_score(target, state, rng)
            state.turn += 1
        else:
            self.update_generator(target, state, rng)
            state.turn = 0
        state.updates += 1
        return state

    @abstractmethod
    def update_score(self, target: Density, state: Any, rng: torch.Generator) -> None:  # noqa: ANN401
        """Freeze the generator, update the second network."""

    @abstractmethod
    def update_generator(self, target: Density, state: Any, rng: torch.Generator) -> None:  # noqa: ANN401
        """Freeze the second network, update the generator."""


@dataclass(frozen=True)
class Denoising(Alternating):
    """Training of the distribution of g(z) + sigma e; ``sigma`` is in units of the scale."""

    sigma: float = 0.1

    def update_score(self, target: Density, state: PairState, rng: torch.Generator) -> None:
        """Freeze theta, free phi: denoising score matching."""
        z = self.latents(target, rng)
        e = normal(target, (self.batch, target.dim), rng)
        with torch.no_grad():
            x = state.generator(z).add_(e, alpha=self.sigma)
        loss = (state.score_net(x) + e / self.sigma).square().sum(dim=1).mean()
        descend(state.score_optimiser, loss)
        state.score_loss = loss.detach()

    def update_generator(self, target: Density, state: PairState, rng: torch.Generator) -> None:
        """Freeze phi, free theta: along the gradient of the divergence at x = g(z) + sigma e."""
        z = self.latents(target, rng)
        e = normal(target, (self.batch, target.dim), rng)
        clean = state.generator(z)
        pull, gap = self.pull(target, state.score_net, clean.detach() + self.sigma * e, e)
        # dx/dg(z) is the identity; phi gets no gradient
        descend(state.generator_optimiser, clean, pull)
        state.fisher = gap.square().sum(dim=1).mean()

    def diagnostics(self, state: PairState) -> dict[str, float]:
        """Score-matching loss, and the estimate of D x scale^2 (as good as the score network).

        D = E |s_q - s_theta|^2 is the Fisher divergence.
        """
        return known(score_loss=state.score_loss, fisher_divergence=state.fisher)

    @abstractmethod
    def pull(self, target: Density, score_net: Field, x: Tensor,
             e: Tensor) -> tuple[Tensor, Tensor]:
        """Gradient of the batch's loss by its points, and s_q - s_theta at them: both (n, dim)."""


def known(**numbers: Tensor | None) -> dict[str, float]:
    """Those that there are already, as floats."""
    return {key: float(value) for key, value in numbers.items() if value is not None}
