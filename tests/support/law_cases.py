"""Two cases for claims about log Z and weights of modes, fixed before any sampler met them.

``log_z_case``: a mixture of four Gaussians in ten dimensions whose nearest centres lie four
standard deviations apart, weights 1 : 2 : 3 : 4, raised so that log Z = 2.5 (a sampler that says
0 is wrong). ``two_modes``: weights .1 and .9 ten standard deviations apart in the plane.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from targets.mixtures.gaussian_mixture import Mixture
from targets.mixtures.gmm_nd import GmmNd

LOG_Z = 2.5
WEIGHTS = (0.1, 0.9)


class Raised(GmmNd):
    """A mixture times exp(LOG_Z)."""

    log_z = LOG_Z

    def log_prob(self, x: Tensor) -> Tensor:
        return super().log_prob(x) + LOG_Z

    def log_prob_and_score(self, x: Tensor) -> tuple[Tensor, Tensor]:
        value, score = super().log_prob_and_score(x)
        return value + LOG_Z, score


class TwoModes(Mixture):
    """.1 N((-5, 0), I) + .9 N((5, 0), I)."""

    dim, scale = 2, 5.0

    def __init__(self) -> None:
        super().__init__(np.array(WEIGHTS), np.array([[-5.0, 0.0], [5.0, 0.0]]),
                         np.tile(np.eye(2), (2, 1, 1)), scale=5.0)


def log_z_case(dtype: torch.dtype = torch.float32) -> Raised:
    return Raised(dim=10, modes=4, separation=4.0, weight_ratio=4.0, seed=0).to("cpu", dtype)


def two_modes(dtype: torch.dtype = torch.float32) -> TwoModes:
    return TwoModes().to("cpu", dtype)
