"""Amortised Stein variational gradient descent: a generator that follows the particles' field.

Stein variational gradient descent (``svgd``) moves a batch x_i = g_theta(z_i) along

    phi(x_i) = 1/n sum_j [ k(x_j, x_i) s(x_j) + grad_{x_j} k(x_j, x_i) ],

the field in a kernel's space that lowers the KL divergence fastest. Instead of the points, the
generator that made them is moved, so that its points go there:

    theta <- theta + eps sum_i (dg_theta(z_i) / dtheta)' phi(x_i),

one gradient step towards the regression of g_theta(z_i) on x_i + eps phi(x_i). SteinGAN is this
with an energy that is learned as well; here, as in the tables of Denoising Fisher Training, the
target is given.

References
----------
.. [1] Wang, Liu. Learning to Draw Samples: With Application to Amortized MLE for Generative
   Adversarial Learning. arXiv 1611.01722, 2016. Algorithm 1.
.. [2] Feng, Wang, Liu. Learning to Draw Samples with Amortized Stein Variational Gradient Descent.
   UAI 2017.
.. [3] Luo, Deng. Denoising Fisher Training for Neural Implicit Samplers. arXiv 2411.01453, 2024.
   Runs it as SteinGAN (tables 1 and 2).

Departures. Adam takes the step. Field and bandwidth are those of ``svgd`` (Gaussian kernel, median
heuristic over ``median_rows`` random rows, each point in its own sum); its scaled step is left to
Adam. The network, learning rate and latent are those of ``dft``, as in [3]. Ours: a batch of 500,
the number of particles there, since a step costs batch^2 kernel values.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from bench.core.density import Density
from samplers.learning.optimisation import descend
from samplers.learning.scaled_score import scaled_score
from samplers.one_step.implicit import Alone, OneStepState, known
from samplers.particles.svgd import Svgd, stein_field


@dataclass(frozen=True)
class SteinGan(Alone):
    """One-step generator moved along the field of Stein variational gradient descent.

    ``median_rows``: points whose distances the median is taken over; 0: all. ``bandwidth``: a
    given h, in units of the declared scale, in place of the median heuristic.
    """

    batch: int = 500
    median_rows: int = 32
    bandwidth: float | None = None

    name = "steingan"
    kind = "amortised"
    family = "one-step"
    learned = True
    update = ("phi_i = mean_j [k(x_j, x_i) s(x_j) + grad_j k(x_j, x_i)] at x = g(z); "
              "Adam step along sum_i phi_i . dx_i/dtheta")
    citation = "Wang, Liu 2016, arXiv 1611.01722, algorithm 1"
    limitations = ("cannot find modes that no sample is near; keep the variance in high "
                   "dimension, where the kernel's repulsion fades; fit exactly: the field of a "
                   "finite batch counts each point itself, which narrows the distribution")
    law_settings = {
        "steps": 1200, "bias": 0.1, "slow": True,
        "why": "each point is in its own sum, which narrows the distribution, and means wander "
               "with the noise of the batch",
        "parameters": {"batch": 512, "width": 64, "layers": 3, "learning_rate": 0.0005}}

    def step(self, target: Density, state: OneStepState, progress: float,
             rng: torch.Generator) -> OneStepState:
        """One update of the generator: a gradient evaluation a point."""
        points = state.generator(self.latents(target, rng))
        with torch.no_grad():
            x = points.detach()
            kernel = Svgd(median_rows=self.median_rows, bandwidth=self.bandwidth)
            phi = stein_field(x, scaled_score(target, x), kernel.square_bandwidth(x, rng))
        descend(state.generator_optimiser, points, -phi / len(x))
        state.loss = phi.square().mean().sqrt()
        state.updates += 1
        return state

    def diagnostics(self, state: OneStepState) -> dict[str, float]:
        """Root mean square of phi, in units of the scale (zero at a fixed point)."""
        return known(drift_norm=state.loss)
