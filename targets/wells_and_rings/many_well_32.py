"""Sixteen independent tilted double wells."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from targets.base import Truth
from targets.numerics.raw_moments import raw_moments
from targets.tempering import TemperedFamily
from targets.wells_and_rings.double_well_fab import DoubleWellFab

_PAIRS = 16


def _right(i: int, truth: float) -> Truth:
    """The share of pair i in its right well."""
    return Truth(f"x{2 * i}>0", lambda x: (x[:, 2 * i] > 0).double(), truth)


class ManyWell32(TemperedFamily):
    """FAB's many well: sixteen copies of ``double_well_fab`` in 32 dimensions.

    log p(x) = sum over pairs (a, b) = (x_2i, x_2i+1), i = 0 ... 15, of
    -a^4 + 6 a^2 + a / 2 - b^2 / 2; not normalised. The integral of exp over one a is 11784.51,
    hence log Z = 16 (log 11784.51 + log(2 pi) / 2) = 164.6957, by quadrature.

    From FAB (arXiv 2208.01893; lollcat/fab-torch), where the exponent is that of two dimensions
    repeated.

    The 2^16 modes, a left or a right well in every pair, are too many to count, so no modes are
    declared and metrics of modes do not apply. Each pair must hold 0.844 in its right well: these
    sixteen shares are stated as truths, and ``mean_error`` detects them, since a share alone moves
    the mean of its coordinate.

    Scale: the root mean square coordinate, 1.41, to the nearest half.

    Useful because log Z is known in a space where no sampler visits all modes: a sampler must
    learn that the wells of different pairs are independent.
    """

    name = "many_well_32"
    citation = "arXiv 2208.01893 (FAB); lollcat/fab-torch, ManyWellEnergy"

    dim = 2 * _PAIRS
    scale = 1.5
    has_reference = True
    reference_note = "exact: sixteen exact draws of double_well_fab a point"

    def __init__(self) -> None:
        self._set_temperature(1.0)

    def _set_temperature(self, tau: float) -> None:
        self._tau = tau
        pair = DoubleWellFab().tempered(tau)
        assert pair.log_z is not None and pair.mode_weights is not None
        self._pair = pair.to(self.device, self.dtype)
        self.log_z = _PAIRS * pair.log_z
        self._share = float(pair.mode_weights[1])

    def log_prob(self, x: Tensor) -> Tensor:
        """The sum over pairs: (n, 32) -> (n,)."""
        return self._pair.log_prob(x.reshape(-1, 2)).reshape(-1, _PAIRS).sum(1)

    def score(self, x: Tensor) -> Tensor:
        """Pair by pair: (n, 32) -> (n, 32)."""
        return self._pair.score(x.reshape(-1, 2)).reshape(-1, self.dim)

    def hvp(self, x: Tensor, v: Tensor) -> Tensor:
        """The Hessian is that of the pairs, block by block (n, 32) each."""
        return self._pair.hvp(x.reshape(-1, 2), v.reshape(-1, 2)).reshape(-1, self.dim)

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """n independent points, shape (n, 32)."""
        return self._pair.sample(_PAIRS * n, rng).reshape(n, self.dim)

    def truths(self) -> tuple[Truth, ...]:
        """Raw moments, by quadrature along one pair, and the share of each pair's right well."""
        value = {truth.name: truth.value for truth in self._pair.truths()}
        first = np.tile([value["x0"], value["x1"]], _PAIRS)
        second = np.outer(first, first)
        np.fill_diagonal(second, np.tile([value["x0^2"], value["x1^2"]], _PAIRS))
        return (*raw_moments(first, second), *(_right(i, self._share) for i in range(_PAIRS)))

    def view(self) -> tuple[float, float, float, float]:
        """The first pair."""
        return self._pair.view()
