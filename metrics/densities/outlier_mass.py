"""Mass in places of too high energy."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from metrics.base import Estimate, Evidence, Metric
from metrics.estimates import checked, estimate
from metrics.evidence import energies


@dataclass(frozen=True)
class OutlierMass(Metric):
    r"""Share of samples above the 99th percentile of the reference energies, less what is due.

        mean_i 1[E(x_i) > E(y)_(k)] - (1 - k / (n + 1)),   k = ceil(.99 n), (k) the k-th smallest

    The share that exact samples have in the mean, about .01, is taken off: zero in the mean under
    p = q, and negative for samples too close to the modes. Standard error: the binomial one of the
    share, and that of the percentile times the samples' energy density there relative to the
    reference's, measured between its 98th and 99.5th percentiles.
    """

    name = "outlier_mass"
    title = "Outlier mass"
    signed = True
    insensitive_to = ("everything but the outskirts; samples that are too narrow score below "
                      "zero, not above")
    citation = "our definition"

    def estimate(self, x: Tensor, evidence: Evidence) -> Estimate:
        """A share of the samples, between -.01 and .99."""
        of_x, of_y = energies(checked(x, evidence), evidence)
        n = len(x)
        limits = of_y.sort().values

        def above(q: float) -> tuple[float, int]:
            k = min(max(math.ceil(q * n), 1), n)
            return float((of_x > limits[k - 1]).double().mean()), k

        share, k = above(0.99)
        (low, k_low), (high, k_high) = above(0.98), above(0.995)
        density = (low - high) * n / max(k_high - k_low, 1)
        due = 1.0 - k / (n + 1)
        variance = (share * (1.0 - share) + density**2 * due * (1.0 - due)) / n
        return estimate(share - due, variance)
