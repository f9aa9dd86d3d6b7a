"""Score-based transport modelling: Langevin's distribution by deterministic particles.

Theory. The gradient flow of KL(f || pi) in Wasserstein space is the Fokker-Planck equation of
Langevin dynamics, d/dt f = div(f grad log(f / pi)): it is carried by particles that follow

    dx/dt = grad log pi(x) - grad log f_t(x),

with no noise, and along it KL falls by the relative Fisher information,

    d/dt KL(f_t || pi) = -E_{f_t} |grad log f_t - grad log pi|^2.

The score of the particles' own distribution f_t is not known; a network s is kept close to it by
implicit score matching at the particles x_i, which needs nothing but them:

    min_s  1/n sum_i |s(x_i)|^2 + 2 div s(x_i).

The algorithm: fit s to the score of the start, -x / scale^2; then again and again

    1. make some optimiser updates of s on the implicit loss at the particles,
    2. x_i <- x_i + dt (grad log pi(x_i) - s(x_i)).

As s is the score of the sampler's own distribution, mean |s(x_i) - grad log pi(x_i)|^2 is the
relative Fisher information, a measure of convergence that costs nothing (``log_weights``).

References
----------
.. [1] V. Ilin et al. Score-Based Deterministic Density Sampling. arXiv 2504.18130, 2025, with the
   code Vilin97/SBTM-sampling.
.. [2] N. Boffi, E. Vanden-Eijnden. Probability flow solution of the Fokker-Planck equation. 2022,
   arXiv 2206.04642, Algorithm 1.

Departures. Lengths are in units of the declared scale and dt in units of its square; with scale 1
all is the paper's. The network is fitted to the start by ``start_updates`` updates at fresh points
of N(0, scale^2 I); the code makes updates at 10,000 fixed ones until the loss is below 1e-4 (in
the plane 5e-4), 10,001 at most. Minibatches follow one another through all particles and begin
again; the code begins at the first particle each time and leaves out those behind the last whole
minibatch (200 of 1,000 at its size of 400), and makes a whole pass where that is more than
``fits`` updates. Both restart the optimiser after the fit to the start. The text of the paper was
not to be had: settings are those of the code.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from bench.core.density import Density
from samplers.particles.score_transport import ScoreTransport, TransportState


@dataclass(frozen=True)
class SBTM(ScoreTransport):
    """Deterministic particles driven by the target's score less their own, which is learned.

    ``particles``: n; the set is drawn from as it stands, so n bounds the points there are.
    ``step_size``: dt, in units of scale^2. ``fits``: minibatch updates of the network before each
    move; ``start_updates``: updates that first fit it to the start. ``probes``: of Hutchinson's
    estimate of the divergence, for high dimension; 0 takes the exact one, a backward pass a
    coordinate. Defaults are the paper's in the plane: AdamW 5e-4 with decay 1e-4, minibatches of
    400, ten a move, four softsign layers of 128 (on a line it has two: ``layers = 2``).
    """

    name = "sbtm"
    kind = "one-shot"
    family = "particles"
    learned = True
    update = ("score network: AdamW steps on mean(|s|^2 + 2 div s) at the particles; then "
              "x <- x + dt (grad log pi(x) - s(x))")
    citation = "V. Ilin et al. 2025, arXiv 2504.18130; code Vilin97/SBTM-sampling"
    limitations = ("cannot give more points than particles, or independent ones; cross between "
                   "modes that lie far apart, as Langevin cannot; learn a score from few "
                   "particles, at which the implicit loss has no lower bound")
    law_settings = {
        "steps": 1850, "slow": True,
        "parameters": {"particles": 2000, "step_size": 0.02, "start_updates": 200,
                       "learning_rate": 0.002, "layers": 2, "width": 64}}

    def step(self, target: Density, state: TransportState, progress: float,
             rng: torch.Generator) -> TransportState:
        """One update of the network, or after ``fits`` of them one move of all particles."""
        if self.fit_due(state):
            return self.fit(target, state, rng)
        return self.move(target, state, target.score(target.scale * state.u))
