"""Relative Fisher information of the sampler's own distribution."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from metrics.base import Estimate, Evidence
from metrics.importance.log_weight_metric import LogWeightMetric, weights
from targets.base import Target


@dataclass(frozen=True)
class FisherRelative(LogWeightMetric):
    r"""Relative Fisher information: the Fisher divergence of the sampler from the target.

        E_q |grad log q(x) - grad log p(x)|^2

    with grad log q from the sampler itself: exact where it has a density, its network's estimate
    where it has learned the score of its particles. Along Langevin dynamics it is the rate at
    which KL(q || p) falls. Standard error: over independent draws.
    """

    name = "fisher_relative"
    title = "Relative Fisher information"
    insensitive_to = ("the weights of separated modes; the error of a score the sampler estimated "
                      "itself")
    citation = "V. Ilin et al., Score-Based Deterministic Density Sampling, arXiv 2504.18130"
    part = "gap"

    def applies_with_weights(self, target: Target) -> bool:
        """Anywhere: scores know no Z."""
        return True

    def estimate(self, x: Tensor, evidence: Evidence) -> Estimate:
        """Squared inverse lengths."""
        gap = weights(evidence, "gap")
        return Estimate(float(gap.mean()), float(gap.std()) / math.sqrt(len(gap)))
