"""Truths that every target states: the raw first and second moments."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from targets.base import Truth


def _product(i: int, j: int) -> Callable[[Tensor], Tensor]:
    return lambda x: x[:, i] * x[:, j]


def _coordinate(i: int) -> Callable[[Tensor], Tensor]:
    return lambda x: x[:, i]


def raw_moments(first: NDArray[np.float64], second: NDArray[np.float64]) -> tuple[Truth, ...]:
    """Truths E[x_i], E[x_i^2] and E[x_i x_j], i < j, known without error.

    ``first`` is E[x], shape (d,); ``second`` is E[x x'], shape (d, d). The names are ``x0``,
    ``x0^2`` and ``x0*x1``.
    """
    axes = range(len(first))
    return (
        *(Truth(f"x{i}", _coordinate(i), float(first[i])) for i in axes),
        *(Truth(f"x{i}^2", _product(i, i), float(second[i, i])) for i in axes),
        *(Truth(f"x{i}*x{j}", _product(i, j), float(second[i, j]))
          for i, j in combinations(axes, 2)),
    )
