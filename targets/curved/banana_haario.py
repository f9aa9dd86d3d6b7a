"""Haario's banana."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from targets.curved.sheared_gaussian import ShearedGaussian

_VARIANCE = 100.0
_BEND = 0.03


class BananaHaario(ShearedGaussian):
    """Haario's banana: x0 ~ N(0, 100) and x1 given x0 ~ N(-b (x0^2 - 100), 1) with b = 0.03.

    log p(x) = -x0^2 / 200 - (x1 + b (x0^2 - 100))^2 / 2 - log(20 pi); normalised.

    A candidate for the banana of the drifting paper (arXiv 2603.17579), which names one and gives
    no formula: this is the textbook banana of adaptive MCMC, at its milder bend (the other is
    b = 0.1). No agreement with the paper's Table 1 is claimed.

    Scale: the root mean square coordinate, 7.71, to the nearest half.

    Useful because it is ten times longer than thick: bandwidths and step sizes that suit the ridge
    take very long along it.
    """

    name = "banana_haario"
    citation = ("arXiv 2603.17579, section 5 (formula not given there); Haario, Saksman, "
                "Tamminen (1999), Adaptive proposal distribution, Computational Statistics 14")

    def __init__(self) -> None:
        super().__init__(np.zeros(2), np.diag([_VARIANCE, 1.0]), scale=7.5)

    def shear(self, a: Tensor) -> Tensor:
        """-b (a^2 - 100)."""
        return -_BEND * (a * a - _VARIANCE)

    def slope(self, a: Tensor) -> Tensor:
        """-2 b a."""
        return -2.0 * _BEND * a

    def curve(self, a: Tensor) -> Tensor:
        """-2 b."""
        return -2.0 * _BEND + 0.0 * a

    def view(self) -> tuple[float, float, float, float]:
        """Both arms."""
        return (-32.0, 32.0, -30.0, 8.0)
