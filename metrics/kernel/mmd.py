"""Maximum mean discrepancy, unbiased."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from metrics.base import Estimate, Evidence, Metric
from metrics.estimates import checked, estimate
from metrics.kernel.gaussian_kernel import rbf_sums
from metrics.kernel.pair_sums import two_sample_variance


@dataclass(frozen=True)
class Mmd(Metric):
    r"""Unbiased squared MMD under a mean of three Gaussian kernels.

        MMD^2 = mean_{i != j} k(x_i, x_j) + mean_{i != j} k(y_i, y_j) - 2 mean_{i, j} k(x_i, y_j)
        k = (k_{m/2} + k_m + k_{2m}) / 3,   k_h(x, y) = exp(-|x - y|^2 / (2 h^2))

    m is the median pairwise distance of the reference alone. The reference has as many points as
    the samples. Zero in the mean under p = q, so it may be negative. Standard error: Hoeffding's
    first and second order, both sample sets counted as random.
    """

    name = "mmd"
    title = "MMD^2 (unbiased)"
    signed = True
    insensitive_to = ("detail much finer than half the median distance of the reference: the "
                      "shape of a narrow mode among distant ones")
    citation = ("Gretton, Borgwardt, Rasch, Schoelkopf, Smola (2012), A kernel two-sample test, "
                "JMLR 13, eq. 3")

    def estimate(self, x: Tensor, evidence: Evidence) -> Estimate:
        """Squared MMD, unit-free, between -1/(n - 1) and 2."""
        sums, _ = rbf_sums(checked(x, evidence), evidence)
        xx, yy, xy = (float(s.row_means().mean()) for s in sums)
        return estimate(xx + yy - 2.0 * xy, two_sample_variance(*sums))
