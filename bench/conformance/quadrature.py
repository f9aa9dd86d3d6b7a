"""A density on a fine grid on a line or in the plane, and how far samples lie from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from targets.base import Target


@dataclass(frozen=True)
class Chart:
    """Coordinates in which a density is tame enough for an even grid: x = of(u)."""

    of: Callable[[Tensor], Tensor]
    inverse: Callable[[Tensor], Tensor]
    log_volume: Callable[[Tensor], Tensor]


PLAIN = Chart(lambda u: u, lambda x: x, lambda u: torch.zeros(len(u), dtype=u.dtype))


@dataclass(frozen=True)
class Grid:
    """Midpoints x (m, dim) with masses exp(log_prob) dx, and the block each lies in."""

    x: Tensor
    mass: Tensor
    area: float
    block: Tensor
    blocks_of: Callable[[Tensor], Tensor]


def make_grid(target: Target, points: Tensor, chart: Chart = PLAIN, reach: float = 0.6,
              side: int = 800, blocks: int = 40) -> Grid:
    """The density by midpoints over a window that holds all but about 1e-8 of the mass.

    The window reaches beyond the exact ``points``, (n, dim), by ``reach`` of their ranges. In one
    dimension there are as many midpoints and blocks as in the plane. Midpoints that hold nothing
    to speak of are left out.
    """
    seen = chart.inverse(points)
    low, high = seen.amin(0), seen.amax(0)
    low, high = low - reach * (high - low), high + reach * (high - low)
    if target.dim == 1:
        side, blocks = side**2, blocks**2
    width = (high - low) / side
    t = torch.arange(side, dtype=torch.float64) + 0.5
    axes = [low[i] + width[i] * t for i in range(target.dim)]
    u = torch.cartesian_prod(*axes).reshape(-1, target.dim)
    x = chart.of(u)
    log_prob = torch.cat([target.log_prob(part) for part in x.split(1 << 15)])
    mass = (log_prob + chart.log_volume(u)).exp() * width.prod()
    held = mass > 1e-20 * mass.max()
    x, mass = x[held], mass[held]

    def blocks_of(y: Tensor) -> Tensor:
        cell = ((chart.inverse(y) - low) / (high - low) * blocks).floor().long()
        return cell[:, 0] if target.dim == 1 else cell[:, 0] * blocks + cell[:, 1]

    return Grid(x, mass, float(width.prod()), blocks_of(x), blocks_of)


def z_score(values: Tensor, expected: float) -> float:
    """How many standard errors the mean of independent values lies from what is expected."""
    return float((values.mean() - expected) / values.std() * len(values) ** 0.5)


def chi_square_z(counts: Tensor, mass: Tensor) -> float:
    """Pearson's statistic of counts against masses in standard deviations; thin cells pooled."""
    expected = mass / mass.sum() * counts.sum()
    full = expected >= 10
    seen = torch.cat([counts[full], counts[~full].sum()[None]]).double()
    meant = torch.cat([expected[full], expected[~full].sum()[None]])
    keep = meant > 1
    freedom = int(keep.sum()) - 1
    statistic = ((seen - meant)[keep] ** 2 / meant[keep]).sum()
    return float((statistic - freedom) / (2 * freedom) ** 0.5)
