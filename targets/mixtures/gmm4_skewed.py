"""Four modes of unequal weight."""

from __future__ import annotations

import numpy as np

from targets.mixtures.gaussian_mixture import Mixture


class Gmm4Skewed(Mixture):
    """Four Gaussian modes at (+-1.5, +-1.5) with weights 0.1, 0.2, 0.3, 0.4, std 0.2.

    p(x) = sum_k w_k N(x; c_k, 0.04 I) with (w_k, c_k) = .1 (-1.5,-1.5), .2 (-1.5,1.5),
    .3 (1.5,-1.5), .4 (1.5,1.5); normalised. Our variant of ``gmm4_far``; no paper uses it.

    Scale: the root mean square coordinate, 1.51, to the nearest half.

    Useful because equal weights flatter a sampler that copies a symmetric start: here its mode
    weights are wrong by 0.2 in total variation.
    """

    name = "gmm4_skewed"
    citation = "ours; gmm4_far with unequal weights"

    def __init__(self) -> None:
        centres = np.array([[-1.5, -1.5], [-1.5, 1.5], [1.5, -1.5], [1.5, 1.5]])
        weights = np.array([0.1, 0.2, 0.3, 0.4])
        super().__init__(weights, centres, np.tile(0.04 * np.eye(2), (4, 1, 1)), scale=1.5)
