"""What weighting the sampler's own draws would waste."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from bench.core.log_weights import effective_size, normalised
from metrics.base import Estimate, Evidence
from metrics.importance.log_weight_metric import LogWeightMetric, weights
from targets.base import Target


@dataclass(frozen=True)
class EssReverse(LogWeightMetric):
    r"""Share of the draws that weighting would waste: 1 - the reverse effective sample size.

        1 - (sum_i w_i)^2 / (n sum_i w_i^2),   w = p~(x) / q(x), x ~ q

    Papers print the effective size itself, the part shown next to it. The estimate is never above
    1 - 1/n and too small where large weights are rare. No standard error: none is honest there.
    """

    name = "ess_reverse"
    title = "1 - reverse ESS"
    insensitive_to = "modes of p that q never visits: weights inside the others stay even"
    citation = "D. Blessing et al., Beyond ELBOs, ICML 2024, section 4"

    def applies_with_weights(self, target: Target) -> bool:
        """Anywhere: log Z cancels."""
        return True

    def estimate(self, x: Tensor, evidence: Evidence) -> Estimate:
        """A share, from 0 to 1."""
        log_w = weights(evidence, "at_draws")
        size = float(effective_size(normalised(log_w))) / len(log_w)
        return Estimate(1.0 - size, None, (size,))
