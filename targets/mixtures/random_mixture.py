"""Random mixtures to tune on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bench.core.types import Array
from targets.mixtures.gaussian_mixture import Mixture
from targets.numerics.random_parameters import far_point, log_uniform


@dataclass(frozen=True, eq=False)
class RandomMixture(Mixture):
    """A random two-dimensional Gaussian mixture, one for each seed: the tuning family.

    Settings are chosen on these and on nothing else; nothing that is judged is ever in the family.

    The seed draws, in this order: the number of modes, 2-8 uniformly; the size of the region,
    log-uniform in [0.7, 20]; the typical standard deviation, log-uniform in [0.08, 0.35] of that
    size; weights, Dirichlet(2), mixed with a fifth of equal weights so that none vanishes; for
    each mode a centre in the square [-size, size]^2 (the farthest of eight uniform candidates from
    the earlier ones), a factor on its standard deviation (log-uniform in [0.7, 1.4]), an axis
    ratio (log-uniform in [1, 2.5]) and an angle. The scale is the root mean square coordinate.

    p(x) = sum_k w_k N(x; m_k, S_k), normalised. Ours. Drawn with numpy's legacy Mersenne Twister,
    whose streams are frozen, so that a seed means the same mixture everywhere.
    """

    name = "random_mixture"
    citation = "ours: for tuning only"

    seed: int = 0

    def __post_init__(self) -> None:
        """Draw the mixture."""
        rng = np.random.RandomState(self.seed)
        modes = int(rng.randint(2, 9))
        size = log_uniform(rng, 0.7, 20.0)
        typical = size * log_uniform(rng, 0.08, 0.35)
        weights = 0.8 * rng.dirichlet(np.full(modes, 2.0)) + 0.2 / modes
        centres = np.empty((0, 2))
        covariances = np.empty((modes, 2, 2))
        for k in range(modes):
            centres = np.vstack([centres, far_point(rng, centres) * size])
            covariances[k] = _covariance(rng, typical)
        mean_square = (centres**2).sum(1) + np.trace(covariances, axis1=1, axis2=2)
        super().__init__(weights, centres, covariances, scale=math.sqrt(weights @ mean_square / 2))


def _covariance(rng: np.random.RandomState, typical: float) -> Array:
    """A random 2 x 2 covariance whose geometric mean standard deviation is near ``typical``."""
    size = typical * log_uniform(rng, 0.7, 1.4)
    ratio = math.sqrt(log_uniform(rng, 1.0, 2.5))
    angle = rng.uniform(0.0, math.pi)
    axes = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    value: Array = axes @ np.diag([(size * ratio) ** 2, (size / ratio) ** 2]) @ axes.T
    return value
