"""Targets whose reference is a committed pool of points from a verified long run.

``targets/posteriors/data/NAME.npz`` holds, as ``python -m bench.maintain references`` wrote it,

    pool                  float32, (m, d)    rows far apart in independent chains
    mean, mean_se         float64, (d,)      E[x] from the whole run, and its standard error
    second, second_se     float64, (d, d)    E[x x'] likewise
    fingerprint           float64            of the density, declared scale 1, that was run

It is read when the first point or truth is asked for, once a process.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from targets.base import Target, Truth
from targets.numerics.raw_moments import raw_moments
from targets.reference import distinct_rows

DATA = Path(__file__).resolve().parent / "data"


@dataclass(frozen=True)
class Stored:
    """What a file of ``targets/data`` says of a distribution; arrays as in the module's table."""

    pool: Tensor
    mean: NDArray[np.float64]
    mean_se: NDArray[np.float64]
    second: NDArray[np.float64]
    second_se: NDArray[np.float64]
    fingerprint: NDArray[np.float64]


@cache
def stored(name: str) -> Stored:
    """The committed reference of a target."""
    with np.load(DATA / f"{name}.npz", allow_pickle=False) as file:
        arrays = {key: file[key] for key in file.files}
    return Stored(torch.from_numpy(arrays.pop("pool")), **arrays)


class Pooled(Target):
    """A target that is sampled by rows of its committed pool, and states moments with errors."""

    has_reference = True
    reference_note = (
        "points without replacement of a pool of 10,000 from two long runs of Hamiltonian chains, "
        "checked against each other, Stein's identities and importance sampling; sets drawn "
        "apart share n/10,000 of their points")

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """n different rows of the pool in random order, shape (n, d)."""
        rows = distinct_rows(stored(self.name).pool, n, rng)
        return rows.to(self.device, self.dtype)

    def blocks(self, n: int, count: int, rng: torch.Generator) -> tuple[Tensor, ...]:
        """Sets that share no row of the pool."""
        return self.sample(n * count, rng).split(n)

    def truths(self) -> tuple[Truth, ...]:
        """E[x_i], E[x_i^2] and E[x_i x_j] from the whole run, with standard errors."""
        known = stored(self.name)
        values = raw_moments(known.mean, known.second)
        errors = raw_moments(known.mean_se, known.second_se)
        return tuple(replace(truth, se=error.value)
                     for truth, error in zip(values, errors, strict=True))

    def view(self) -> tuple[float, float, float, float]:
        """Four standard deviations about the mean of the first two coordinates."""
        known = stored(self.name)
        reach = 4.0 * np.sqrt(known.second.diagonal() - known.mean**2)[:2]
        (left, bottom), (right, top) = known.mean[:2] - reach, known.mean[:2] + reach
        return float(left), float(right), float(bottom), float(top)
