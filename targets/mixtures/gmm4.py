"""Four equal modes on a square."""

from __future__ import annotations

import numpy as np

from targets.mixtures.gaussian_mixture import Mixture


class Gmm4(Mixture):
    """Four equal Gaussian modes at (+-1, +-1), standard deviation 0.2.

    p(x) = 1/4 sum_k N(x; c_k, 0.04 I), c_k in {(-1,-1), (-1,1), (1,-1), (1,1)}; normalised.

    From the drifting paper (arXiv 2603.17579), which shows a four-mode mixture but gives neither
    centres nor widths nor weights. These values are a guess that fits its printed mean error, mode
    counts and reference energy; no agreement with its Table 1 in absolute terms is claimed. The
    other candidates are ``gmm4_close``, ``gmm4_far`` and ``gmm4_demo``.

    Scale: the root mean square coordinate, 1.02, to the nearest half.

    Useful as an easy test: the initial distribution N(0, I) covers all modes evenly, so that a
    sampler that merely moves each point to the nearest mode gets the weights right.
    ``gmm4_skewed`` takes that away.
    """

    name = "gmm4"
    citation = "arXiv 2603.17579, section 5 (parameters not given there: ours)"

    def __init__(self) -> None:
        centres = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
        super().__init__(np.ones(4), centres, np.tile(0.04 * np.eye(2), (4, 1, 1)), scale=1.0)
