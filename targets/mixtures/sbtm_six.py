"""A light and a heavy mode on a line."""

from __future__ import annotations

import numpy as np

from targets.mixtures.gaussian_mixture import Mixture


class SbtmSix(Mixture):
    """Two unit normals on a line: p(x) = 1/10 N(x; -5, 1) + 9/10 N(x; 5, 1); normalised.

    The annealing example of Vilin97/SBTM-sampling (script 6-vi), the code of Score-Based
    Deterministic Density Sampling (arXiv 2504.18130); all particles start from N(0, 1).

    Scale: the root mean square, 5.10, to the nearest half; a rerun of the code overrides it by 1.

    Useful because half of a symmetric start falls to a mode that should hold a tenth, 10 away from
    the other: only annealing, jumps or a global proposal mend that. Notes in that code report a
    share near a quarter after 100,000 annealed steps.
    """

    name = "sbtm_six"
    citation = "arXiv 2504.18130; Vilin97/SBTM-sampling, script 6-vi"

    def __init__(self) -> None:
        super().__init__(np.array([0.1, 0.9]), np.array([[-5.0], [5.0]]), np.ones((2, 1, 1)),
                         scale=5.0)
