"""Sliced Wasserstein-2 distance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from metrics.base import Estimate, Evidence, Metric
from metrics.estimates import checked, exceeds_single_precision, root_estimate
from metrics.evidence import of_reference


def directions(evidence: Evidence, count: int) -> Tensor:
    """``count`` uniform unit vectors, the same for all samples of one evidence, (dim, count)."""
    dim = evidence.target.dim
    raw = torch.randn(dim, count, generator=evidence.generator(), dtype=torch.float64)
    return raw / raw.norm(dim=0)


def _sort(values: Tensor) -> tuple[Tensor, Tensor]:
    """Values in order along dim 1, and the order; NumPy sorts faster than torch on a CPU."""
    if values.device.type != "cpu":
        ordered, order = values.sort(dim=1)
        return ordered, order
    order = torch.from_numpy(np.argsort(values.numpy(), axis=1))
    return values.gather(1, order), order


def _potential(u: Tensor, gap: Tensor, order: Tensor) -> Tensor:
    """Mean over directions of the dual potential at each point, shape (n,).

    Along a direction the potential's slope at the i-th smallest point is twice its gap to the
    i-th smallest point of the other set; trapezoids sum it up. ``u``, ``gap`` and ``order`` have
    shape (directions, n).
    """
    steps = (u[:, 1:] - u[:, :-1]) * (gap[:, 1:] + gap[:, :-1])
    potential = torch.zeros_like(u)
    torch.cumsum(steps, dim=1, out=potential[:, 1:])
    potential -= potential.mean(dim=1, keepdim=True)
    return torch.empty_like(potential).scatter_(1, order, potential).mean(dim=0).double()


@dataclass(frozen=True)
class SlicedW2(Metric):
    r"""Sliced Wasserstein-2 distance over random directions.

        SW2^2 = mean over directions t of  mean_i ((t.x)_(i) - (t.y)_(i))^2

    (i) the i-th smallest; ``projections`` directions drawn from the evidence's seed, so that all
    samplers of a seed are looked at along the same ones. The value of two finite sets is above
    that of their distributions. Standard error: the variance of the dual potentials, averaged over
    directions, then the delta method; it leaves out the choice of directions.
    """

    name = "sliced_w2"
    title = "Sliced W2"
    insensitive_to = "in few directions of a high dimension: structure that most projections blur"
    citation = ("Bonneel, Rabin, Peyre, Pfister (2015), Sliced and Radon Wasserstein "
                "barycenters; Manole, Balakrishnan, Wasserman (2022), the limit distribution")

    projections: int = 100

    def _sorted(self, x: Tensor, evidence: Evidence) -> tuple[Tensor, Tensor]:
        along = directions(evidence, self.projections).to(x)
        return _sort(along.T @ x.T)

    def estimate(self, x: Tensor, evidence: Evidence) -> Estimate:
        """SW2, in units of the target; in d dimensions at most W2 / sqrt(d)."""
        x = checked(x, evidence)
        n = len(x)
        y = evidence.first(n)
        if exceeds_single_precision(x, y):
            x, y = x.double(), y.double()
        v, at_v = of_reference(evidence, f"sliced/{self.projections}/{n}/{y.dtype}",
                               lambda: self._sorted(y, evidence))
        u, at_u = self._sorted(x, evidence)
        gap = u - v
        square = float(gap.square().mean(dim=1).double().mean())
        variance = float(_potential(u, gap, at_u).var() + _potential(v, -gap, at_v).var()) / n
        return root_estimate(square, variance)
