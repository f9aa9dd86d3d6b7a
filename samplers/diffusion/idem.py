"""iDEM: a diffusion sampler trained on its own samples, without data and without backpropagation
through the simulation.

Outer loop (Algorithm 1 of arXiv 2402.06121): draw ``outer_batch`` points by the reverse SDE of
the current score network into a first-in-first-out buffer. Inner loop: ``inner_updates`` Adam
steps that regress the network onto the K-sample score estimate of
``samplers.diffusion.energy_matching`` at noised copies of points drawn from the buffer, uniformly
and with replacement.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch

from bench.core.density import Density
from samplers.diffusion.energy_matching import DemState, EnergyMatching

#: Steps of the reverse SDE of the outer loop that make one slice of simulation.
SLICE = 20


@dataclass(frozen=True)
class IDEM(EnergyMatching):
    """Diffusion sampler regressed onto a Monte-Carlo score at noised copies of its own samples.

    The loops are unrolled: a step is either one slice of the outer simulation (20 steps of the
    reverse SDE, which then go on in the next step) or one inner update. The buffer starts with
    ``initial`` points: "reverse_sde" runs the reverse SDE with the Monte-Carlo score, one SDE step
    a step of ours, as the paper does for GMM-40 (``initial`` x ``sde_steps`` x ``mc_samples``
    gradient evaluations, all charged: 5e8 at the defaults); "prior" takes N(0, h(1) I), as it does
    for molecules. Paper settings are those of GMM-40, with 1,000 points an outer loop and 100
    inner updates, taken from the authors' configuration.
    """

    warm_start: Literal["reverse_sde", "prior"] = "reverse_sde"
    initial: int = 1024
    outer_batch: int = 1000
    inner_updates: int = 100
    capacity: int = 10_000

    name = "idem"
    kind = "amortised"
    family = "diffusion"
    learned = True
    update = ("outer: points of the reverse SDE enter a buffer; inner: x_t = buffer point + noise "
              "of variance h(t), Adam step on (h(t) + 1e-3) |s(x_t, t) - S_K(x_t, t)|^2")
    citation = "Akhound-Sadegh et al. 2024, arXiv 2402.06121, Algorithm 1"
    limitations = ("cannot find modes that neither the noised buffer nor the K samples reach; "
                   "S_K with K samples is biased where few of them carry weight, and clipping "
                   "flattens sharp targets; a draw costs ``sde_steps`` network passes")
    law_settings = {
        "steps": 3000, "bias": 0.1, "slow": True,
        "why": "150 samples estimate the score with bias",
        "parameters": {"unit": 2.0, "sigma_min": 0.05, "sde_steps": 100, "mc_samples": 150,
                       "batch": 128, "clip": 20.0, "width": 64, "embedding": 32, "ema": 0.995,
                       "learning_rate": 0.0005, "warm_start": "prior", "outer_batch": 1024}}

    def __post_init__(self) -> None:
        if self.warm_start not in ("reverse_sde", "prior"):
            raise ValueError(f"warm_start must be reverse_sde or prior, not {self.warm_start!r}")

    def init(self, target: Density, rng: torch.Generator) -> DemState:
        """An untrained network; the first buffer from the prior, or on its way from there."""
        state = self.fresh(target, rng)
        points = self.prior(target, self.initial, rng)
        if self.warm_start == "prior":
            return replace(state, buffer=points)
        return replace(state, paths=points)

    def step(self, target: Density, state: DemState, progress: float,
             rng: torch.Generator) -> DemState:
        """One slice of the simulation under way, or else one update from the buffer."""
        if len(state.paths):
            self._slice(target, state, rng)
            return state
        pick = torch.randint(len(state.buffer), (self.batch,), generator=rng,
                             device=target.device)
        self.regress(target, state, state.buffer[pick], rng)
        state.inner += 1
        if state.inner == self.inner_updates:
            state.inner, state.paths = 0, self.prior(target, self.outer_batch, rng)
        return state

    def _slice(self, target: Density, state: DemState, rng: torch.Generator) -> None:
        """Move the paths on; once they have arrived they enter the buffer."""
        if len(state.buffer):
            end = min(state.moved + SLICE, self.sde_steps)
            state.paths = self.simulate(target, state.average, state.paths,
                                        range(state.moved, end), rng)
            state.moved = end
        else:  # the first buffer, by the Monte-Carlo score
            t = torch.full((len(state.paths), 1), 1.0 - state.moved / self.sde_steps,
                           device=target.device, dtype=target.dtype)
            score, state.ess = self.estimate(target, state.paths, self.schedule.variance(t), rng)
            state.paths = self.backward(target, state.paths, score, state.moved, rng)
            state.moved += 1
        if state.moved == self.sde_steps:
            state.buffer = torch.cat([state.buffer, state.paths])[-self.capacity:]
            state.paths, state.moved = state.paths[:0], 0
