"""Error of the mean."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from metrics.base import Estimate, Evidence, Metric
from metrics.estimates import checked, estimate
from metrics.moments.known_moments import knows, mean_names, moments
from targets.base import Target


@dataclass(frozen=True)
class MeanError(Metric):
    r"""Euclidean distance of the samples' mean from the target's, | mean_i x_i - E_p[x] |.

    The target's mean comes from its truths, x0, x1, ..., not from the reference. Standard error by
    the delta method along the direction of the error, the standard error of the truths included.
    """

    name = "mean_error"
    title = "Mean error"
    needs = ("truths",)
    insensitive_to = "everything but the mean: a symmetric target forgives a lost pair of modes"
    citation = "drifting (arXiv 2603.17579), table 1"

    def applies(self, target: Target) -> bool:
        """Whether the target states the truths x0, x1, ..."""
        return knows(target, mean_names(target.dim))

    def estimate(self, x: Tensor, evidence: Evidence) -> Estimate:
        """Distance of the means, in units of the target."""
        points = checked(x, evidence).double().cpu()
        truth = moments(evidence)
        error = points.mean(0) - truth.mean
        norm = float(error.norm())
        if norm == 0.0:
            return Estimate(0.0)
        along = error / norm
        variance = float((points @ along).var()) / len(points)
        return estimate(norm, variance + float((along * truth.mean_se).square().sum()))
