"""Two equal modes on a diagonal."""

from __future__ import annotations

import numpy as np

from targets.mixtures.gaussian_mixture import Mixture


class Mog2(Mixture):
    """Two equal Gaussian modes at (-2, 2) and (2, -2), variance 0.5.

    p(x) = 1/2 N(x; (-2, 2), I/2) + 1/2 N(x; (2, -2), I/2); normalised.

    From Denoising Fisher Training (Table 1), which names but does not define it; the parameters
    are those of louissharrock/Coin-SVGD, whose published rows agree with them.

    Scale: the root mean square coordinate, 2.12, to the nearest half.

    Useful as the plain bimodal case: the modes are 8 standard deviations apart, and swapping the
    coordinates shows a sign error that a symmetric target would hide.
    """

    name = "mog2"
    citation = "Denoising Fisher Training, Table 1; louissharrock/Coin-SVGD distributions.py"

    def __init__(self) -> None:
        centres = np.array([[-2.0, 2.0], [2.0, -2.0]])
        super().__init__(np.ones(2), centres, np.tile(0.5 * np.eye(2), (2, 1, 1)), scale=2.0)
