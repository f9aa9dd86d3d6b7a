"""A banana."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from targets.curved.sheared_gaussian import ShearedGaussian


class Banana(ShearedGaussian):
    """A banana: x0 ~ N(0, 1) and x1 given x0 ~ N(x0^2, 0.25).

    log p(x) = -x0^2 / 2 - 2 (x1 - x0^2)^2 - log(2 pi) + log 2; normalised.

    Named by the drifting paper (arXiv 2603.17579), which gives no formula; this unit version of
    the common quadratic shear is our choice, and no agreement with its Table 1 is claimed. The
    other candidates for the paper's banana are ``banana_haario`` and ``rosenbrock``.

    Scale: the root mean square coordinate, 1.45, to the nearest half.

    Useful because its ridge is curved and thin far out: linear kernels and step sizes that suit
    the middle do not suit the arms, and the distribution is skewed in x1.
    """

    name = "banana"
    citation = "arXiv 2603.17579, section 5 (formula not given there: ours)"

    def __init__(self) -> None:
        super().__init__(np.zeros(2), np.diag([1.0, 0.25]), scale=1.5)

    def shear(self, a: Tensor) -> Tensor:
        """a^2."""
        return a * a

    def slope(self, a: Tensor) -> Tensor:
        """2 a."""
        return 2.0 * a

    def curve(self, a: Tensor) -> Tensor:
        """2."""
        return 2.0 + 0.0 * a

    def view(self) -> tuple[float, float, float, float]:
        """Both arms."""
        return (-3.5, 3.5, -2.0, 9.0)
