"""A standard normal on a line."""

from __future__ import annotations

import numpy as np

from targets.mixtures.gaussian_mixture import Mixture


class SbtmAnalytic(Mixture):
    """The standard normal on a line: log p(x) = -x^2 / 2 - log(2 pi) / 2; normalised.

    From Score-Based Deterministic Density Sampling (arXiv 2504.18130), with the start of
    Vilin97/SBTM-sampling: from N(0, v0), v0 = 1 - e^-0.2, the Langevin distribution is
    N(0, 1 - (1 - v0) e^(-2t)) at all times, hence the name.

    Scale: the root mean square, 1; a rerun of the paper overrides it by sqrt(1 - e^-0.2) = 0.426.

    Useful because nothing is hidden: a metric or a sampler that fails here is broken.
    """

    name = "sbtm_analytic"
    citation = "arXiv 2504.18130; Vilin97/SBTM-sampling"

    def __init__(self) -> None:
        super().__init__(np.ones(1), np.zeros((1, 1)), np.ones((1, 1, 1)), scale=1.0)
