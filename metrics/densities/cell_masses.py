"""Probabilities of the cells of an even grid, from a density whose log Z is known."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from targets.base import Target

_NODES = 4  # of a Gauss-Legendre rule, on each side of a box
_CLOSE = 1e-8  # a box is done where halving its sides moves its mass by less
_HALVINGS = 12
_CHUNK = 1 << 14  # boxes at once, to bound memory


class Boxes(NamedTuple):
    """Boxes of one size: lower corners (m, d), the cell each belongs to (m,), masses (m,)."""

    low: Tensor
    cell: Tensor
    mass: Tensor


def window(target: Target) -> tuple[Tensor, Tensor]:
    """Lower and upper corner of the target's view, (d,) each, float64; d is 1 or 2."""
    left, right, bottom, top = target.view()
    corners = torch.tensor([[left, bottom], [right, top]], dtype=torch.float64)
    return corners[0, :target.dim], corners[1, :target.dim]


@lru_cache(maxsize=8)
def cell_masses(target: Target, side: int) -> Tensor:
    """Masses of side^d cells over the view, the last coordinate fastest, and of all outside.

    Float64 on the CPU, (side^d + 1,). Adaptive: a box whose mass moves when its sides are halved
    is replaced by its halves, until it does not, so that a funnel's neck inside a single cell is
    found. Kept for the latest targets, which are the same objects from draw to draw.
    """
    home = target.to("cpu", torch.float64)
    low, high = window(home)
    size = (high - low) / side
    corners = torch.cartesian_prod(*[torch.arange(side, dtype=torch.float64)] * home.dim)
    corners = low + size * corners.reshape(-1, home.dim)
    cells = len(corners)
    found = torch.zeros(cells + 1, dtype=torch.float64)
    boxes = Boxes(corners, torch.arange(cells), _masses(home, corners, size))
    for _ in range(_HALVINGS):
        if len(boxes.cell) == 0:
            break
        size = size / 2.0
        boxes, done = _halved(home, boxes, size)
        found.index_add_(0, done.cell, done.mass)
    found.index_add_(0, boxes.cell, boxes.mass)
    inside = float(found.sum())
    if not inside < 1.0 + 1e-6:
        raise ValueError(f"the density integrates to {inside:.7g} over its window, more than 1: "
                         "the target's log_z does not belong to its log_prob")
    found[-1] = max(0.0, 1.0 - inside)
    return found


def _halved(target: Target, boxes: Boxes, size: Tensor) -> tuple[Boxes, Boxes]:
    """Halves of the given boxes that must be halved again, and those that need not be."""
    dim = target.dim
    steps = torch.cartesian_prod(*[torch.arange(2, dtype=torch.float64)] * dim).reshape(-1, dim)
    low = (boxes.low[:, None] + steps * size).reshape(-1, dim)
    halves = Boxes(low, boxes.cell.repeat_interleave(len(steps)), _masses(target, low, size))
    change = halves.mass.reshape(-1, len(steps)).sum(1) - boxes.mass
    open_ = (change.abs() > _CLOSE).repeat_interleave(len(steps))
    return Boxes(*(part[open_] for part in halves)), Boxes(*(part[~open_] for part in halves))


def _masses(target: Target, low: Tensor, size: Tensor) -> Tensor:
    """Masses of boxes with these lower corners (m, d) and sides (d,), by the product rule."""
    t, w = (torch.from_numpy(part) for part in np.polynomial.legendre.leggauss(_NODES))
    dim = target.dim
    nodes = torch.cartesian_prod(*[0.5 * (t + 1.0)] * dim).reshape(-1, dim) * size
    weights = torch.cartesian_prod(*[0.5 * w] * dim).reshape(-1, dim).prod(1) * size.prod()
    log_z = target.log_z if target.log_z is not None else math.nan
    masses = [(target.log_prob((part[:, None] + nodes).reshape(-1, dim)) - log_z)
              .exp().reshape(len(part), -1) @ weights for part in low.split(_CHUNK)]
    return torch.cat(masses)
