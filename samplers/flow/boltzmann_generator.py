"""Boltzmann generator: a flow trained by example and by energy, its points reweighted.

Theory. With data of p the forward divergence can be descended as well as the reverse one. The
loss is their convex combination, lambda = ``example``,

    J = lambda E_data[ -log q(x) ] + (1 - lambda) E_z[ log q(g(z)) - log p~(g(z)) ],

the first term keeping q from leaving out what the data show, the second from putting mass where p
has none. Points of q are then weighted by w = p~(x) / q(x): a draw of n takes ``candidates`` x n
of them and keeps n by systematic resampling, so that a point of large weight may be given more
than once. ``reweight = False`` gives points of q themselves.

Data. The method wants samples and here are none, so it makes its own: ``chains`` of MALA start
from the initial distribution and make one transition an update, a gradient evaluation each,
charged like all else; their positions are the batch of examples. Their step is adapted over the
first ``warmup`` updates. Chains that lie in separate modes keep the shares of their start, as do
the paper's trajectories, each of which stays in its metastable state: it is for the second term
and for w to mend them.

References. F. Noe, S. Olsson, J. Koehler, H. Wu, Boltzmann generators, Science 365 (2019),
arXiv 1812.01729, losses J_ML and J_KL; the convex combination as in appendix D.5 of iDEM,
arXiv 2402.06121.

Departures. No reaction-coordinate loss, no internal coordinates and no smoothing of high
energies, which belong to molecules; weights of the losses constant, where the paper trains first
by example alone; data by MALA instead of molecular dynamics; resampling instead of weighted
averages, since a draw is a set of points. Affine couplings as in the paper, with rotations
between them; sizes and rates are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bench.core.density import Density
from bench.core.log_weights import normalised, systematic
from samplers.base import uniform
from samplers.flow.coupling_layers import CouplingFlow, carried
from samplers.flow.flow_sampler import FlowSampler, FlowState
from samplers.learning.optimisation import adam, descend
from samplers.mcmc.mala import Mala, MalaState


@dataclass
class BoltzmannState:
    """The flow, its optimiser, the chains that give examples, and the last two losses."""

    flow: CouplingFlow
    optimiser: torch.optim.Adam
    chains: MalaState
    updates: int = 0
    example_loss: Tensor | None = None
    energy_loss: Tensor | None = None


@dataclass(frozen=True)
class BoltzmannGenerator(FlowSampler):
    """Affine coupling flow trained on forward and reverse KL, its points resampled by weight.

    ``example``: the forward loss's share lambda. ``batch``: points of the flow an update;
    ``chains``: examples an update. ``candidates``: points of the flow a drawn point is chosen
    from, a log-density evaluation each. ``clip``: the longest gradient.
    """

    layers: int = 8
    width: int = 64
    batch: int = 256
    chains: int = 256
    warmup: int = 100
    example: float = 0.5
    learning_rate: float = 1e-3
    clip: float = 100.0
    reweight: bool = True
    candidates: int = 4

    name = "boltzmann_generator"
    kind = "amortised"
    family = "flow"
    packages = ("zuko",)
    learned = True
    update = ("a MALA transition of the chains; Adam step on lambda mean of -log q at the chains "
              "+ (1 - lambda) mean of log q - log p~ at x = g(z), through x")
    citation = "Noe, Olsson, Koehler, Wu 2019, arXiv 1812.01729; iDEM appendix D.5"
    limitations = ("cannot find modes that no chain started near; give modes their weights where "
                   "few points of the flow carry all weight; give distinct points there "
                   "(resampling repeats them)")
    law_settings = {
        "steps": 700, "slow": True,
        "parameters": {"layers": 4, "width": 32, "learning_rate": 0.002}}

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 <= self.example <= 1.0:
            raise ValueError(f"example is a share between 0 and 1, not {self.example!r}")
        if self.candidates < 1:
            raise ValueError(f"candidates must be at least 1, not {self.candidates!r}")

    def init(self, target: Density, rng: torch.Generator) -> BoltzmannState:
        """The flow untrained, the chains at the initial distribution: a gradient each."""
        flow = self.untrained(target, rng)
        chains = Mala(self.chains).init(target, rng)
        return BoltzmannState(flow, adam(flow.parameters(), self.learning_rate), chains)

    def step(self, target: Density, state: BoltzmannState, progress: float,
             rng: torch.Generator) -> BoltzmannState:
        """One update: a gradient evaluation for each chain and for each of ``batch`` points."""
        settled = float(state.updates >= self.warmup)  # MALA adapts while its progress is small
        state.chains = Mala(self.chains).step(target, state.chains, settled, rng)
        x, log_q = state.flow.sample(target, self.batch, rng)
        by_example = -state.flow.log_prob(state.chains.x).mean()
        by_energy = (log_q - carried(target, x)).mean()
        loss = self.example * by_example + (1 - self.example) * by_energy
        descend(state.optimiser, loss, longest=self.clip, skip_infinite=True)
        state.example_loss, state.energy_loss = by_example.detach(), by_energy.detach()
        state.updates += 1
        return state

    def draw(self, target: Density, state: FlowState, n: int,
             rng: torch.Generator) -> Tensor:
        """n points of the flow, or n of ``candidates`` x n chosen by p~ / q."""
        if not self.reweight:
            return super().draw(target, state, n, rng)
        x, log_q = state.flow.sample_in_blocks(target, self.candidates * n, rng)
        log_w = (target.log_prob(x) - log_q).nan_to_num(-torch.inf, -torch.inf, -torch.inf)
        return x[systematic(normalised(log_w), n, uniform(target, (1,), rng))]

    def diagnostics(self, state: BoltzmannState) -> dict[str, float]:
        """Both losses of the last batch, and how the chains do."""
        found = {f"chain_{k}": v for k, v in state.chains.size.diagnostics().items()}
        if state.example_loss is not None and state.energy_loss is not None:
            found["example_loss"] = float(state.example_loss)
            found["energy_loss"] = float(state.energy_loss)
        return found
