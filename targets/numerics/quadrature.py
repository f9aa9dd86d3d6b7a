"""Quadrature rules, in numpy and float64.

Numpy, because the first call of a transcendental function in a process can be imprecise in torch,
and these numbers become constants.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def interval(low: float, high: float, nodes: int = 200) -> tuple[Array, Array]:
    """Gauss-Legendre nodes and weights on [low, high], each of shape (nodes,)."""
    t, w = np.polynomial.legendre.leggauss(nodes)
    half = 0.5 * (high - low)
    return low + half * (t + 1.0), half * w


def normal_plane(nodes: int = 80) -> tuple[Array, Array]:
    """Gauss-Hermite rule for two independent standard normals: (nodes^2, 2) and (nodes^2,).

    The weights sum to 1. Polynomials of degree below 2 * nodes are integrated exactly.
    """
    t, w = np.polynomial.hermite_e.hermegauss(nodes)
    w = w / w.sum()
    points = np.stack(np.meshgrid(t, t, indexing="ij"), axis=-1).reshape(-1, 2)
    return points, np.outer(w, w).ravel()


def normal_line(step: float = 1e-4, reach: float = 6.5) -> tuple[Array, Array]:
    """Midpoints of cells of one axis with normal weights summing to 1: (M, 1) and (M,).

    For integrands with jumps: a jump inside a cell errs by at most half the cell's weight, 2e-5.
    """
    t = np.arange(-reach + 0.5 * step, reach, step)
    w = np.exp(-0.5 * t * t)
    return t[:, None], w / w.sum()


def normal_cells(step: float = 0.1, reach: float = 6.5) -> tuple[Array, Array]:
    """Midpoints of a square grid inside the disc |z| < reach, with normal weights summing to 1.

    For smooth integrands as good as any rule; for indicator functions, whose error is that of the
    cells cut by the boundary, better than a Gauss rule with its few, uneven nodes. The grid is
    turned so that its slope is the golden ratio: a straight boundary along an axis or a diagonal
    then cuts its cells evenly instead of a whole column alike.
    """
    t = np.arange(-reach + 0.5 * step, reach, step)
    points = np.stack(np.meshgrid(t, t, indexing="ij"), axis=-1).reshape(-1, 2)
    points = points[(points**2).sum(axis=1) < reach**2]
    w = np.exp(-0.5 * (points**2).sum(axis=1))
    angle = np.arctan(0.5 * (1.0 + np.sqrt(5.0)))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return points @ turn, w / w.sum()
