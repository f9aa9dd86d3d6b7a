"""Chi-square statistic of the mode counts."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from metrics.base import Estimate, Evidence, Metric
from metrics.estimates import checked
from metrics.evidence import mode_shares


@dataclass(frozen=True)
class ModeChi2(Metric):
    r"""Pearson's statistic of the mode counts against the true weights; ``parts`` are the counts.

        X^2 = sum_k (c_k - n w_k)^2 / (n w_k),   c_k the number of samples in mode k

    The true weights come from the target: they are the masses of the cells that ``mode_of`` cuts,
    and a cell of mass zero is left out. Independent exact samples have the chi-square distribution
    with one degree of freedom less than there are cells, up to rounding of the counts: that is the
    floor. It grows with n where the weights are wrong, so values at different n do not compare
    (``mode_tv`` does). Standard error: off the null the variance is 4 n sum_k f_k g_k^2 with g_k =
    f_k / w_k - mean (delta method, f the shares); its bias under the null, 2 (cells - 1), is taken
    off, and the variance of the null distribution, also 2 (cells - 1), is the least it may be.
    """

    name = "mode_chi2"
    title = "Mode-count χ²"
    needs = ("modes",)
    insensitive_to = ("everything inside a mode: each may be a point; and any sampler's points "
                      "that repel")
    citation = "Pearson (1900), Philosophical Magazine 50"

    def estimate(self, x: Tensor, evidence: Evidence) -> Estimate:
        """The statistic, without unit, and the counts of all modes in their order."""
        shares, weights = mode_shares(checked(x, evidence), evidence)
        n = len(x)
        counts = tuple(float(count) for count in (n * shares).round())
        cells = weights > 0
        f, w = shares[cells], weights[cells]
        value = n * float(((f - w).square() / w).sum())
        slope = f / w - float((f * f / w).sum())
        null = 2.0 * (len(w) - 1)
        variance = max(4.0 * n * float((f * slope.square()).sum()) - null, null)
        return Estimate(value, math.sqrt(variance), counts)
