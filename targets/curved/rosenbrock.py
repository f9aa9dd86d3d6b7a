"""A Rosenbrock-type banana with correlated noise."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from targets.curved.sheared_gaussian import ShearedGaussian


class Rosenbrock(ShearedGaussian):
    """A downward banana: t = (-x0, -(x1 + x0^2 + 1)) ~ N((0, 1), [[1, 0.5], [0.5, 1]]).

    log p(x) = log N(t(x)); the map has Jacobian 1, so p is normalised. Equivalently
    (x0, x1 + x0^2 + 1) ~ N((0, -1), [[1, 0.5], [0.5, 1]]).

    From Denoising Fisher Training (Table 1), which names but does not define it; the map, with
    a = -1 and b = 1, is that of louissharrock/Coin-SVGD.

    Scale: the root mean square coordinate, 2.54, to the nearest half.

    Useful because it is curved, off the origin (mean (0, -3)) and, through the correlation, not
    symmetric in x0.
    """

    name = "rosenbrock"
    citation = "Denoising Fisher Training, Table 1; louissharrock/Coin-SVGD distributions.py"

    def __init__(self) -> None:
        covariance = np.array([[1.0, 0.5], [0.5, 1.0]])
        super().__init__(np.array([0.0, -1.0]), covariance, scale=2.5)

    def shear(self, a: Tensor) -> Tensor:
        """-a^2 - 1."""
        return -a * a - 1.0

    def slope(self, a: Tensor) -> Tensor:
        """-2 a."""
        return -2.0 * a

    def curve(self, a: Tensor) -> Tensor:
        """-2."""
        return -2.0 + 0.0 * a

    def view(self) -> tuple[float, float, float, float]:
        """Both arms."""
        return (-3.5, 3.5, -12.0, 2.0)
