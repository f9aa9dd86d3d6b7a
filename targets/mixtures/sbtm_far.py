"""Two unequal modes on a line, far apart."""

from __future__ import annotations

import numpy as np

from targets.mixtures.gaussian_mixture import Mixture


class SbtmFar(Mixture):
    """Two unit normals on a line: p(x) = 1/4 N(x; -4, 1) + 3/4 N(x; 4, 1); normalised.

    From Score-Based Deterministic Density Sampling (arXiv 2504.18130), which starts all particles
    from N(0, 1); the weights and centres are those of Vilin97/SBTM-sampling.

    Scale: the root mean square, 4.12, to the nearest half; a rerun of the paper overrides it by 1.

    Useful because the wells are 8 apart: half of what starts near 0 falls into the light mode, and
    the share of each mode then stays about what it is.
    """

    name = "sbtm_far"
    citation = "arXiv 2504.18130; Vilin97/SBTM-sampling"

    def __init__(self) -> None:
        super().__init__(np.array([0.25, 0.75]), np.array([[-4.0], [4.0]]), np.ones((2, 1, 1)),
                         scale=4.0)
