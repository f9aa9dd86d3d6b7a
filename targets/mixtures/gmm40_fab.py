"""The 40-component mixture of FAB and iDEM."""

from __future__ import annotations

import math

import numpy as np

from bench.core.types import Array
from targets.mixtures.gaussian_mixture import Mixture


def fab_means() -> Array:
    """The 40 centres, (40, 2), as torch's CPU generator gives them after seed 0.

    A single-precision uniform of torch is the low 24 bits of a Mersenne Twister word over 2^24.
    Built from the words themselves, so that the global generator is left alone and the means do
    not hang on a version of torch.
    """
    words = np.random.RandomState(0).randint(0, 2**32, size=80, dtype=np.uint64)
    uniform = (words & 0xFFFFFF).astype(np.float64) / 2**24
    return (uniform.reshape(40, 2) - 0.5) * 80.0


class Gmm40Fab(Mixture):
    """Forty equal Gaussians with centres drawn uniformly from [-40, 40]^2.

    p(x) = 1/40 sum_k N(x; m_k, s^2 I), s = softplus(1) = 1.3132617, m_k = 80 (u_k - 1/2) with u_k
    the uniforms of torch's generator at seed 0; normalised.

    From FAB (arXiv 2208.01893) and iDEM (arXiv 2402.06121) through the code of both
    (lollcat/fab-torch, jarridrb/DEM); the papers do not give the centres, and the value called
    log-variance there is passed through softplus and used as a standard deviation. Departure: that
    code sets log-densities under -1e4 to minus infinity; here the log-sum-exp is finite
    everywhere, so the score is right there too. The test set of iDEM cannot be rebuilt (its seed
    was replaced by entropy). Others' "GMM-40" (std 1, other seeds) are other targets.

    Scale: the root mean square coordinate, 23.1, rounded up to 25.

    Useful because it asks for all of a wide region: most centres lie many standard deviations
    apart, some overlap, and coordinates reach 40.
    """

    name = "gmm40_fab"
    citation = "arXiv 2208.01893; arXiv 2402.06121; code: lollcat/fab-torch"

    def __init__(self) -> None:
        variance = math.log1p(math.e) ** 2
        super().__init__(np.ones(40), fab_means(), np.tile(variance * np.eye(2), (40, 1, 1)),
                         scale=25.0)

    def view(self) -> tuple[float, float, float, float]:
        """The window of FAB's plots."""
        return (-56.0, 56.0, -56.0, 56.0)
