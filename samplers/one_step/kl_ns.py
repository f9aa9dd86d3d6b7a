"""KL training of a neural implicit sampler: a one-step sampler that descends the KL divergence.

Let x = g_theta(z) + sigma e have the distribution p_theta, and let q be the target. Of

    KL(theta) = E log p_theta(x) - E log q(x)

the part of the gradient that comes from log p_theta itself changing is E grad_theta log p_theta =
0, so only the part through x remains, with s_theta and s_q the two scores:

    grad_theta KL = E (s_theta(x) - s_q(x))' dx/dtheta.

s_theta is not known. A network stands in for it, kept close by score matching on the samples of
the moment: here denoising score matching,

    min_phi E |s_phi(x) + e / sigma|^2.

References
----------
.. [1] Luo, Zhang, Zhang. Entropy-based Training Methods for Scalable Neural Implicit Sampler.
   NeurIPS 2023, arXiv 2306.04952. The KL training method.
.. [2] Luo, Deng. Denoising Fisher Training for Neural Implicit Samplers. arXiv 2411.01453, 2024.
   Runs it as KL-NS (tables 1 and 2).

Departures. In [1] the sampler is x = g(z), and the score network may be trained by any score
matching; ours perturbs the sampler by sigma e as ``dft`` does, in both updates, so that the score
the network learns is that of the very distribution whose divergence descends. No code of [1] is
public: networks, batch, learning rates, latent and number of score updates are those of ``dft``,
by the same first author, who says the two share their configuration; the two samplers then differ
in the divergence alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bench.core.density import Density
from samplers.learning.scaled_score import scaled_score
from samplers.one_step.implicit import Denoising, Field


@dataclass(frozen=True)
class KlNs(Denoising):
    """One-step generator trained on the reverse KL divergence, with a score network.

    One optimiser update a step: ``score_updates`` of the score network, then one of the generator,
    which costs a gradient evaluation a point and no Hessian. A draw is g(z), without the noise,
    whose deviation ``sigma`` is in units of the declared scale.
    """

    name = "kl_ns"
    kind = "amortised"
    family = "one-step"
    learned = True
    update = ("score network: Adam step on |s(x) + e / sigma|^2 at x = g(z) + sigma e; generator: "
              "Adam step along (s(x) - s_q(x)) . dx/dtheta")
    citation = "Luo, Zhang, Zhang 2023, arXiv 2306.04952, KL training"
    limitations = ("cannot find modes that no sample is near, since the reverse KL divergence "
                   "does not miss them; fit structure finer than sigma x scale: g(z) is narrower "
                   "than the target by the variance sigma^2 that the noise adds")
    law_settings = {
        "steps": 5000, "bias": 0.1, "slow": True,
        "why": "narrower by the noise's variance, as dft",
        "parameters": {"width": 64, "layers": 3, "learning_rate": 0.0005,
                       "score_learning_rate": 0.002, "batch": 512, "score_updates": 9}}

    def pull(self, target: Density, score_net: Field, x: Tensor,
             e: Tensor) -> tuple[Tensor, Tensor]:
        """Freeze phi, free theta: the gradient of KL by each point."""
        with torch.no_grad():
            gap = scaled_score(target, x) - score_net(x)
        return -gap / len(x), gap
