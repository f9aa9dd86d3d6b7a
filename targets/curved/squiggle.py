"""A Gaussian bent into a wave."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from targets.curved.sheared_gaussian import ShearedGaussian


class Squiggle(ShearedGaussian):
    """A wave: (x0, x1 + sin(2 x0)) ~ N((1, 1), [[2, 0.25], [0.25, 0.5]]).

    log p(x) = log N((x0, x1 + sin 2 x0)); the map has Jacobian 1, so p is normalised.

    From Denoising Fisher Training (Table 1), which names but does not define it; the parameters
    are those of louissharrock/Coin-SVGD.

    Scale: the root mean square coordinate, 1.57, to the nearest half.

    Useful because its curvature changes sign along the ridge: the score turns quickly while the
    distribution stays unimodal along it.
    """

    name = "squiggle"
    citation = "Denoising Fisher Training, Table 1; louissharrock/Coin-SVGD distributions.py"

    def __init__(self) -> None:
        covariance = np.array([[2.0, 0.25], [0.25, 0.5]])
        super().__init__(np.array([1.0, 1.0]), covariance, scale=1.5)

    def shear(self, a: Tensor) -> Tensor:
        """-sin 2a."""
        return -torch.sin(2.0 * a)

    def slope(self, a: Tensor) -> Tensor:
        """-2 cos 2a."""
        return -2.0 * torch.cos(2.0 * a)

    def curve(self, a: Tensor) -> Tensor:
        """4 sin 2a."""
        return 4.0 * torch.sin(2.0 * a)

    def view(self) -> tuple[float, float, float, float]:
        """Four standard deviations along the wave."""
        return (-4.0, 6.0, -3.0, 5.0)
