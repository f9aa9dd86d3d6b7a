"""Error of the total variance."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from torch import Tensor

from metrics.base import Estimate, Evidence, Metric
from metrics.estimates import checked, estimate
from metrics.moments.known_moments import knows, mean_names, moments, product_name
from targets.base import Target


@dataclass(frozen=True)
class CovTrace(Metric):
    r"""Relative error of the trace of the covariance, | tr C_x / tr C_p - 1 |.

    C_x = sum_i (x_i - mean)(x_i - mean)' / (n - 1); tr C_p from the truths x0, x0^2, x1, ..., not
    from the reference. The value has no sign, so that too little never ranks above just right;
    ``parts`` holds the signed error, unbiased at q = p: below zero where tails or far modes are
    lost, above where there is a halo. Over seeds, average the signed one. Standard error (of the
    signed one) by the delta method, that of the square truths included.

    Its noise is that of second moments: for exact sets of 5,000 points a standard deviation of
    .038 on banana, .035 on rosenbrock and at most .016 on the other committed targets (300 sets,
    some 20), but .57 on funnel, where few sets hold a point of the tail that decides, and the
    standard error knows nothing of it; see ``cov_trace_central``.
    """

    name = "cov_trace"
    title = "Covariance trace, relative error"
    needs = ("truths",)
    default = False
    insensitive_to = ("everything but the total variance: too wide one way and too narrow another "
                      "cancel")
    citation = "our definition"

    def applies(self, target: Target) -> bool:
        """Whether the target states the truths x0, x0^2, x1, x1^2, ..."""
        squares = [product_name(i, i) for i in range(target.dim)]
        return knows(target, mean_names(target.dim) + squares)

    def estimate(self, x: Tensor, evidence: Evidence) -> Estimate:
        """A relative error, 0 or more; in ``parts`` with its sign."""
        points = checked(x, evidence).double().cpu()
        truth = moments(evidence)
        trace = float(truth.cov.trace())
        apart = (points - points.mean(0)).square().sum(1)
        ratio = float(apart.sum()) / (len(points) - 1) / trace
        relative = math.sqrt(float(truth.cov_se.diagonal().square().sum())) / trace
        variance = float(apart.var()) / len(points) / trace**2 + (ratio * relative) ** 2
        return replace(estimate(abs(ratio - 1.0), variance), parts=(ratio - 1.0,))
