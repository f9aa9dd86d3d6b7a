"""Neal's funnel in ten dimensions."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from targets.base import Target, Truth
from targets.numerics.raw_moments import raw_moments

_VARIANCE = 9.0  # of x0


class Funnel10(Target):
    """Neal's funnel: x0 ~ N(0, 9) and x1, ..., x9 given x0 are independent N(0, exp(x0)).

    log p(x) = -[x0^2 / 9 + log(18 pi)] / 2 - sum_i [x_i^2 e^(-x0) + x0 + log(2 pi)] / 2, i from 1
    to 9; normalised.

    From Neal (2003), with the standard deviation 3 that the literature on learned samplers uses
    (arXiv 2111.15141, 2406.07423). Others' funnels differ: GFNOrg/gfn-diffusion has an easy one
    with standard deviation 1, variational_sampling_methods clips its exact points to [-30, 30]
    (here nothing is clipped), and ``funnel`` is that of another paper.

    Scale: the root mean square of x0, 3; that of the others (9.5) belongs to their tail.

    Useful because the right step size varies by e^6 over the bulk, in ten dimensions. The second
    moments of x_i are finite (e^4.5 = 90) but so heavy-tailed that no sample mean of practical
    size comes near, hence ``cov_error`` says little; x_i^2 e^(-x0), with mean 1, is stated next to
    them.
    """

    name = "funnel_10"
    citation = "Neal (2003), Slice sampling; arXiv 2111.15141; arXiv 2406.07423"
    law_settings = {"heavy": ("x1^2", "x2^2", "x3^2", "x4^2", "x5^2", "x6^2", "x7^2", "x8^2",
                              "x9^2"), "shown": 0.9}

    dim = 10
    scale = 3.0
    has_reference = True
    reference_note = "exact: x0, then the others given x0"
    log_z = 0.0

    def log_prob(self, x: Tensor) -> Tensor:
        """Normalised log-density: (n, 10) -> (n,)."""
        neck, rest = x[:, 0], x[:, 1:]
        energy = (neck * neck / (2.0 * _VARIANCE) + 0.5 * (self.dim - 1) * neck
                  + 0.5 * (rest * rest).sum(1) * torch.exp(-neck))
        return -energy - 0.5 * (self.dim * math.log(2.0 * math.pi) + math.log(_VARIANCE))

    def score(self, x: Tensor) -> Tensor:
        """(-x0 / 9 + sum_i (x_i^2 e^(-x0) - 1) / 2, -x_i e^(-x0)): (n, 10) -> (n, 10)."""
        neck, rest = x[:, :1], x[:, 1:]
        pull = rest * torch.exp(-neck)
        along = (0.5 * (rest * pull).sum(1, keepdim=True) - 0.5 * (self.dim - 1)
                 - neck / _VARIANCE)
        return torch.cat([along, -pull], 1)

    def hvp(self, x: Tensor, v: Tensor) -> Tensor:
        """Hessian times v in closed form, (n, 10) each."""
        neck, rest = x[:, :1], x[:, 1:]
        stiff = torch.exp(-neck)
        pull = rest * stiff
        first = ((pull * v[:, 1:]).sum(1, keepdim=True)
                 - (1.0 / _VARIANCE + 0.5 * (rest * pull).sum(1, keepdim=True)) * v[:, :1])
        return torch.cat([first, pull * v[:, :1] - stiff * v[:, 1:]], 1)

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """n independent points, shape (n, 10)."""
        z = torch.randn(n, self.dim, generator=rng, device=self.device, dtype=self.dtype)
        neck = math.sqrt(_VARIANCE) * z[:, :1]
        return torch.cat([neck, torch.exp(0.5 * neck) * z[:, 1:]], 1)

    def truths(self) -> tuple[Truth, ...]:
        """Raw moments in closed form, and the conditional variance of x1, ..., x9."""
        second = np.full(self.dim, math.exp(0.5 * _VARIANCE))
        second[0] = _VARIANCE
        scaled = Truth("mean xi^2*exp(-x0)",
                       lambda x: (x[:, 1:] ** 2).mean(1) * torch.exp(-x[:, 0]), 1.0)
        return (*raw_moments(np.zeros(self.dim), np.diag(second)), scaled)

    def view(self) -> tuple[float, float, float, float]:
        """The neck and the mouth."""
        return (-9.0, 9.0, -30.0, 30.0)
