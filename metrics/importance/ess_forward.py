"""How badly the sampler's distribution covers the target."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from bench.core.log_weights import log_mean_exp
from metrics.base import Estimate, Evidence
from metrics.importance.log_weight_metric import LogWeightMetric, weights
from targets.base import Target


@dataclass(frozen=True)
class EssForward(LogWeightMetric):
    r"""1 - the forward effective sample size, over exact points of the target.

        1 - 1 / (E_p[w] E_p[1/w]),   w = p~(x) / q(x)

    since 1 / E_q[(w / Z)^2] = Z / E_p[w] and E_p[1/w] = 1 / Z. Papers print the effective size
    itself, the part shown next to it. No standard error: one weight can carry the mean.
    """

    name = "ess_forward"
    title = "1 - forward ESS"
    insensitive_to = "how much mass q puts where p has none"
    citation = "D. Blessing et al., Beyond ELBOs, ICML 2024, section 4; L. Midgley et al. 2023"
    part = "at_target"

    def applies_with_weights(self, target: Target) -> bool:
        """Anywhere: log Z cancels."""
        return True

    def estimate(self, x: Tensor, evidence: Evidence) -> Estimate:
        """A share, from 0 to 1."""
        log_w = weights(evidence, "at_target")
        size = float((-log_mean_exp(log_w) - log_mean_exp(-log_w)).exp())
        return Estimate(1.0 - size, None, (size,))
