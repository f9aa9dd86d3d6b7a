"""Four equal modes, further apart."""

from __future__ import annotations

import numpy as np

from targets.mixtures.gaussian_mixture import Mixture


class Gmm4Far(Mixture):
    """Four equal Gaussian modes at (+-1.5, +-1.5), standard deviation 0.2.

    p(x) = 1/4 sum_k N(x; c_k, 0.04 I), c_k in {(-1.5,-1.5), (-1.5,1.5), (1.5,-1.5), (1.5,1.5)};
    normalised. Our variant of ``gmm4``, and with it a candidate for the four-mode mixture of the
    drifting paper (arXiv 2603.17579), which gives no centres: see ``gmm4_close`` for what its
    figures say of them. No agreement with its Table 1 is claimed.

    Scale: the root mean square coordinate, 1.51, to the nearest half.

    Useful because neighbouring modes are 15 standard deviations apart: a local kernel (the
    drifting paper's bandwidth is 0.22) is not affected by the next mode, and no chain crosses.
    """

    name = "gmm4_far"
    citation = "ours; gmm4 (arXiv 2603.17579) with wider spacing"

    def __init__(self) -> None:
        centres = np.array([[-1.5, -1.5], [-1.5, 1.5], [1.5, -1.5], [1.5, 1.5]])
        super().__init__(np.ones(4), centres, np.tile(0.04 * np.eye(2), (4, 1, 1)), scale=1.5)
