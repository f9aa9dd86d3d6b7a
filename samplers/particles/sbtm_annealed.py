"""Annealed score-based transport modelling: SBTM whose target moves from the start to pi.

The particles of ``sbtm`` follow the score of a path of distributions pi_lambda that ends at the
target,

    x_i <- x_i + dt (grad log pi_lambda(x_i) - s(x_i)),    lambda = t / T,

with s fitted to their own distribution as there. Paths: ``samplers.transitions.annealing``. T is
the budget: lambda goes evenly from 0 at the first move to 1 at the end.

References. V. Ilin et al., Score-Based Deterministic Density Sampling, arXiv 2504.18130, 2025;
code Vilin97/SBTM-sampling.

Departures. As ``sbtm``. The dilation has the factor 1 / lambda that the code leaves out
(``chain_rule = False`` leaves it out too). Lambda follows the share of the budget spent since the
first move: under a budget of steps that is t / T, under seconds nearly so.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from bench.core.density import Density
from samplers.particles.score_transport import ScoreTransport, TransportState
from samplers.transitions.annealing import Path, check_path, path_score


@dataclass(frozen=True)
class SBTMAnnealed(ScoreTransport):
    """Score-based transport along a path from the start to the target.

    ``path``: "geometric" or "dilation"; ``chain_rule``: whether the dilated score has its factor
    1 / lambda. The rest as in ``sbtm``.
    """

    path: Path = "geometric"
    chain_rule: bool = True

    name = "sbtm_annealed"
    kind = "one-shot"
    family = "particles"
    learned = True
    anneals = True
    update = ("score network: AdamW steps on mean(|s|^2 + 2 div s) at the particles; then "
              "x <- x + dt (grad log pi_lambda(x) - s(x)), lambda = t / T")
    citation = "V. Ilin et al. 2025, arXiv 2504.18130; code Vilin97/SBTM-sampling"
    limitations = ("cannot give more points than particles, or independent ones; give modes "
                   "their weights: the particles lag behind the path, and weights are set early, "
                   "by the path's shape; follow the dilation of a steep target without a small "
                   "dt")
    law_settings = {
        "steps": 1850, "slow": True,
        "parameters": {"particles": 2000, "step_size": 0.02, "start_updates": 200,
                       "learning_rate": 0.002, "layers": 2, "width": 64}}

    def __post_init__(self) -> None:
        super().__post_init__()
        check_path(self.path)

    def step(self, target: Density, state: TransportState, progress: float,
             rng: torch.Generator) -> TransportState:
        """One update of the network, or after ``fits`` of them one move of all particles."""
        if self.fit_due(state):
            return self.fit(target, state, rng)
        if state.began < 0.0:
            state.began = progress
        lam = (progress - state.began) / max(1.0 - state.began, 1e-12)
        score = path_score(target, target.scale * state.u, lam, self.path, self.chain_rule)
        return self.move(target, state, score)
