"""Error of the mode weights."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from metrics.base import Estimate, Evidence, Metric
from metrics.estimates import checked, estimate
from metrics.evidence import mode_shares


@dataclass(frozen=True)
class ModeTv(Metric):
    r"""Total variation between the shares of the modes and their true weights.

        TV = 1/2 sum_k | f_k - w_k |,   f_k the share of samples in mode k

    The true weights come from the target, not from the reference. Standard error: multinomial, by
    the delta method.
    """

    name = "mode_tv"
    title = "Mode-weight TV"
    needs = ("modes",)
    insensitive_to = "everything inside a mode: each may be a point"
    citation = "total variation distance on the partition into modes"

    def estimate(self, x: Tensor, evidence: Evidence) -> Estimate:
        """Total variation, between 0 and 1."""
        shares, weights = mode_shares(checked(x, evidence), evidence)
        sign = (shares - weights).sign() / 2.0
        mean = float((shares * sign).sum())
        variance = (float((shares * sign.square()).sum()) - mean**2) / (len(x) - 1)
        return estimate(float((shares - weights).abs().sum()) / 2.0, max(variance, 0.0))
