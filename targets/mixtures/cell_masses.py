"""Masses of the cells of a mixture, by a grid on each component."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from bench.core.types import Array
from targets.numerics.quadrature import normal_cells, normal_line


class Components(Protocol):
    """What of a mixture of K normal components (``gaussian_mixture.Mixture``) is used here."""

    dim: int

    @property
    def weights(self) -> Tensor:
        """w_k, shape (K,)."""

    @property
    def peaks(self) -> Tensor:
        """The largest log-density of each component, w_k included, shape (K,)."""

    def placed(self, z: Tensor, k: Tensor | int) -> Tensor:
        """Standard normal z to points of component k: (n, d)."""

    def components(self, x: Tensor) -> Tensor:
        """log of w_k times the density of component k, shape (K, n)."""

    def mode_of(self, x: Tensor) -> Tensor:
        """The component of largest responsibility: (n, d) -> (n,)."""


def tempered_log_masses(mixture: Components, c: float) -> Tensor:
    """log of the integral of (w_k times the density of component k)^c, shape (K,)."""
    return mixture.weights.log() - (1.0 - c) * mixture.peaks - 0.5 * mixture.dim * math.log(c)


def power_cells(mixture: Components, c: float) -> tuple[Array, Array]:
    """Points (M, d) and masses (M,) of p^c for a mixture, d <= 2, on the CPU in float64."""
    z, normal = (normal_line() if mixture.dim == 1
                 else normal_cells(0.04 if len(mixture.weights) <= 10 else 0.1))
    masses = np.exp(tempered_log_masses(mixture, c).numpy())
    spots = torch.from_numpy(z / math.sqrt(c))
    points, mass = [], []
    for k in range(len(masses)):
        x = mixture.placed(spots, k).numpy()
        points.append(x)
        mass.append(masses[k] * normal * (1.0 if c == 1.0 else _ratio(mixture, x, c)))
    return np.concatenate(points), np.concatenate(mass)


def _ratio(mixture: Components, x: Array, c: float) -> Array:
    """(sum a)^c / sum a^c at each row of x, shape (n,)."""
    terms = mixture.components(torch.from_numpy(x)).numpy()
    terms = terms - terms.max(axis=0)
    value: Array = np.exp(terms).sum(axis=0) ** c / np.exp(c * terms).sum(axis=0)
    return value


def mode_masses(mixture: Components, points: Array, mass: Array) -> Tensor:
    """Mass of each mode's cell, shape (K,), normalised."""
    chunks = torch.from_numpy(points).split(1 << 16)
    owner = torch.cat([mixture.mode_of(chunk) for chunk in chunks]).numpy()
    found = np.bincount(owner, weights=mass, minlength=len(mixture.weights))
    return torch.from_numpy(found / found.sum())
