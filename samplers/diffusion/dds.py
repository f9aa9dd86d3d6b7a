"""Denoising diffusion sampler: an Ornstein-Uhlenbeck process, steered to end at the target.

Uncontrolled, the reference stays in N(0, prior^2 I): x_0 from there, and

    x_{k+1} = sqrt(1 - a_k) x_k + prior sqrt(a_k) z_k,     z_k ~ N(0, I),              (R_k)

is the OU process over its step, exactly. A control steers it by an exponential integrator,
with l_k = 1 - sqrt(1 - a_k):

    x_{k+1} = sqrt(1 - a_k) x_k + 2 l_k prior^2 u(x_k, t_k) + prior sqrt(a_k) z_k.     (F_k)

The distribution of paths to match is x_N ~ p, noised backward by the same process, which is
reversible:

    x_k = sqrt(1 - a_k) x_{k+1} + prior sqrt(a_k) z_k.                                 (B_k)

Since N(x_k; 0, prior^2 I) R_k(x_{k+1} | x_k) = N(x_{k+1}; 0, prior^2 I) B_k(x_k | x_{k+1}), the
ratio of the two is, with dx_k = x_{k+1} - sqrt(1 - a_k) x_k,

    log w = log p~(x_N) - log N(x_N; 0, prior^2 I)
            - sum_k [(2 l_k / a_k) u_k . dx_k - (2 l_k^2 / a_k) prior^2 |u_k|^2],

in which the bracket is (2 l_k / sqrt(a_k)) prior u_k . z_k + (2 l_k^2 / a_k) prior^2 |u_k|^2 on a
controlled path, as in the paper. -E[log w] is its loss; E[w] = Z for every N. The noise per step
is a_k = 1 - exp(-2 b_k), where the b_k sum to ``noise`` and go as cos^4, least near the target:
exp(-noise) is what is left of x_N in x_0.

Settings. The paper and VSM: cos^4 schedule, u = NN1(x, t) + NN2(t) grad log p; VSM: 128 steps,
batch 2000, 40,000 updates, 2 x 64 GELU, clip 100, Adam 1e-4 to 1e-3, prior 40 for modes within
40 and otherwise 15 or 1, "noise scale" 6. sde_sampler: T = 6.4 in 128 steps, prior 1, cosine.

Departures
----------
Steps and batch are smaller, so that an update costs about 1 % of a usual budget. The schedule is
given by its sum, so that it does not depend on the number of steps. NN2 is one number a time, zero
at the start. The score is cut by its norm, not coordinate by coordinate; NN1 is not cut. "kl"
holds the score fixed in its gradient, see ControlledPaths.

References
----------
.. [1] Vargas, Grathwohl, Doucet. Denoising Diffusion Samplers. ICLR 2023, arXiv 2302.13834.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from bench.core.density import Density
from samplers.base import normal
from samplers.diffusion.controlled_paths import ControlledPaths, cosine_shares, log_normal


@dataclass(frozen=True)
class DDS(ControlledPaths):
    """Learned drift on an OU process; ``noise`` is its whole time, the rest in ControlledPaths."""

    noise: float = 4.0

    name = "dds"
    kind = "amortised"
    family = "diffusion"
    learned = True
    update = ("Adam step on -E log w of controlled OU paths from N(0, prior^2), by an exponential "
              "integrator; log w = log p~ - log N(0, prior^2) - log(controlled / reference)")
    citation = "Vargas, Grathwohl, Doucet 2023, arXiv 2302.13834; settings of VSM, 2406.07423"
    limitations = ("cannot notice modes that no path reaches: the reverse KL does not see them; "
                   "draw without the target's score, an evaluation per step; be exact at a "
                   "finite noise: exp(-noise) x_N is still in x_0")
    law_settings = {
        "steps": 400, "bias": 0.2, "slow": True,
        "why": "so short a training over 64 SDE steps leaves variances off by up to a fifth",
        "parameters": {"prior": 1.0, "noise": 3.0}}

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.noise > 0:
            raise ValueError(f"noise must be positive, not {self.noise}")

    @cached_property
    def decays(self) -> list[float]:
        """sqrt(1 - a_k) = exp(-b_k)."""
        return [math.exp(-self.noise * share) for share in cosine_shares(self.steps, 2)]

    @cached_property
    def variances(self) -> list[float]:
        """prior^2 a_k."""
        shares = cosine_shares(self.steps, 2)
        return [-self.prior**2 * math.expm1(-2 * self.noise * share) for share in shares]

    @cached_property
    def gains(self) -> list[float]:
        """2 l_k prior^2, by which the control moves a point."""
        shares = cosine_shares(self.steps, 2)
        return [-2 * self.prior**2 * math.expm1(-self.noise * share) for share in shares]

    def begin(self, target: Density, n: int, rng: torch.Generator) -> Tensor:
        """N(0, prior^2 I)."""
        return self.prior * normal(target, (n, target.dim), rng)

    def forward(self, x: Tensor, u: Tensor, z: Tensor, k: int) -> Tensor:
        """sqrt(1 - a) x + 2 l prior^2 u + prior sqrt(a) z."""
        return self.decays[k] * x + self.gains[k] * u + self.variances[k] ** 0.5 * z

    def backward(self, y: Tensor, z: Tensor, k: int) -> Tensor:
        """sqrt(1 - a) y + prior sqrt(a) z."""
        return self.decays[k] * y + self.variances[k] ** 0.5 * z

    def log_ratio(self, x: Tensor, y: Tensor, u: Tensor, k: int) -> Tensor:
        """log F_k / R_k: both of variance prior^2 a_k, their means 2 l prior^2 u apart."""
        shift = self.gains[k] * u
        return (shift * (y - self.decays[k] * x - shift / 2)).sum(1) / self.variances[k]

    def log_reference(self, start: Tensor, end: Tensor) -> Tensor:
        """log N(x_N; 0, prior^2 I), in which the uncontrolled process stays."""
        return log_normal(end, self.prior**2)
