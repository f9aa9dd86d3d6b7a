"""Samplers that learn the control of a diffusion: what PIS, DDS and DIS share.

A path x_0, ..., x_N starts from a known distribution nu and moves by Gaussian kernels F_k that a
control u steers. Another distribution of paths starts from the target p at x_N and moves backward
by fixed kernels B_k. Their ratio, with p~ the unnormalised density,

    w = p~(x_N) prod_k B_k(x_k | x_{k+1}) / (nu(x_0) prod_k F_k(x_{k+1} | x_k)),

is the discrete Radon-Nikodym derivative. Since every B_k integrates to one, E_F[w] = Z exactly,
for any control and any number of steps: discretisation and a bad control cost spread, no bias.
Weights of paths drawn backward from exact points of p have E_B[1/w] = 1/Z. Training lowers

    "kl"            -E_F[log w] = KL(F | B) - log Z, differentiated through the simulation, or
    "log_variance"   Var[log w] over simulated paths that are held fixed (no gradient in x).

Each sampler gives nu, F_k, B_k and their ratio. Lengths are in units of the declared scale.

Gradients. The score inside the control is held fixed under "kl", as in the code of VSM and of
gfn-diffusion, so that a path costs ``steps`` + 1 gradient evaluations and a log-density
evaluation. What is descended is then not exactly the KL: the drift's dependence on x through the
score is left out. ``exact_gradient`` puts it in, for a Hessian-vector product a step but the
first. "log_variance" needs neither: ``steps`` gradient evaluations and a log-density evaluation. A
draw costs ``steps`` gradient evaluations a point.

References
----------
.. [1] Richter, Berner. Improved sampling via learned diffusions. ICLR 2024, arXiv 2307.01198:
   the three as one, the log-variance loss.
.. [2] Blessing et al. Beyond ELBOs. ICML 2024, arXiv 2406.07423: their settings in one code (VSM),
   EUBO by backward paths.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from bench.core.density import Density
from bench.core.log_weights import LogWeights
from samplers.base import Sampler, normal
from samplers.diffusion.control_network import Control
from samplers.learning.networks import in_blocks
from samplers.learning.optimisation import adam, descend
from samplers.learning.scaled_score import clipped, scaled_score


@dataclass
class PathState:
    """The control, its optimiser, and of the last batch the mean and deviation of log w."""

    net: Control
    optimiser: torch.optim.Adam
    updates: int = 0
    elbo: Tensor | None = None
    spread: Tensor | None = None


@dataclass(frozen=True)
class ControlledPaths(Sampler):
    """Hyperparameters and moves common to PIS, DDS and DIS.

    ``steps``: N. ``batch``: paths an update. ``prior``: the standard deviation of the reference
    distribution in scales; it must cover the target. ``clip``: the norm to which the score (times
    the scale) is cut inside the control. ``grad_clip``: the norm to which an update's gradient is.
    """

    loss: Literal["kl", "log_variance"] = "kl"
    steps: int = 64
    batch: int = 128
    prior: float = 1.5
    learning_rate: float = 1e-3
    clip: float = 100.0
    grad_clip: float = 1.0
    width: int = 64
    layers: int = 2
    embedding: int = 64
    exact_gradient: bool = False

    def __post_init__(self) -> None:
        if self.loss not in ("kl", "log_variance"):
            raise ValueError(f"loss must be kl or log_variance, not {self.loss!r}")
        if self.steps < 2 or not self.prior > 0:
            raise ValueError("a path needs two steps or more and a prior of positive width")

    # ---- what each of them gives ----------------------------------------------------------------

    @abstractmethod
    def begin(self, target: Density, n: int, rng: torch.Generator) -> Tensor:
        """n starts x_0 ~ nu, (n, dim)."""

    @abstractmethod
    def forward(self, x: Tensor, u: Tensor, z: Tensor, k: int) -> Tensor:
        """x_{k+1} ~ F_k(. | x), made of z ~ N(0, I)."""

    @abstractmethod
    def backward(self, y: Tensor, z: Tensor, k: int) -> Tensor:
        """x_k ~ B_k(. | x_{k+1} = y), made of z ~ N(0, I)."""

    @abstractmethod
    def log_ratio(self, x: Tensor, y: Tensor, u: Tensor, k: int) -> Tensor:
        """The part of log(1/w) that is due to the move from x_k = x to x_{k+1} = y, (n,)."""

    @abstractmethod
    def log_reference(self, start: Tensor, end: Tensor) -> Tensor:
        """The part of log(1/w) that is due to the ends x_0 and x_N but for p~, (n,)."""

    # ---- paths and their weights ----------------------------------------------------------------

    def control(self, target: Density, net: Control, x: Tensor,
                when: tuple[Tensor, Tensor]) -> Tensor:
        """u(x, t), the score in it held fixed unless the exact gradient is asked for."""
        at = x if self.exact_gradient else x.detach()
        return net(x, clipped(scaled_score(target, at), self.clip), when)

    def paths(self, target: Density, net: Control, n: int, rng: torch.Generator,
              fixed: bool = False) -> tuple[Tensor, Tensor]:
        """n paths drawn forward: their ends x_N, (n, dim), and log w, (n,), but for p~(x_N).

        ``fixed`` paths carry no gradient; the ratio of their kernels still does.
        """
        x = start = self.begin(target, n, rng)
        total = x.new_zeros(n)
        for k, when in enumerate(net.over(self.steps)):
            u = self.control(target, net, x, when)
            y = self.forward(x, u, normal(target, tuple(x.shape), rng), k)
            y = y.detach() if fixed else y
            total = total - self.log_ratio(x, y, u, k)
            x = y
        return x, total - self.log_reference(start, x)

    def paths_back(self, target: Density, net: Control, end: Tensor,
                   rng: torch.Generator) -> Tensor:
        """log w, (n,), but for p~(x_N), of paths drawn backward from ``end``, (n, dim)."""
        y, total = end, end.new_zeros(len(end))
        for k, when in reversed(list(enumerate(net.over(self.steps)))):
            x = self.backward(y, normal(target, tuple(y.shape), rng), k)
            total = total - self.log_ratio(x, y, self.control(target, net, x, when), k)
            y = x
        return total - self.log_reference(y, end)

    # ---- the sampler ----------------------------------------------------------------------------

    def init(self, target: Density, rng: torch.Generator) -> PathState:
        """No control: the distribution of x_N is that of the uncontrolled process."""
        net = Control(target, rng, self.width, self.layers, self.embedding)
        return PathState(net, adam(net.parameters(), self.learning_rate))

    def step(self, target: Density, state: PathState, progress: float,
             rng: torch.Generator) -> PathState:
        """One Adam step on the loss over a batch of paths."""
        x, log_w = self.paths(target, state.net, self.batch, rng, self.loss == "log_variance")
        log_w = log_w + log_density(target, x)
        loss = -log_w.mean() if self.loss == "kl" else log_w.var()
        descend(state.optimiser, loss, longest=self.grad_clip)
        state.updates += 1
        state.elbo, state.spread = log_w.detach().mean(), log_w.detach().std()
        return state

    def draw(self, target: Density, state: PathState, n: int, rng: torch.Generator) -> Tensor:
        """The ends of n fresh paths, in blocks: ``steps`` gradient evaluations a point."""
        return in_blocks(target, n, lambda m: target.scale * self.paths(
            target, state.net, m, rng)[0])

    @torch.no_grad()
    def log_weights(self, target: Density, state: PathState, n: int, points: Tensor | None,
              rng: torch.Generator) -> LogWeights:
        """log w of n fresh paths, and of paths drawn backward from the given points."""
        x, log_w = self.paths(target, state.net, n, rng)
        log_weights = LogWeights(at_draws=log_w + log_density(target, x))
        if points is None:
            return log_weights
        end = points / target.scale
        log_w = self.paths_back(target, state.net, end, rng)
        return LogWeights(log_weights.at_draws, log_w + log_density(target, end))

    def diagnostics(self, state: PathState) -> dict[str, float]:
        """Mean and standard deviation of log w over the last batch, before its update."""
        if state.elbo is None or state.spread is None:
            return {}
        return {"elbo": float(state.elbo), "log_weight_sd": float(state.spread)}


def log_density(target: Density, x: Tensor) -> Tensor:
    """log p~ of points in units of the scale: the density of x / scale, whose integral is Z."""
    return target.log_prob(target.scale * x) + target.dim * math.log(target.scale)


def log_normal(x: Tensor, variance: float) -> Tensor:
    """log N(x; 0, variance I): (n, dim) -> (n,)."""
    constant = x.shape[1] * math.log(2 * math.pi * variance)
    return -(x.square().sum(1) / variance + constant) / 2


def cosine_shares(steps: int, power: int, floor: float = 0.0) -> list[float]:
    """Shares of the steps in a whole, large at the start of a path, small at its end.

    Proportional to (floor + (1 - floor) cos^2(pi/2 (t + s) / (1 + s)))^power with t = k / steps
    and s = .008.
    """
    angles = [math.pi / 2 * (k / steps + 0.008) / 1.008 for k in range(steps)]
    parts = [(floor + (1 - floor) * math.cos(a) ** 2) ** power for a in angles]
    return [part / sum(parts) for part in parts]
