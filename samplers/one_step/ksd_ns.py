"""KSD neural sampler: a one-step sampler that descends its own kernel Stein discrepancy.

With the target's score s and a kernel k the Stein kernel

    u(x, y) = s(x).s(y) k + s(x).grad_y k + s(y).grad_x k + tr grad_x grad_y k

has mean zero under the target in either argument. The kernel Stein discrepancy of the distribution
of
x = g_theta(z), KSD^2 = E u(x, x'), is zero at the target only; of a generated batch

    KSD^2(theta)  ~  1 / (n (n - 1)) sum_{i != j} u(x_i, x_j)

is unbiased, and so is its gradient through x_i = g_theta(z_i): through k and through s, a
Hessian-vector product a point. The inverse multiquadric kernel (Gorham, Mackey 2017), d = x - y,

    k = q^{-1/2},  q = 1 + |d|^2 / c^2:
    u = s(x).s(y) q^{-1/2} + ((s(x) - s(y)).d + dim) q^{-3/2} / c^2 - 3 |d|^2 q^{-5/2} / c^4,

makes the discrepancy see tails, which a Gaussian kernel misses in many dimensions.

References
----------
.. [1] Hu, Chen, Sun, Bai, Ye, Cheng. Stein Neural Sampler. arXiv 1810.03545, 2018. KSD-NS.
.. [2] Gorham, Mackey. Measuring Sample Quality with Kernels. ICML 2017. The kernel.

Departures. No code of [1] was found; the network, learning rate and latent are those of ``dft``.
Ours: c, the declared scale, and a batch of 500, since a step costs batch^2 kernel values.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bench.core.density import Density
from samplers.distances import squared_distances
from samplers.learning.optimisation import descend
from samplers.learning.scaled_score import scaled_score
from samplers.one_step.implicit import Alone, OneStepState, known


@dataclass(frozen=True)
class KsdNs(Alone):
    """One-step generator trained on the kernel Stein discrepancy of its batches.

    ``bandwidth``: c, in units of the declared scale.
    """

    batch: int = 500
    bandwidth: float = 1.0

    name = "ksd_ns"
    kind = "amortised"
    family = "one-step"
    learned = True
    update = ("Adam step down the U-statistic of KSD^2 over a batch x = g(z), inverse "
              "multiquadric kernel, differentiated through x")
    citation = "Hu, Chen, Sun, Bai, Ye, Cheng 2018, arXiv 1810.03545, KSD-NS"
    limitations = ("cannot give separated modes their weights, to which the discrepancy is "
                   "nearly insensitive; leave points that have gathered where the score "
                   "vanishes, a saddle between modes included; pull in points much farther out "
                   "than the scale fast")
    law_settings = {
        "steps": 2500, "bias": 0.1, "slow": True,
        "why": "means and variances wander with the noise of batches of 256",
        "parameters": {"batch": 256, "width": 64, "layers": 3, "learning_rate": 0.0003}}

    def __post_init__(self) -> None:
        if self.batch < 2:
            raise ValueError(f"batch must be at least 2 to make a pair, not {self.batch}")

    def step(self, target: Density, state: OneStepState, progress: float,
             rng: torch.Generator) -> OneStepState:
        """One update of the generator."""
        points = state.generator(self.latents(target, rng))
        x = points.detach().requires_grad_()
        ksd = square_discrepancy(x, scaled_score(target, x), self.bandwidth)
        (pull,) = torch.autograd.grad(ksd, x)
        descend(state.generator_optimiser, points, pull)
        state.loss = ksd.detach()
        state.updates += 1
        return state

    def diagnostics(self, state: OneStepState) -> dict[str, float]:
        """KSD^2 of the latest batch, in units of the scale; its estimate may be negative."""
        return known(loss=state.loss)


def square_discrepancy(x: Tensor, s: Tensor, c: float) -> Tensor:
    """The U-statistic of KSD^2, 0-d, of points x and the target's scores s at them, (n, dim)."""
    r2 = squared_distances(x, x)
    root = (1.0 + r2 / c**2).rsqrt()
    own = (s * x).sum(dim=1)
    cross = own[:, None] + own - s @ x.T - x @ s.T  # (s_i - s_j) . (x_i - x_j)
    u = ((s @ s.T) * root + (cross + x.shape[1]) * root**3 / c**2
         - 3.0 * r2 * root**5 / c**4)
    n = len(x)
    return (u.sum() - u.diagonal().sum()) / (n * (n - 1))
