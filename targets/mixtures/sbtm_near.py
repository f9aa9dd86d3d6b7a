"""Two unequal modes on a line, close together."""

from __future__ import annotations

import numpy as np

from targets.mixtures.gaussian_mixture import Mixture


class SbtmNear(Mixture):
    """Two unit normals on a line: p(x) = 1/4 N(x; -2, 1) + 3/4 N(x; 2, 1); normalised.

    From Score-Based Deterministic Density Sampling (arXiv 2504.18130), which starts all particles
    from N(0, 1); the weights and centres are those of Vilin97/SBTM-sampling.

    Scale: the root mean square, 2.24, to the nearest half; a rerun of the paper overrides it by 1.

    Useful next to ``sbtm_far``: a low barrier, so that Langevin dynamics finds the right weights
    in a moderate time. The modes meet at -0.27: the left cell holds 0.248, not 1/4.
    """

    name = "sbtm_near"
    citation = "arXiv 2504.18130; Vilin97/SBTM-sampling"

    def __init__(self) -> None:
        super().__init__(np.array([0.25, 0.75]), np.array([[-2.0], [2.0]]), np.ones((2, 1, 1)),
                         scale=2.0)
