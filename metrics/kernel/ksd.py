"""Kernel Stein discrepancy, unbiased."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from metrics.base import Estimate, Evidence, Metric
from metrics.estimates import checked, estimate
from metrics.kernel.pair_sums import u_variance
from metrics.kernel.stein_kernel import broken_identity, stein_sums
from targets.base import Target


@dataclass(frozen=True)
class Ksd(Metric):
    r"""Unbiased squared kernel Stein discrepancy, inverse multiquadric kernel, no reference.

        KSD^2 = mean_{i != j} k0(x_i, x_j),   k(x, y) = (1 + |x - y|^2)^(-1/2)

    with the Stein kernel k0 of ``metrics.kernel.stein_kernel``. Zero in the mean under p = q, so
    it may be negative. Standard error: Hoeffding's first and second order.
    """

    name = "ksd"
    title = "KSD^2 (unbiased)"
    needs = ("score",)
    signed = True
    insensitive_to = ("the weights of modes that are far apart, and whole missing modes: it sees "
                      "the shape inside each mode only")
    citation = ("Liu, Lee, Jordan (2016), eq. 14 (the U-statistic); Gorham, Mackey (2017), "
                "Measuring sample quality with kernels (the kernel)")

    def fails_on(self, target: Target) -> str:
        """Where exact points break Stein's identity."""
        return broken_identity(target)

    def estimate(self, x: Tensor, evidence: Evidence) -> Estimate:
        """Squared KSD, in inverse squared units of the target."""
        sums = stein_sums(checked(x, evidence), evidence).off
        return estimate(float(sums.row_means().mean()), u_variance(sums))
