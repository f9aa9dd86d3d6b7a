"""Number of missing modes."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from metrics.base import Estimate, Evidence, Metric
from metrics.estimates import checked
from metrics.evidence import mode_shares


@dataclass(frozen=True)
class MissingModes(Metric):
    r"""Number of modes k whose share of the samples is under a tenth of the true weight.

        count of { k : f_k < w_k / 10 }

    The true weights come from the target. A count has no useful standard error.
    """

    name = "missing_modes"
    title = "Missing modes"
    needs = ("modes",)
    insensitive_to = "everything but near absence: a mode at a fifth of its weight counts as found"
    citation = "our definition"

    def estimate(self, x: Tensor, evidence: Evidence) -> Estimate:
        """A count, from 0 to one less than the number of modes."""
        shares, weights = mode_shares(checked(x, evidence), evidence)
        return Estimate(float((shares < weights / 10.0).sum()))
