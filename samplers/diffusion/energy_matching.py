"""Denoising energy matching: what iDEM and pDEM share.

The noised distribution p_t = p * N(0, h(t) I) of a variance-exploding diffusion has the score

    grad log p_t(x) = E_z[p(x + sqrt(h) z) grad log p(x + sqrt(h) z)] / E_z[p(x + sqrt(h) z)],

estimated with K shared normals z_k as

    S_K(x, t) = sum_k w_k grad log p(x + sqrt(h) z_k),   w = softmax_k log p(x + sqrt(h) z_k),

the gradient of log-mean-exp_k log p(x + sqrt(h) z_k); it costs K gradient evaluations a point. A
network s(x, t) is regressed onto S_K, and the reverse SDE from N(0, h(1) I) draws. Lengths are in
units of the declared scale throughout: x is the point divided by the unit, scores are multiplied
by it. The geometric schedule has, for r = sigma_max / sigma_min,

    h(t) = sigma_min^2 (r^(2t) - 1),   g(t) = sigma_min r^t sqrt(2 ln r),   h' = g^2.

References
----------
.. [1] Akhound-Sadegh et al. Iterated Denoising Energy Matching for Sampling from Boltzmann
   Densities. ICML 2024, arXiv 2402.06121. Equations 7 to 9, Algorithm 1, appendix F.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.core.density import Density
from samplers.base import Sampler, normal, uniform
from samplers.learning.networks import TimedNet, in_blocks
from samplers.learning.optimisation import adam, descend, follow
from samplers.learning.scaled_score import clipped
from samplers.learning.smoothed_score import gradient_score


@dataclass(frozen=True)
class Geometric:
    """The variance-exploding schedule with geometric sigma(t), t in [0, 1]."""

    sigma_min: float
    sigma_max: float

    def variance(self, t: Tensor) -> Tensor:
        """h(t), the variance of the noise added up to time t."""
        ratio = self.sigma_max / self.sigma_min
        return self.sigma_min**2 * torch.expm1(2.0 * math.log(ratio) * t)

    def end_variance(self) -> float:
        """h(1), the variance of the prior."""
        return self.sigma_max**2 - self.sigma_min**2

    def rate(self, t: float) -> float:
        """g(t)^2, at which the variance grows."""
        ratio = self.sigma_max / self.sigma_min
        return self.sigma_min**2 * ratio ** (2.0 * t) * 2.0 * math.log(ratio)


@dataclass
class DemState:
    """The score network, its optimiser, and how far the unrolled outer loop is.

    ``average`` is the network that simulates: the moving average of ``net``. ``buffer`` (m, dim)
    and ``paths`` (a batch of reverse SDEs ``moved`` steps under way) are in units of length, and
    empty where a method has none.
    """

    net: TimedNet
    average: TimedNet
    optimiser: torch.optim.Adam
    buffer: Tensor
    paths: Tensor
    moved: int = 0
    inner: int = 0
    updates: int = 0
    loss: Tensor | None = None
    ess: Tensor | None = None


@dataclass(frozen=True)
class EnergyMatching(Sampler):
    """Hyperparameters and moves common to iDEM and pDEM; defaults are the paper's for GMM-40.

    Lengths are in units of ``unit`` x declared scale (the paper divides its 40-mode mixture, whose
    scale is 25 here, by 50). The regression target is rescaled to at most the norm ``clip``; the
    loss is weighted by lambda(t) = h(t) + 1e-3; gradients are clipped to the norm ``grad_clip``.
    Simulation uses the weights averaged with the decay ``ema``; 0 is the paper's choice, which
    leaves the averaging that its code has (.999) switched off.
    """

    sigma_min: float = 1e-5
    sigma_max: float = 1.0
    unit: float = 2.0
    mc_samples: int = 500
    batch: int = 512
    learning_rate: float = 5e-4
    clip: float = 70.0
    grad_clip: float = 0.5
    ema: float = 0.0
    sde_steps: int = 1000
    width: int = 128
    embedding: int = 128

    @property
    def schedule(self) -> Geometric:
        """The noise schedule."""
        return Geometric(self.sigma_min, self.sigma_max)

    def fresh(self, target: Density, rng: torch.Generator) -> DemState:
        """An untrained network, with nothing in the buffer and no path under way."""
        net = TimedNet(target, rng, self.width, self.embedding)
        nothing = torch.empty((0, target.dim), device=target.device, dtype=target.dtype)
        return DemState(net, copy.deepcopy(net), adam(net.parameters(), self.learning_rate),
                        nothing, nothing)

    def prior(self, target: Density, n: int, rng: torch.Generator) -> Tensor:
        """n points of N(0, h(1) I), where the reverse SDE starts."""
        return math.sqrt(self.schedule.end_variance()) * normal(target, (n, target.dim), rng)

    def regress(self, target: Density, state: DemState, clean: Tensor,
                rng: torch.Generator) -> None:
        """One Adam step on lambda(t) |s(x_t, t) - S_K(x_t, t)|^2 at noised copies of ``clean``."""
        t = uniform(target, (len(clean), 1), rng)
        h = self.schedule.variance(t)
        x = clean + h.sqrt() * normal(target, tuple(clean.shape), rng)
        goal, state.ess = self.estimate(target, x, h, rng)
        goal = clipped(goal, self.clip)
        error = (state.net(x, t) - goal).square().sum(dim=1, keepdim=True)
        loss = ((h + 1e-3) * error).mean()
        descend(state.optimiser, loss, longest=self.grad_clip)
        state.loss = loss.detach()
        state.updates += 1
        # the usual warm-up of the decay: early weights are forgotten early
        follow(state.average, state.net, min(self.ema, state.updates / (state.updates + 10)))

    @torch.no_grad()
    def estimate(self, target: Density, x: Tensor, h: Tensor,
                 rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """S_K at x (n, dim) for variances h (n, 1), and its mean effective number of samples."""
        return gradient_score(target, x, h.sqrt(), self.mc_samples, rng,
                              self.unit * target.scale)

    def backward(self, target: Density, x: Tensor, score: Tensor, step: int,
                 rng: torch.Generator) -> Tensor:
        """Step number ``step`` of the reverse SDE by Euler-Maruyama, from t to t - dt.

        x + g(t)^2 score(x, t) dt + g(t) sqrt(dt) z.
        """
        dt = 1.0 / self.sde_steps
        gain = self.schedule.rate(1.0 - step * dt) * dt
        noise = normal(target, tuple(x.shape), rng)
        return x.add(score, alpha=gain).add_(noise, alpha=math.sqrt(gain))

    @torch.no_grad()
    def simulate(self, target: Density, net: TimedNet, x: Tensor, steps: range,
                 rng: torch.Generator) -> Tensor:
        """The reverse SDE with the learned score over the given step numbers."""
        time = torch.empty((1, 1), device=target.device, dtype=target.dtype)
        for step in steps:
            score = net(x, time.fill_(1.0 - step / self.sde_steps))
            x = self.backward(target, x, score, step, rng)
        return x

    def draw(self, target: Density, state: DemState, n: int, rng: torch.Generator) -> Tensor:
        """n fresh points: the whole reverse SDE, in blocks; no target evaluation."""
        unit, whole = self.unit * target.scale, range(self.sde_steps)
        return in_blocks(target, n, lambda m: unit * self.simulate(
            target, state.average, self.prior(target, m, rng), whole, rng))

    def diagnostics(self, state: DemState) -> dict[str, float]:
        """Weighted regression loss, effective number of samples, points in the buffer."""
        found = {"buffer": float(len(state.buffer))}
        if state.loss is not None and state.ess is not None:
            found |= {"loss": float(state.loss), "ess": float(state.ess)}
        return found
