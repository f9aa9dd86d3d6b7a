"""Squared distances between two sets of points."""

from __future__ import annotations

import torch
from torch import Tensor

#: Up to this dimension distances are summed coordinate by coordinate, which is quicker than cdist.
FEW = 6


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """|x_i - y_j|^2: (n, dim), (m, dim) -> (n, m), differentiable in both.

    From differences, so that nothing cancels far from the origin and copies are exactly 0 apart.
    """
    if x.shape[1] > FEW:
        return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist").square()
    total = _squared(x[:, :1] - y[:, 0])
    for i in range(1, x.shape[1]):
        total += _squared(x[:, i:i + 1] - y[:, i])
    return total


def _squared(gap: Tensor) -> Tensor:
    """In place where no gradient is wanted: this stands in the innermost loop of some samplers."""
    return gap.square() if gap.requires_grad else gap.square_()
