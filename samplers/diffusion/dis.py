"""Time-reversed diffusion sampler: the target is noised, and the way back is learned.

Data y_0 ~ p are noised by a variance-preserving diffusion, dy = -beta y / 2 dt + prior sqrt(beta)
dW, which forgets p and tends to N(0, prior^2 I). Backward in time, with s the score of the noised
distribution in place of u,

    dx = beta (x / 2 + prior^2 u(x, t)) dt + prior sqrt(beta) dW,     x_0 ~ N(0, prior^2 I),

ends in p. Here t runs from the noise to the target, and beta falls linearly from ``beta_max`` to
``beta_min`` over it. Euler-Maruyama over N steps, with h_k = beta_k / (2 N) at their middle and
v_k = 2 h_k prior^2:

    x_{k+1} = (1 + h_k) x_k + v_k u(x_k, t_k) + sqrt(v_k) z_k,     z_k ~ N(0, I),      (F_k)
    x_k     = (1 - h_k) x_{k+1} + sqrt(v_k) z_k,                   from x_N ~ p.       (B_k)

Both kernels have the variance v_k, so that their normalisers cancel:

    log w = log p~(x_N) - log N(x_0; 0, prior^2 I)
            + sum_k [|x_{k+1} - (1 + h_k) x_k - v_k u_k|^2
                     - |x_k - (1 - h_k) x_{k+1}|^2] / (2 v_k).

In the limit of small steps this is the paper's loss, -E[log w], in which the sum becomes the
control's energy and the divergence of the noising drift; as a ratio of kernels it has E[w] = Z
for every N. The control starts from the score of the noise, which fades as the target nears, and
the target's score enters as in the others:

    u(x, t) = -(1 - t) x / prior^2 + NN1(x, t) + NN2(t) clip(grad log p(x)).

Even at the best u, log w is not constant: the kernels' variances differ from the true reverse
kernels' by the order of h_k. For p = N(0, prior^2 I) and u = -x / prior^2 it is
log Z - sum_k h_k (|x_{k+1}|^2 - |x_k|^2) / (4 prior^2).

Settings. The paper and sde_sampler: beta .1 to 10, T = 1, prior 1; 100 (200) steps, batch 512
(2048), Adam 1e-3 (5e-3, falling to 2 %), 4 x 64. VSM: 128 steps, batch 2000, 40,000 updates,
2 x 64 GELU, clip 100, Adam 1e-4 to 1e-3, scores of noise and target interpolated.

Departures
----------
Steps and batch are smaller, so that an update costs about 1 % of a usual budget. The paper's loss
is discretised as a ratio of kernels. Of the interpolated scores the noise's is fixed and the
target's is scaled by NN2, zero at the start, since a target stiffer than the noise makes an
unlearned Euler step explode. NN2 is one number a time. The score is cut by its norm; NN1 is not
cut. "kl" holds the score fixed in its gradient, see ControlledPaths.

References
----------
.. [1] Berner, Richter, Ullrich. An optimal control perspective on diffusion-based generative
   modeling. arXiv 2211.01364, 2022 (TMLR 2024).
.. [2] Richter, Berner. Improved sampling via learned diffusions. ICLR 2024, arXiv 2307.01198.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from bench.core.density import Density
from samplers.base import normal
from samplers.diffusion.controlled_paths import ControlledPaths, log_normal


@dataclass(frozen=True)
class DIS(ControlledPaths):
    """Learned reversal of a variance-preserving noising; the rest in ControlledPaths."""

    beta_min: float = 0.1
    beta_max: float = 10.0

    name = "dis"
    kind = "amortised"
    family = "diffusion"
    learned = True
    update = ("Adam step on -E log w of paths x' = (1 + h) x + v u(x, t) + sqrt(v) z from "
              "N(0, prior^2); log w = log p~ - log N(x_0) + sum log(noising / controlled kernel)")
    citation = "Berner, Richter, Ullrich 2022, arXiv 2211.01364; settings of VSM, 2406.07423"
    limitations = ("cannot notice modes that no path reaches: the reverse KL does not see them; "
                   "draw without the target's score, one evaluation per step; have constant "
                   "weights at finitely many steps")
    law_settings = {
        "steps": 400, "bias": 0.2, "slow": True,
        "why": "as dds",
        "parameters": {"prior": 1.0}}

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.beta_min <= self.beta_max < 2 * self.steps:
            raise ValueError("beta_min must be positive and at most beta_max, and beta_max less "
                             "than twice the steps: else a noising step overshoots the origin")

    @cached_property
    def halves(self) -> list[float]:
        """h_k = beta_k / (2 N), beta at the middle of each step."""
        fall = self.beta_max - self.beta_min
        return [(self.beta_max - fall * (k + 0.5) / self.steps) / (2 * self.steps)
                for k in range(self.steps)]

    @cached_property
    def variances(self) -> list[float]:
        """v_k = 2 h_k prior^2."""
        return [2 * h * self.prior**2 for h in self.halves]

    def begin(self, target: Density, n: int, rng: torch.Generator) -> Tensor:
        """N(0, prior^2 I)."""
        return self.prior * normal(target, (n, target.dim), rng)

    def mean(self, x: Tensor, u: Tensor, k: int) -> Tensor:
        """The mean of F_k; the noise's own score is a part of the control."""
        noise = -(1 - k / self.steps) / self.prior**2 * x
        return (1 + self.halves[k]) * x + self.variances[k] * (noise + u)

    def forward(self, x: Tensor, u: Tensor, z: Tensor, k: int) -> Tensor:
        """(1 + h) x + v u + sqrt(v) z."""
        return self.mean(x, u, k) + self.variances[k] ** 0.5 * z

    def backward(self, y: Tensor, z: Tensor, k: int) -> Tensor:
        """(1 - h) y + sqrt(v) z."""
        return (1 - self.halves[k]) * y + self.variances[k] ** 0.5 * z

    def log_ratio(self, x: Tensor, y: Tensor, u: Tensor, k: int) -> Tensor:
        """log F_k / B_k, two Gaussians of variance v."""
        ahead = (y - self.mean(x, u, k)).square().sum(1)
        back = (x - (1 - self.halves[k]) * y).square().sum(1)
        return (back - ahead) / (2 * self.variances[k])

    def log_reference(self, start: Tensor, end: Tensor) -> Tensor:
        """log N(x_0; 0, prior^2 I), where paths start."""
        return log_normal(start, self.prior**2)
