"""Mass between the modes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from metrics.base import Estimate, Evidence, Metric
from metrics.estimates import checked, estimate
from targets.base import Target


@dataclass(frozen=True)
class BetweenMass(Metric):
    r"""Share of samples beyond ``radius`` standard deviations of every mode's centre.

        1/n sum_i 1[ min_k |S_k^(-1/2) (x_i - m_k)| > radius ]

    Centres m_k and covariances S_k are the target's (``mode_distance``); no reference is used. It
    is the share itself: what exact samples have is not taken off. For modes that stand apart that
    is the chi tail, P(chi_d > 4): 6.3e-5 in one dimension, 3.4e-4 in two, .0032 in four, .10 in
    ten and .99 in 32, so beyond a few dimensions compare it with its floor, or give ``radius``.
    Standard error: binomial; none where no sample or every sample lies outside.
    """

    name = "between_mass"
    title = "Mass between modes"
    needs = ("modes",)
    default = False
    insensitive_to = ("everything inside the modes: their weights, a lost one, points that are "
                      "too close")
    citation = "our definition"

    radius: float = 4.0

    def applies(self, target: Target) -> bool:
        """Whether the target says how far a point is from its modes."""
        return super().applies(target) and target.has_mode_distance

    def estimate(self, x: Tensor, evidence: Evidence) -> Estimate:
        """A share of the samples, from 0 to 1."""
        distance = evidence.target.mode_distance(checked(x, evidence))
        if bool(torch.isnan(distance).any()):
            raise ValueError("the distance of some points to the modes is not a number")
        outside = distance > self.radius
        share = float(outside.double().mean())
        variance = share * (1.0 - share) / (len(x) - 1)
        return estimate(share, variance if variance > 0.0 else math.nan)
