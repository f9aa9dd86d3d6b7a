"""Mixtures of bent Gaussians in the plane."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from bench.core.types import Array
from targets.mixtures.gaussian_mixture import Mixture


class BentMixture(Mixture):
    """A mixture of normals each bent into a parabola along its second axis; normalised.

    Component k is the distribution of x = m_k + A_k (z0, z1 + b_k (z0^2 - 1)) with z ~ N(0, I),
    that is of A_k^-1 (x - m_k) = (u0, u1) with z = (u0, u1 - b_k (u0^2 - 1)), whose Jacobian is 1.
    The mean stays m_k, and the covariance is A_k diag(1, 1 + 2 b_k^2) A_k'. With b = 0 it is a
    ``Mixture``.

    ``mode_distance`` is min_k |z_k|, along the bend, so that its distribution is as without one.

    A component to the power 1/tau is that of z ~ N(0, tau I), so tempering, moments and mode
    masses are ``Mixture``'s; at tau other than 1 the second moments are right to 1e-6, since the
    grid ends at |z| = 6.5 and the points are quadratic in z.
    """

    reference_note = "exact: a component drawn by its weight, then a bent normal draw"

    _bends: Tensor  # (K, 1)

    def __init__(self, weights: Array, means: Array, factors: Array, bends: Array,
                 scale: float) -> None:
        """Arrays of shape (K,), (K, 2), (K, 2, 2) for A, and (K,)."""
        vars(self).update(_bends=torch.tensor(bends[:, None].copy()))
        self._compose(weights, means, factors, scale)

    def _standard(self, x: Tensor) -> list[Tensor]:
        u0, u1 = super()._standard(x)
        return [u0, u1 - self._bends * (u0 * u0 - 1.0)]

    def _slopes(self, z: list[Tensor]) -> list[Tensor]:
        return [z[0] - 2.0 * self._bends * z[0] * z[1], z[1]]

    def _stiffness(self, x: Tensor, v: Tensor) -> list[Tensor]:
        z0, z1 = self._standard(x)
        a0, a1 = self._whitened(v.T.contiguous().unbind())
        d1 = a1 - 2.0 * self._bends * z0 * a0  # how z1 moves; z0 moves by a0
        return self._pulls([a0 - 2.0 * self._bends * (a0 * z1 + z0 * d1), d1])

    def placed(self, z: Tensor, k: Tensor | int) -> Tensor:
        """Standard normal z to points of bent component k, one for all or one each: (n, d)."""
        z0, z1 = z[:, 0], z[:, 1]
        return super().placed(torch.stack([z0, z1 + self._bends[k, 0] * (z0 * z0 - 1.0)], 1), k)

    def _covariance_factors(self) -> Tensor:
        second = (1.0 + 2.0 * self._bends**2).sqrt()
        return self._spread * torch.cat([torch.ones_like(second), second], 1)[:, None, :]

    def view(self) -> tuple[float, float, float, float]:
        """The box around each component's contour that holds all but e^-8 = 3e-4 of it."""
        angle = torch.arange(360, device=self.device, dtype=self.dtype) * (math.pi / 180.0)
        ring = 4.0 * torch.stack([angle.cos(), angle.sin()], 1)
        x = torch.cat([self.placed(ring, k) for k in range(len(self._bends))])
        (left, bottom), (right, top) = x.amin(0).tolist(), x.amax(0).tolist()
        return (left, right, bottom, top)
