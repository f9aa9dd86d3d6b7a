"""COUP-FLOW: an affine coupling flow trained on the reverse Kullback-Leibler divergence.

Theory. A flow q with a density in closed form (samplers/flow/coupling_layers.py) is drawn from by
x = g(z), z ~ N(0, I), so that

    KL(q | p) = E_z [ log q(g(z)) - log p~(g(z)) ] + log Z

is differentiated through the points themselves, at a gradient evaluation each. An update is one
step of Adam on the mean over ``batch`` fresh points. q may be narrow where p is wide at little
cost, but not wide where p is narrow: it keeps to the modes it has found.

References. D. Rezende, S. Mohamed, Variational inference with normalizing flows, ICML 2015;
L. Dinh et al., Real NVP, arXiv 1605.08803; the row COUP-FLOW of table 1 of Denoising
Fisher Training, arXiv 2411.01453.

Departures. That paper states neither the layers nor the training of its flow, and there is no
code: affine couplings, rotations between them and all defaults are ours. Gradients are no longer
than ``clip``; start N(0, scale^2 I).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bench.core.density import Density
from samplers.flow.coupling_layers import CouplingFlow, carried
from samplers.flow.flow_sampler import FlowSampler
from samplers.learning.optimisation import adam, descend


@dataclass
class CoupFlowState:
    """The flow, its optimiser, and the last loss: an estimate of KL(q | p) - log Z."""

    flow: CouplingFlow
    optimiser: torch.optim.Adam
    updates: int = 0
    loss: Tensor | None = None


@dataclass(frozen=True)
class CoupFlow(FlowSampler):
    """Affine coupling flow trained by reparameterised reverse KL.

    ``layers``: couplings, each with two hidden layers of ``width``. ``batch``: points an update.
    ``clip``: the longest gradient.
    """

    layers: int = 8
    width: int = 64
    batch: int = 512
    learning_rate: float = 1e-3
    clip: float = 100.0

    name = "coupling_flow"
    kind = "amortised"
    family = "flow"
    packages = ("zuko",)
    learned = True
    update = "x = g(z), z ~ N(0, I); Adam step on mean of log q(x) - log p~(x), through x"
    citation = "Rezende and Mohamed 2015; Dinh et al. 2017; COUP-FLOW of arXiv 2411.01453"
    limitations = ("cannot find modes that no draw falls into, or give modes their weights once "
                   "no draw falls between them; cut modes apart (a flow is continuous: filaments "
                   "remain)")
    law_settings = {
        "steps": 900, "slow": True,
        "parameters": {"layers": 4, "width": 32, "learning_rate": 0.001}}

    def init(self, target: Density, rng: torch.Generator) -> CoupFlowState:
        """The flow untrained: the initial distribution."""
        flow = self.untrained(target, rng)
        return CoupFlowState(flow, adam(flow.parameters(), self.learning_rate))

    def step(self, target: Density, state: CoupFlowState, progress: float,
             rng: torch.Generator) -> CoupFlowState:
        """One update: a gradient evaluation for each of ``batch`` points."""
        x, log_q = state.flow.sample(target, self.batch, rng)
        loss = (log_q - carried(target, x)).mean()
        descend(state.optimiser, loss, longest=self.clip, skip_infinite=True)
        state.loss = loss.detach()
        state.updates += 1
        return state

    def diagnostics(self, state: CoupFlowState) -> dict[str, float]:
        """The loss of the last batch."""
        return {} if state.loss is None else {"loss": float(state.loss)}
