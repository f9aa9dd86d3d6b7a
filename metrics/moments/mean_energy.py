"""Error of the mean energy."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from metrics.base import Estimate, Evidence, Metric
from metrics.estimates import checked, estimate
from metrics.evidence import energies, inside


@dataclass(frozen=True)
class MeanEnergy(Metric):
    r"""| mean E(samples) - mean E(reference) |, E = -log p up to a constant.

    The drifting paper prints both means side by side; this is their distance. The reference has as
    many points as the samples. Standard error: both means.
    """

    name = "mean_energy"
    title = "Mean energy error"
    insensitive_to = ("where the samples lie as long as their energies are right on average: lost "
                      "modes, and too cold in one place against too hot in another")
    citation = "drifting (arXiv 2603.17579), table 1"

    def estimate(self, x: Tensor, evidence: Evidence) -> Estimate:
        """Distance of the means, in nats."""
        of_x, of_y = energies(inside(checked(x, evidence), evidence), evidence)
        variance = float(of_x.var() + of_y.var()) / len(x)
        return estimate(abs(float(of_x.mean() - of_y.mean())), variance)
