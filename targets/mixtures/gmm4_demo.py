"""The four modes of the drifting demonstration."""

from __future__ import annotations

import numpy as np

from targets.mixtures.gaussian_mixture import Mixture


class Gmm4Demo(Mixture):
    """Four equal Gaussian modes at (+-0.5, +-0.5), standard deviation 0.1.

    p(x) = 1/4 sum_k N(x; c_k, 0.01 I), c_k in {(-.5,-.5), (-.5,.5), (.5,-.5), (.5,.5)};
    normalised.

    A candidate for the four-mode mixture of the drifting paper (arXiv 2603.17579), which gives
    neither centres nor widths nor weights: these are those of the notebook that the drifting
    authors published with their first paper (lambertae.github.io, drifting_model_demo), with which
    the later paper shares network, seed and number of samples. Against it: the printed mode counts
    make a mean error of at most 0.028 here, while 0.0754 is printed. No agreement with the paper's
    Table 1 is claimed.

    Scale: the root mean square coordinate, 0.51, to the nearest half.

    Useful because the paper's bandwidth, 0.22, is twice the width of a mode.
    """

    name = "gmm4_demo"
    citation = ("arXiv 2603.17579, section 5 (parameters not given there); lambertae.github.io "
                "drifting_model_demo.ipynb")

    def __init__(self) -> None:
        centres = 0.5 * np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
        super().__init__(np.ones(4), centres, np.tile(0.01 * np.eye(2), (4, 1, 1)), scale=0.5)
