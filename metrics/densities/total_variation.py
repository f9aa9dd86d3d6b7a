"""Total variation between counts and shares of cells."""

from __future__ import annotations

import torch
from torch import Tensor


def total_variation(counts: Tensor, shares: Tensor) -> float:
    """1/2 sum_c |counts_c / n - shares_c|, both of shape (cells,), n the sum of the counts."""
    return 0.5 * float((counts / counts.sum() - shares).abs().sum())


def jackknife(counts: Tensor, shares: Tensor) -> float:
    """Variance of ``total_variation`` over independent points, the shares held fixed.

    The points of a cell are alike, so that leaving out each of n points takes one evaluation of
    every cell. Where most cells hold one point or none, the first-order rule (each point counts by
    the sign of its cell's difference) finds no variance, because all occupied cells have the same
    sign; leaving out a point empties its cell and is noticed.
    """
    n = counts.sum()
    with_it = (counts / (n - 1.0) - shares).abs()
    without = ((counts - 1.0) / (n - 1.0) - shares).abs()
    moved = 0.5 * (without - with_it)  # of the sum over cells, if a point of this cell goes
    weight = counts / n
    mean = (weight * moved).sum()
    return float((n - 1.0) * (weight * (moved - mean).square()).sum())


def cell_counts(index: Tensor, cells: int) -> Tensor:
    """How many of the points with these cell numbers, (n,), lie in each cell, float64 (cells,)."""
    return torch.bincount(index, minlength=cells).double().cpu()
