"""Error of the covariance."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from metrics.base import Estimate, Evidence, Metric
from metrics.estimates import checked, estimate
from metrics.moments.known_moments import knows, mean_names, moments, product_names
from targets.base import Target


@dataclass(frozen=True)
class CovError(Metric):
    r"""Frobenius distance of the samples' covariance from the target's, | C_x - C_p |_F.

    C_x = sum_i (x_i - mean)(x_i - mean)' / (n - 1); C_p from the truths x0, x0^2, x0*x1, ..., not
    from the reference. Standard error by the delta method along the direction of the error, the
    standard error of the product truths included.
    """

    name = "cov_error"
    title = "Covariance error"
    needs = ("truths",)
    insensitive_to = ("everything but second moments about the samples' own mean: a shift, or "
                      "which mode")
    citation = "drifting (arXiv 2603.17579), table 1"

    def applies(self, target: Target) -> bool:
        """Whether the target states the truths x0, x0^2, x0*x1, ..."""
        return knows(target, mean_names(target.dim) + product_names(target.dim))

    def estimate(self, x: Tensor, evidence: Evidence) -> Estimate:
        """Frobenius norm of the difference, in squared units of the target."""
        points = checked(x, evidence).double().cpu()
        truth = moments(evidence)
        centred = points - points.mean(0)
        error = centred.T @ centred / (len(points) - 1) - truth.cov
        norm = float(error.norm())
        if norm == 0.0:
            return Estimate(0.0)
        along = error / norm
        influence = ((centred @ along) * centred).sum(1)
        variance = float(influence.var()) / len(points)
        return estimate(norm, variance + float((along * truth.cov_se).square().sum()))
