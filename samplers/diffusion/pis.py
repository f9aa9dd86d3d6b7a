"""Path integral sampler: a Brownian motion from the origin, steered so that it ends at the target.

Uncontrolled, the reference is x_0 = 0, dx = sigma(t) dW, which ends in N(0, prior^2 I). A control
steers it, dx = sigma^2 u dt + sigma dW, in N steps of variance v_k = sigma^2 dt:

    x_{k+1} = x_k + v_k u(x_k, t_k) + sqrt(v_k) z_k,      z_k ~ N(0, I).               (F_k)

The distribution of paths to match is that of the reference bent to end at p: x_N ~ p, then
backward the Brownian bridge to the origin, with clock c_k = v_0 + ... + v_{k-1},

    x_k = (c_k / c_{k+1}) x_{k+1} + sqrt(v_k c_k / c_{k+1}) z_k.                       (B_k)

The reference's own kernels N(x_k, v_k I) cancel between the two, and what is left is

    log w = log p~(x_N) - log N(x_N; 0, prior^2 I)
            - sum_k [u_k . (x_{k+1} - x_k) - v_k |u_k|^2 / 2],

in which the bracket is sqrt(v_k) u_k . z_k + v_k |u_k|^2 / 2 on a controlled path: the stochastic
and the running cost. -E[log w] is the loss of the paper, the terminal cost and half the control's
energy; E[w] = Z for every N.

Settings. The paper: constant sigma, u = NN1(x, t) + NN2(t) grad log p. VSM: 128 steps, batch 2000,
40,000 updates, 2 x 64 GELU, clip 100, Adam 5e-4, sigma a squared cosine from four times the
initial width down to .01. sde_sampler: sigma = sqrt(.2), T = 5 (terminal variance 1), 100 steps,
batch 512, Adam 1e-3. gfn-diffusion: 100 steps, batch 300, T sigma^2 5 (mixtures) or 1.

Departures
----------
Steps and batch are smaller, so that an update costs about 1 % of a usual budget. The control is in
units of sigma (ours times sigma is the paper's u), so that it is near a score. NN2 is one number a
time, zero at the start. The score is cut by its norm, not coordinate by coordinate; NN1 is not
cut. ``schedule`` "constant" is the paper's, "cosine" has the shape of VSM's; both are made to sum
to prior^2. "kl" holds the score fixed in its gradient, see ControlledPaths.

References
----------
.. [1] Zhang, Chen. Path Integral Sampler: a stochastic control approach for sampling. ICLR 2022,
   arXiv 2111.15141.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Literal

import torch
from torch import Tensor

from bench.core.density import Density
from samplers.diffusion.controlled_paths import ControlledPaths, cosine_shares, log_normal


@dataclass(frozen=True)
class PIS(ControlledPaths):
    """Learned drift on a Brownian motion from the origin; hyperparameters in ControlledPaths."""

    schedule: Literal["constant", "cosine"] = "cosine"

    name = "pis"
    kind = "amortised"
    family = "diffusion"
    learned = True
    update = ("Adam step on -E log w of controlled paths x' = x + v u(x, t) + sqrt(v) z from 0; "
              "log w = log p~ - log N(0, prior^2) - sum (u . dx - v |u|^2 / 2)")
    citation = "Zhang, Chen 2022, arXiv 2111.15141; settings of VSM, arXiv 2406.07423"
    limitations = ("cannot notice modes that no path reaches: the reverse KL does not see them; "
                   "draw without the target's score, an evaluation per step; resolve structure "
                   "finer than the last steps")
    law_settings = {
        "steps": 400, "bias": 0.05, "slow": True,
        "why": "so short a training leaves variances off by a tenth",
        "parameters": {"loss": "log_variance", "learning_rate": 0.002}}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.schedule not in ("constant", "cosine"):
            raise ValueError(f"schedule must be constant or cosine, not {self.schedule!r}")

    @cached_property
    def variances(self) -> list[float]:
        """v_k, whose sum is prior^2."""
        shares = (cosine_shares(self.steps, 2, floor=0.01) if self.schedule == "cosine"
                  else [1 / self.steps] * self.steps)
        return [self.prior**2 * share for share in shares]

    @cached_property
    def clock(self) -> list[float]:
        """c_0 = 0, ..., c_N = prior^2: the variance of the uncontrolled x_k."""
        return [0.0, *accumulate(self.variances)]

    def begin(self, target: Density, n: int, rng: torch.Generator) -> Tensor:
        """All paths start at the origin."""
        return torch.zeros((n, target.dim), device=target.device, dtype=target.dtype)

    def forward(self, x: Tensor, u: Tensor, z: Tensor, k: int) -> Tensor:
        """x + v u + sqrt(v) z."""
        v = self.variances[k]
        return x + v * u + v**0.5 * z

    def backward(self, y: Tensor, z: Tensor, k: int) -> Tensor:
        """The Brownian bridge from y at c_{k+1} to the origin at 0; exactly there for k = 0."""
        v, c = self.variances[k], self.clock
        return (c[k] / c[k + 1]) * y + (v * c[k] / c[k + 1]) ** 0.5 * z

    def log_ratio(self, x: Tensor, y: Tensor, u: Tensor, k: int) -> Tensor:
        """log F_k / reference: u . (y - x) - v |u|^2 / 2."""
        return (u * (y - x)).sum(1) - self.variances[k] / 2 * u.square().sum(1)

    def log_reference(self, start: Tensor, end: Tensor) -> Tensor:
        """log N(x_N; 0, prior^2 I), where the uncontrolled process ends."""
        return log_normal(end, self.prior**2)
