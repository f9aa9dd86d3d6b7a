"""pDEM: denoising energy matching on points noised from the prior, without a buffer.

The ablation of iDEM (arXiv 2402.06121, section 4, question 3) that needs no simulation while it
trains: the points at which the score network is regressed onto the K-sample estimate of
``samplers.diffusion.energy_matching`` are x_t = x_0 + sqrt(h(t)) z with x_0 from the prior N(0,
h(1) I).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from bench.core.density import Density
from samplers.diffusion.energy_matching import DemState, EnergyMatching


@dataclass(frozen=True)
class PDEM(EnergyMatching):
    """Diffusion sampler regressed onto a Monte-Carlo score at points noised from the prior.

    The paper's name for denoising energy matching off policy ("prior-DEM"). That the points are
    prior draws *with noise added* is what the authors' code does; the text says "the prior".
    """

    name = "pdem"
    kind = "amortised"
    family = "diffusion"
    learned = True
    update = ("x_t = prior point + noise of variance h(t); Adam step on (h(t) + 1e-3) "
              "|s(x_t, t) - S_K(x_t, t)|^2; draws by the reverse SDE")
    citation = "Akhound-Sadegh et al. 2024, arXiv 2402.06121 (pDEM)"
    limitations = ("cannot see regions that prior-noised points seldom reach, so it degrades "
                   "with dimension; S_K with K samples is biased where few of them carry weight; "
                   "a draw costs ``sde_steps`` network passes")
    law_settings = {
        "steps": 2500, "bias": 0.1, "slow": True,
        "why": "as idem",
        "parameters": {"unit": 2.0, "sigma_min": 0.05, "sde_steps": 100, "mc_samples": 150,
                       "batch": 128, "clip": 20.0, "width": 64, "embedding": 32, "ema": 0.995,
                       "learning_rate": 0.0005}}

    def init(self, target: Density, rng: torch.Generator) -> DemState:
        """An untrained score network."""
        return self.fresh(target, rng)

    def step(self, target: Density, state: DemState, progress: float,
             rng: torch.Generator) -> DemState:
        """One update of the score network on a batch of prior points."""
        self.regress(target, state, self.prior(target, self.batch, rng), rng)
        return state
