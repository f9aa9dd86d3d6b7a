"""What the evidence lower bound leaves."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from metrics.base import Estimate, Evidence
from metrics.importance.log_weight_metric import LogWeightMetric, known_log_z, weights


@dataclass(frozen=True)
class Elbo(LogWeightMetric):
    r"""Gap of the evidence lower bound: log Z - ELBO, zero where q is p, never negative in truth.

        log Z - ELBO = log Z - E_q[log w] = KL(q || p),   w = p~(x) / q(x)

    Papers print ELBO itself, the part shown next to it. Of samplers whose distribution is one of
    paths it is the divergence of the distributions of paths, so an upper bound on that of points.
    Standard error: over independent draws.
    """

    name = "elbo"
    title = "log Z - ELBO"
    insensitive_to = ("modes of p that q never visits: a q on one of K equal modes has a gap of "
                      "log K only")
    citation = "D. Blessing et al., Beyond ELBOs, ICML 2024, section 4"

    def estimate(self, x: Tensor, evidence: Evidence) -> Estimate:
        """A divergence, in nats."""
        log_w = weights(evidence, "at_draws")
        elbo = float(log_w.mean())
        if math.isinf(elbo):
            raise ValueError(f"{int((log_w == -math.inf).sum())} of {len(log_w)} draws lie where "
                             "the density is zero: the bound is infinite")
        return Estimate(known_log_z(evidence) - elbo, float(log_w.std()) / math.sqrt(len(log_w)),
                        (elbo,))
