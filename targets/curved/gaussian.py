"""A correlated Gaussian."""

from __future__ import annotations

import numpy as np

from targets.curved.sheared_gaussian import ShearedGaussian


class Gaussian(ShearedGaussian):
    """A Gaussian with mean (-1, 1) and precision A = [[3, -0.5], [-0.5, 1]].

    log p(x) = -1/2 (x - m)' A (x - m) + 1/2 log det A - log(2 pi); normalised.

    From Denoising Fisher Training (Table 1), which names but does not define it; the parameters
    are those of louissharrock/Coin-SVGD, where A is the precision and not the covariance.

    Scale: the root mean square coordinate, 1.31, to the nearest half.

    Useful as the floor of difficulty: everything about it is known in closed form, and it is off
    the origin and correlated, so a sign or transpose error shows.
    """

    name = "gaussian"
    citation = "Denoising Fisher Training, Table 1; louissharrock/Coin-SVGD distributions.py"

    def __init__(self) -> None:
        precision = np.array([[3.0, -0.5], [-0.5, 1.0]])
        super().__init__(np.array([-1.0, 1.0]), np.linalg.inv(precision), scale=1.5)

    def view(self) -> tuple[float, float, float, float]:
        """Four standard deviations."""
        return (-3.5, 1.5, -3.2, 5.2)
