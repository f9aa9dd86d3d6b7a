"""Score-based transport: particles moved by the score of a target less the learned score of their
own distribution.

What plain and annealed SBTM share: the score network, the losses it is fitted by, and the order
of fits and moves. Lengths are in units of the declared scale: the network sees u = x / scale and
gives scale x the score; times are in units of its square.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.core.density import Density
from bench.core.log_weights import LogWeights
from samplers.base import Sampler, normal
from samplers.learning.networks import Affine
from samplers.learning.optimisation import descend
from samplers.transitions.history import choose


class ResidualNet(nn.Module):
    """Softsign layers of one width, each added to its input: (n, dim) -> (n, dim).

    The input of the first is projected to the width, so that a linear map runs through the network
    from end to end: far from the particles the score it gives is linear, like a normal
    distribution's.
    """

    def __init__(self, target: Density, rng: torch.Generator, width: int, layers: int) -> None:
        super().__init__()
        self.project = Affine(target.dim, width, target, rng)
        sizes = [target.dim] + [width] * layers
        self.layers = nn.ModuleList(Affine(a, b, target, rng)
                                    for a, b in zip(sizes, sizes[1:], strict=False))
        self.last = Affine(width, target.dim, target, rng)

    def forward(self, u: Tensor) -> Tensor:
        """The network at u."""
        h = functional.softsign(self.layers[0](u)) + self.project(u)
        for layer in self.layers[1:]:
            h = functional.softsign(layer(h)) + h
        return self.last(h)


def divergence(s: Tensor, u: Tensor) -> Tensor:
    """div s at each u, exactly: (n, dim) s = s(u) -> (n,); a backward pass a coordinate."""
    total = torch.zeros_like(s[:, 0])
    for i in range(u.shape[1]):
        (row,) = torch.autograd.grad(s[:, i].sum(), u, create_graph=True)
        total = total + row[:, i]
    return total


def estimated_divergence(s: Tensor, u: Tensor, probes: Tensor) -> Tensor:
    """Hutchinson's estimate: mean of v . J v over probes v of signs, (count, n, dim) -> (n,)."""
    total = torch.zeros_like(s[:, 0])
    for v in probes:
        (row,) = torch.autograd.grad(s, u, v, create_graph=True)
        total = total + (row * v).sum(dim=1)
    return total / len(probes)


def implicit_loss(net: nn.Module, u: Tensor, probes: Tensor | None = None) -> Tensor:
    """mean(|s|^2 + 2 div s) at u (n, dim), 0-d: least where s is the score of u's density."""
    u = u.detach().requires_grad_()
    s = net(u)
    div = divergence(s, u) if probes is None else estimated_divergence(s, u, probes)
    return (s.square().sum(dim=1) + 2.0 * div).mean()


def explicit_loss(net: nn.Module, u: Tensor, score: Tensor) -> Tensor:
    """mean |s - score|^2 at u (n, dim), 0-d, where the score is known."""
    loss: Tensor = (net(u) - score).square().sum(dim=1).mean()
    return loss


@dataclass
class TransportState:
    """The network with its optimiser, and the particles ``u`` in units of scale, (particles, dim).

    ``turn`` counts the fits since the last move, ``cursor`` is the row where the next minibatch
    begins, ``began`` the progress at the first move (below 0 before it).
    """

    net: ResidualNet
    optimiser: torch.optim.AdamW
    u: Tensor
    turn: int = 0
    cursor: int = 0
    updates: int = 0
    steps: int = 0
    began: float = -1.0
    loss: Tensor | None = None
    fisher: Tensor | None = None


@dataclass(frozen=True)
class ScoreTransport(Sampler):
    """Hyperparameters, fits and moves; a sampler says by which score the particles are driven.

    ``particles``: n. ``step_size``: dt, in units of scale^2. ``fits``: minibatch updates of the
    network before each move; ``start_updates``: updates that first fit it to the start.
    ``probes``: of Hutchinson's estimate of the divergence; 0: the exact one.
    """

    particles: int = 1000
    step_size: float = 0.01
    fits: int = 10
    start_updates: int = 500
    batch: int = 400
    learning_rate: float = 5e-4
    width: int = 128
    layers: int = 4
    probes: int = 0

    def __post_init__(self) -> None:
        if min(self.fits, self.layers, self.batch, self.particles) < 1:
            raise ValueError("fits, layers, batch and particles must be at least 1")

    def init(self, target: Density, rng: torch.Generator) -> TransportState:
        """Particles from the initial distribution, and an untrained network."""
        net = ResidualNet(target, rng, self.width, self.layers)
        u = normal(target, (self.particles, target.dim), rng)
        return TransportState(net, self._optimiser(net.parameters()), u)

    def _optimiser(self, parameters: Iterable[nn.Parameter]) -> torch.optim.AdamW:
        return torch.optim.AdamW(parameters, lr=self.learning_rate, weight_decay=1e-4, fused=True)

    def fit_due(self, state: TransportState) -> bool:
        """Whether the network is to be fitted before the particles may move."""
        return state.updates < self.start_updates or state.turn < self.fits

    def fit(self, target: Density, state: TransportState,
            rng: torch.Generator) -> TransportState:
        """One update: to the known score of the start at first, then to the particles."""
        if state.updates < self.start_updates:
            u = normal(target, (self.batch, target.dim), rng)
            loss = explicit_loss(state.net, u, -u)
        else:
            if state.updates == self.start_updates:  # moments of another loss are no use
                state.optimiser = self._optimiser(state.net.parameters())
            u = self.minibatch(state)
            loss = implicit_loss(state.net, u, self.signs(target, len(u), rng))
            state.turn += 1
        descend(state.optimiser, loss)
        state.loss = loss.detach()
        state.updates += 1
        state.steps += 1
        return state

    def minibatch(self, state: TransportState) -> Tensor:
        """The next rows in order, from the first again after the last."""
        n = len(state.u)
        size = min(self.batch, n)
        rows = torch.arange(state.cursor, state.cursor + size, device=state.u.device) % n
        state.cursor = (state.cursor + size) % n
        return state.u[rows]

    def signs(self, target: Density, n: int, rng: torch.Generator) -> Tensor | None:
        """Probes of Hutchinson's estimate, (probes, n, dim) of +-1; None for the exact one."""
        if not self.probes:
            return None
        return normal(target, (self.probes, n, target.dim), rng).sign()

    @torch.no_grad()
    def move(self, target: Density, state: TransportState, score: Tensor) -> TransportState:
        """x <- x + dt (score - s(x)), where ``score`` (particles, dim) drives the particles."""
        gap = target.scale * score - state.net(state.u)
        state.u = state.u.add(gap, alpha=self.step_size)
        state.fisher = gap.square().sum(dim=1).mean() / target.scale**2
        state.turn = 0
        state.steps += 1
        return state

    def points(self, n: int) -> int:
        """No more than there are particles."""
        return min(n, self.particles)

    def draw(self, target: Density, state: TransportState, n: int,
             rng: torch.Generator) -> Tensor:
        """Random particles, without replacement."""
        return target.scale * choose(state.u, n, rng)

    def independent_steps(self, state: TransportState) -> tuple[int, float]:
        """(particles, the steps of the whole run: a fresh set is a fresh run)."""
        return self.particles, float(max(1, state.steps))

    @torch.no_grad()
    def log_weights(self, target: Density, state: TransportState, n: int, points: Tensor | None,
              rng: torch.Generator) -> LogWeights | None:
        """|s - grad log pi|^2 at n particles; None while the network does not know the start."""
        if state.updates < self.start_updates:
            return None
        u = choose(state.u, n, rng)
        gap = state.net(u) / target.scale - target.score(target.scale * u)
        return LogWeights(gap=gap.square().sum(dim=1))

    def diagnostics(self, state: TransportState) -> dict[str, float]:
        """Loss of the latest fit; relative Fisher information at the latest move."""
        found = {"score_loss": state.loss, "fisher_relative": state.fisher}
        return {k: float(v) for k, v in found.items() if v is not None}
