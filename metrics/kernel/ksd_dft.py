"""Kernel Stein discrepancy as the DFT paper computes it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from metrics.base import Estimate, Evidence, Metric
from metrics.estimates import checked, root_estimate
from metrics.kernel.stein_kernel import broken_identity, stein_sums
from targets.base import Target


@dataclass(frozen=True)
class KsdDft(Metric):
    r"""Root of the V-statistic of the kernel Stein discrepancy, pairs (i, i) included.

        KSD = sqrt(sum_{i, j} k0(x_i, x_j)) / n,   k(x, y) = (1 + |x - y|^2)^(-1/2)

    Exact samples score about sqrt((E |s|^2 + D) / n), not zero: .087 to .133 at n = 500 on the six
    targets of the DFT paper, where many published rows of its table 1 lie. Standard error by the
    delta method, first order: it is for values well above the floor.
    """

    name = "ksd_dft"
    title = "KSD (DFT paper)"
    needs = ("score",)
    insensitive_to = ("the weights of modes that are far apart, and whole missing modes; and its "
                      "own bias, which only the floor shows")
    citation = ("Denoising Fisher Training, table 1, as SGMCMCJax computes it (imq_KSD); Gorham, "
                "Mackey (2017)")

    def fails_on(self, target: Target) -> str:
        """Where exact points break Stein's identity."""
        return broken_identity(target)

    def estimate(self, x: Tensor, evidence: Evidence) -> Estimate:
        """KSD, in inverse units of the target."""
        sums = stein_sums(checked(x, evidence), evidence)
        row_means = (sums.off.rows + sums.diagonal) / len(x)
        return root_estimate(float(row_means.mean()), 4.0 * float(row_means.var()) / len(x))
