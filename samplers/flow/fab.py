"""Flow annealed importance sampling bootstrap: a flow that is fed by annealing from itself.

Theory. The alpha-divergence with alpha = 2 is large where q leaves out mass of p,

    D(theta) = integral of p(x)^2 / q_theta(x) dx,
    grad D = - integral of p^2 / q_theta  grad log q_theta,

and its integrand p^2 / q is where points are wanted for that gradient. Annealed importance
sampling (samplers/flow/flow_ais.py) goes there from q: points x with weights w, E[w f(x)] =
integral of p~^2 / q f. They enter a prioritised buffer, which gives x in proportion to w; theta
having moved from the theta_old of the weights, an update descends (algorithm 1)

    - mean of w_adj log q_theta(x),    w_adj = min(10, exp((1 - alpha) (log q_theta - log q_old))),

w_adj without gradient, after which the picked points' weights are multiplied by the unclipped
w_adj and their log q_old set anew. An iteration is one annealed batch and ``buffer_batches``
updates. A step is one transition of the annealing, or one update; only annealing evaluates the
target.

References. L. Midgley, V. Stimper, G. Simm, B. Schoelkopf, J. M. Hernandez-Lobato, Flow annealed
importance sampling bootstrap, ICLR 2023, arXiv 2208.01893, section 3 and algorithm 1; settings of
the authors' code for their mixture of 40 Gaussians, where ``step_size`` x scale is their 5.0.

Departures. Points wander in units of the scale. Couplings keep even and odd coordinates by turns
and learned rotations stand between them, from the identity; the authors' couplings take one half
and learned affine maps, from a random rotation. Scales of couplings are bounded (zuko). Weights
in ``w_adj`` are clipped at 10, the default of their code, which their run on the mixture leaves
off. One step size for all transitions; ``acceptance`` tunes it by factors of 1.05, as they do for
the many-well target (for the mixture it stays). Single precision by default. Leapfrog without
their bound on gradients.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from bench.core.density import Density
from bench.core.log_weights import effective_size, normalised
from samplers.flow.coupling_layers import CouplingFlow
from samplers.flow.flow_ais import Points, hamiltonian, random_walk
from samplers.flow.flow_sampler import FlowSampler
from samplers.flow.replay_buffer import Buffer
from samplers.learning.optimisation import adam, descend


@dataclass
class FabState:
    """Flow, optimiser and buffer; the batch being annealed, and the picks still to be used.

    ``turn`` counts the steps of this iteration: transitions first, then updates.
    """

    flow: CouplingFlow
    optimiser: torch.optim.Adam
    buffer: Buffer
    points: Points
    log_w: Tensor  # of ``points``
    picks: Tensor  # (buffer_batches, batch) indices into the buffer
    eps: Tensor  # the step of the transitions, 0-d
    turn: int = 0
    updates: int = 0
    loss: Tensor | None = None
    rate: Tensor | None = None


@dataclass(frozen=True)
class Fab(FlowSampler):
    """FAB: affine coupling flow trained on annealed points through a prioritised buffer.

    ``intermediates``: M, distributions between q and p^alpha q^(1 - alpha). ``transition``:
    "metropolis", a random walk, or "hmc" with ``leapfrog_steps``; ``step_size`` in units of the
    scale, tuned to an ``acceptance`` if one is given. ``buffer``: most points kept; ``least``:
    fewest before the first update. ``clip``: the longest gradient, ``clip_weight`` the largest
    w_adj.
    """

    layers: int = 15
    width: int = 80
    batch: int = 128
    buffer_batches: int = 4
    buffer: int = 12800
    least: int = 1280
    alpha: float = 2.0
    intermediates: int = 1
    transition: Literal["metropolis", "hmc"] = "metropolis"
    step_size: float = 0.2
    leapfrog_steps: int = 5
    acceptance: float | None = None
    learning_rate: float = 1e-4
    clip: float = 100.0
    clip_weight: float = 10.0

    name = "fab"
    kind = "amortised"
    family = "flow"
    packages = ("zuko",)
    learned = True
    update = ("annealing from q to p^2 / q fills a buffer by weight; Adam step on - mean of w_adj "
              "log q(x) at points picked from it, w_adj = q_old / q")
    citation = "Midgley et al. 2023, arXiv 2208.01893, section 3, algorithm 1"
    limitations = ("cannot find modes that annealing from the flow does not reach; cut modes "
                   "apart (a flow is continuous: filaments remain); keep weights even in high "
                   "dimension without many intermediate distributions")
    law_settings = {
        "steps": 1500, "slow": True,
        "parameters": {"layers": 4, "width": 32, "learning_rate": 0.001, "buffer_batches": 8,
                       "least": 1280}}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.transition not in ("metropolis", "hmc"):
            raise ValueError(f"transition must be metropolis or hmc, not {self.transition!r}")
        for key in ("intermediates", "buffer_batches", "leapfrog_steps"):
            if getattr(self, key) < 1:
                raise ValueError(f"{key} must be at least 1, not {getattr(self, key)!r}")
        if not self.batch * self.buffer_batches <= self.least <= self.buffer:
            raise ValueError("least must be at least batch x buffer_batches and at most buffer; "
                             f"it is {self.least!r}")

    def init(self, target: Density, rng: torch.Generator) -> FabState:
        """The flow untrained (the initial distribution), the buffer empty."""
        flow = self.untrained(target, rng)
        points = Points.none(target, self.transition == "hmc")
        picks = torch.zeros(0, dtype=torch.int64, device=target.device)
        return FabState(flow, adam(flow.parameters(), self.learning_rate),
                        Buffer.empty(target, self.buffer), points, points.at_q[0], picks,
                        points.x.new_full((), self.step_size * target.scale))

    def step(self, target: Density, state: FabState, progress: float,
             rng: torch.Generator) -> FabState:
        """One transition of the annealing, or after ``intermediates`` of them one update."""
        if state.turn < self.intermediates:
            self._anneal(target, state, rng)
        else:
            self._update(state, state.picks[state.turn - self.intermediates])
        state.turn += 1
        if state.turn == self.intermediates:
            self._store(state, rng)
        elif state.turn == self.intermediates + self.buffer_batches:
            state.turn = 0
        return state

    def _anneal(self, target: Density, state: FabState, rng: torch.Generator) -> None:
        """x_j from x_{j-1} by a kernel that keeps pi_{c_j}, and its factor of the weight."""
        flow, spacing = state.flow, self.alpha / (self.intermediates + 1)
        if state.turn == 0:
            x, _ = flow.sample_in_blocks(target, self.batch, rng)
            state.points = Points.at(target, flow, x, self.transition == "hmc")
            state.log_w = spacing * state.points.ratio()
        c = spacing * (state.turn + 1)
        if self.transition == "hmc":
            state.points, state.rate = hamiltonian(target, flow, state.points, c, state.eps,
                                                   self.leapfrog_steps, rng)
        else:
            state.points, state.rate = random_walk(target, flow, state.points, c, state.eps, rng)
        state.log_w = state.log_w + spacing * state.points.ratio()
        if self.acceptance is not None:
            state.eps = state.eps * 1.05 ** torch.sign(state.rate - self.acceptance)

    def _store(self, state: FabState, rng: torch.Generator) -> None:
        """The batch enters the buffer, from which, once it holds enough, picks are made."""
        state.buffer.add(state.points.x, state.log_w, state.points.at_q[0])
        if state.buffer.filled < self.least:
            state.turn = 0
            return
        picks = state.buffer.pick(self.buffer_batches * self.batch, rng)
        state.picks = picks.view(self.buffer_batches, self.batch)

    def _update(self, state: FabState, at: Tensor) -> None:
        """One optimiser update on the picked points, whose weights are then corrected."""
        log_q = state.flow.log_prob(state.buffer.x[at])
        log_change = (1 - self.alpha) * (log_q.detach() - state.buffer.log_q[at])
        w_adj = log_change.clamp_max(math.log(self.clip_weight)).exp()
        loss = -(w_adj * log_q).mean()
        descend(state.optimiser, loss, longest=self.clip, skip_infinite=True)
        state.buffer.correct(at, log_change, log_q.detach())
        state.loss = loss.detach()
        state.updates += 1

    def diagnostics(self, state: FabState) -> dict[str, float]:
        """Loss, acceptance and step of the annealing, effective share of the latest weights."""
        found = {"step_size": float(state.eps), "buffer": float(state.buffer.filled)}
        if state.loss is not None:
            found["loss"] = float(state.loss)
        if state.rate is not None:
            found["acceptance"] = float(state.rate)
            found["ais_ess"] = float(effective_size(normalised(state.log_w))) / len(state.log_w)
        return found
