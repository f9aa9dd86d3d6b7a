"""What the evidence upper bound leaves."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from metrics.base import Estimate, Evidence
from metrics.importance.log_weight_metric import LogWeightMetric, known_log_z, weights


@dataclass(frozen=True)
class Eubo(LogWeightMetric):
    r"""Gap of the evidence upper bound: EUBO - log Z, zero where q is p, never negative in truth.

        EUBO - log Z = E_p[log w] - log Z = KL(p || q),   w = p~(x) / q(x)

    over exact points of the target, so it detects the modes that q never visits. Papers print EUBO
    itself, the part shown next to it. Of samplers whose distribution is one of paths it is over
    paths drawn backward from exact points. Standard error: over independent points.
    """

    name = "eubo"
    title = "EUBO - log Z"
    insensitive_to = "how much mass q puts where p has none"
    citation = "D. Blessing et al., Beyond ELBOs, ICML 2024, section 4"
    part = "at_target"

    def estimate(self, x: Tensor, evidence: Evidence) -> Estimate:
        """A divergence, in nats."""
        log_w = weights(evidence, "at_target")
        eubo = float(log_w.mean())
        return Estimate(eubo - known_log_z(evidence), float(log_w.std()) / math.sqrt(len(log_w)),
                        (eubo,))
