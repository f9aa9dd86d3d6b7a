"""Error of the sampler's own estimate of log Z."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from bench.core.log_weights import LogWeights, log_z_with_error
from metrics.base import Estimate, Evidence
from metrics.importance.log_weight_metric import LogWeightMetric, known_log_z, weights


@dataclass(frozen=True)
class LogZError(LogWeightMetric):
    r"""Distance of the sampler's estimate of log Z from the truth.

        | log Z^ - log Z |,   log Z^ = log (1/n sum_i w_i),   w = p~(x) / q(x), x ~ q

    or the sampler's own estimate where it has a better one (nested sampling, annealed particles).
    The part shown next to it is log Z^ itself. By Jensen's inequality log Z^ lies below log Z in
    the mean. Standard error: the sampler's, or by the delta method over independent weights.
    """

    name = "log_z_error"
    title = "log Z error"
    insensitive_to = ("modes of p that q never visits: their mass is missing from the weights, "
                      "and their standard error, as well")
    citation = "R. Neal, Annealed importance sampling, Statistics and Computing 11 (2001)"
    exempt = {"standard_errors_are_honest": "the standard error is that of log Z, and the value "
                                            "its absolute error, which spreads less near zero"}

    def answered(self, log_weights: LogWeights | None) -> bool:
        """With an estimate of log Z, or with weights."""
        return log_weights is not None and (log_weights.log_z is not None
                                            or log_weights.at_draws is not None)

    def estimate(self, x: Tensor, evidence: Evidence) -> Estimate:
        """An absolute error, in nats."""
        assert evidence.log_weights is not None
        found, se = evidence.log_weights.log_z or log_z_with_error(
            weights(evidence, "at_draws"))
        return Estimate(abs(found - known_log_z(evidence)), se, (found,))
