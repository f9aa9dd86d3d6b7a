"""Mixtures of Gaussians: density, score, Hessian, exact samples, and the same at a temperature."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.core.types import Array
from targets.base import Target, Tempered, Truth
from targets.mixtures.cell_masses import mode_masses, power_cells, tempered_log_masses
from targets.numerics.component_sums import Peaks, exponentials, products
from targets.numerics.raw_moments import raw_moments
from targets.numerics.rejection_sampling import accepted

Factors = NDArray[np.floating]  # as numpy types what it factorises

#: The least acceptance rate at which a tempered mixture is still sampled by rejection.
_LEAST_ACCEPTANCE = 1e-3


class Mixture(Target):
    """p(x) = sum_k w_k N(x; m_k, S_k), normalised, with a closed-form score and Hessian.

    Distances are taken coordinate by coordinate on (K, n) arrays of differences x - m_k: expanding
    |x|^2 - 2 x.m + |m|^2 would lose five digits in float32 at |x| = 60. Components come first so
    that sums over them run along whole rows of points.

    A point belongs to the mode whose component has the largest responsibility. ``mode_weights`` is
    the mass of that cell under p, not w_k: where components overlap the two differ, and a perfect
    sampler must score zero. In two dimensions the masses come from a midpoint grid (error, by
    refining the grid: 5e-5 on gmm40_fab, at worst 3e-4 over random mixtures 0-15), in one from a
    fine line (error below 2e-5 a boundary); in others they are the w_k. A single component has no
    modes.
    """

    has_reference = True
    has_mode_distance = True
    reference_note = "exact: a component drawn by its weight, then a normal draw"
    log_z = 0.0

    _weights: Tensor  # (K,)
    _offsets: Tensor  # (K, 1) log w_k - log normaliser of N(0, S_k)
    _centres: tuple[Tensor, ...]  # by coordinates, (K, 1) each
    _whiten: tuple[tuple[Tensor, ...], ...]  # by rows of W_k, what is not zero, (K, 1) each
    _spread: Tensor  # (K, d, d): factors A_k of S_k = A_k A_k', the inverses of W_k
    _columns: tuple[tuple[int, ...], ...]  # and where that stands; u = W_k (x - m_k) is standard
    _filled: tuple[tuple[int, ...], ...]  # the same for A

    def __init__(self, weights: Array, means: Array, covariances: Array, scale: float) -> None:
        """Arrays of shape (K,), (K, d), (K, d, d); the weights are normalised here."""
        self._compose(weights, means, np.linalg.cholesky(covariances), scale)

    def _compose(self, weights: Array, means: Array, spread: Factors, scale: float) -> None:
        """Set everything from the factors A_k, (K, d, d), in place of the covariances."""
        dim = means.shape[1]
        weights = weights / weights.sum()
        log_det = np.linalg.slogdet(spread)[1]
        whiten = np.linalg.inv(spread)
        # ``vars`` rather than assignment, so that a subclass may be a frozen dataclass
        vars(self).update(
            dim=dim, scale=float(scale),
            _weights=torch.tensor(weights),
            _offsets=_column(np.log(weights) - log_det - 0.5 * dim * math.log(2 * math.pi)),
            _centres=tuple(_column(means[:, i]) for i in range(dim)),
            _whiten=tuple(tuple(_column(whiten[:, j, i]) for i in row)
                          for j, row in enumerate(_filled_columns(whiten))),
            _spread=torch.tensor(spread),
            _columns=_filled_columns(whiten),
            _filled=_filled_columns(spread),
        )
        masses = torch.tensor(weights)
        if dim <= 2:
            points, mass = power_cells(self, 1.0)
            masses = mode_masses(self, points, mass)
        if len(weights) > 1:
            vars(self).update(mode_weights=masses)

    # ---- density -------------------------------------------------------------------------------

    def _gaps(self, x: Tensor) -> list[Tensor]:
        """x - m_k: a list over coordinates of (K, n)."""
        return [row - centre for row, centre in
                zip(x.T.contiguous().unbind(), self._centres, strict=True)]

    def _whitened(self, gaps: Sequence[Tensor]) -> list[Tensor]:
        """W_k times a vector given by coordinates, (K, n) or (n,): a list of (K, n)."""
        return [products([(w, gaps[i]) for w, i in zip(whiten, columns, strict=True)])
                for whiten, columns in zip(self._whiten, self._columns, strict=True)]

    def _pulls(self, u: list[Tensor]) -> list[Tensor]:
        """W_k' times a whitened vector; from u = W_k (x - m_k) this makes S_k^-1 (x - m_k)."""
        parts: list[list[tuple[Tensor, Tensor]]] = [[] for _ in u]
        for t, whiten, columns in zip(u, self._whiten, self._columns, strict=True):
            for w, i in zip(whiten, columns, strict=True):
                parts[i].append((w, t))
        return [products(pairs) for pairs in parts]

    def _standard(self, x: Tensor) -> list[Tensor]:
        """z, standard normal under the component: a list over coordinates of (K, n)."""
        return self._whitened(self._gaps(x))

    def _slopes(self, z: list[Tensor]) -> list[Tensor]:
        """Gradient of |z|^2 / 2 by the whitened coordinates u; here z = u."""
        return z

    def _stiffness(self, x: Tensor, v: Tensor) -> list[Tensor]:
        """Hessian of |z|^2 / 2 by x, times v: a list over coordinates of (K, n); S_k^-1 v here."""
        return self._pulls(self._whitened(v.T.contiguous().unbind()))

    def components(self, x: Tensor) -> Tensor:
        """log of w_k times the density of component k, shape (K, n)."""
        return self._terms(self._standard(x))

    def _terms(self, z: list[Tensor]) -> Tensor:
        return torch.sub(self._offsets, products([(t, t) for t in z]), alpha=0.5)

    def _shares(self, x: Tensor) -> tuple[Peaks, Tensor, list[Tensor]]:
        """What log p is made of, responsibilities (K, n), and gradients of |z|^2 / 2 by x."""
        z = self._standard(x)
        peaks, parts = exponentials(self._terms(z))
        return peaks, parts / peaks.total, self._pulls(self._slopes(z))

    def log_prob(self, x: Tensor) -> Tensor:
        """Normalised log-density: (n, d) -> (n,)."""
        return exponentials(self.components(x))[0].log_sum()

    def log_prob_and_score(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Both from the same responsibilities r_k: score = -sum_k r_k S_k^-1 (x - m_k)."""
        peaks, share, pulls = self._shares(x)
        return peaks.log_sum(), _mean_pull(share, pulls)

    def score(self, x: Tensor) -> Tensor:
        """Gradient of ``log_prob``: (n, d) -> (n, d)."""
        _, share, pulls = self._shares(x)
        return _mean_pull(share, pulls)

    def hvp(self, x: Tensor, v: Tensor) -> Tensor:
        """Hessian times v: Cov_r(S_k^-1 (x - m_k)) v - sum_k r_k S_k^-1 v, (n, d) each."""
        _, share, pulls = self._shares(x)
        centred = [pull - (share * pull).sum(0) for pull in pulls]
        along = share * products(list(zip(centred, v.T.contiguous().unbind(), strict=True)))
        return torch.stack([(along * c - share * s).sum(0)
                            for c, s in zip(centred, self._stiffness(x, v), strict=True)], 1)

    # ---- judging interface ----------------------------------------------------------------------

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """n independent points, shape (n, d)."""
        return self._draw(self._weights, 1.0, n, rng)

    def _draw(self, weights: Tensor, stretch: float, n: int, rng: torch.Generator) -> Tensor:
        """Points of sum_k weights_k N(m_k, stretch^2 S_k)."""
        chosen = torch.multinomial(weights, n, replacement=True, generator=rng)
        z = torch.randn(n, self.dim, generator=rng, device=self.device, dtype=self.dtype)
        return self.placed(stretch * z, chosen)

    def placed(self, z: Tensor, k: Tensor | int) -> Tensor:
        """Standard normal z to points of component k, one for all or one each: (n, d).

        Coordinate by coordinate over what is not zero, which a diagonal covariance keeps linear
        in d.
        """
        moved = [products([(self._spread[k, i, j], z[:, j]) for j in row])
                 for i, row in enumerate(self._filled)]
        return torch.stack([centre[k, 0] + move for centre, move in
                            zip(self._centres, moved, strict=True)], 1)

    @property
    def weights(self) -> Tensor:
        """w_k, shape (K,)."""
        return self._weights

    @property
    def peaks(self) -> Tensor:
        """The largest log-density of each component, w_k included, shape (K,)."""
        return self._offsets[:, 0]

    @property
    def means(self) -> Tensor:
        """m_k, shape (K, d)."""
        return torch.cat(self._centres, 1)

    def _covariance_factors(self) -> Tensor:
        """Matrices whose squares A A' are the covariances of the components, (K, d, d)."""
        return self._spread

    def mode_of(self, x: Tensor) -> Tensor:
        """The component of largest responsibility: (n, d) -> (n,)."""
        return self.components(x).argmax(0)

    def mode_distance(self, x: Tensor) -> Tensor:
        """min_k |z_k|, z_k standard normal under component k: (n, d) -> (n,)."""
        return products([(z, z) for z in self._standard(x)]).amin(0).sqrt()

    def truths(self) -> tuple[Truth, ...]:
        """Exact raw moments."""
        weights, means, spread = (t.double().cpu().numpy()
                                  for t in (self._weights, self.means, self._covariance_factors()))
        second = spread @ spread.transpose(0, 2, 1) + means[:, :, None] * means[:, None, :]
        return raw_moments(weights @ means, np.tensordot(weights, second, axes=1))

    def view(self) -> tuple[float, float, float, float]:
        """Four standard deviations around every centre; in one dimension the range, twice."""
        sizes = (self._covariance_factors()**2).sum(2).sqrt().T
        low = (self.means.T - 4 * sizes).amin(1).tolist()
        high = (self.means.T + 4 * sizes).amax(1).tolist()
        second = min(1, self.dim - 1)
        return (low[0], high[0], low[second], high[second])

    def tempered(self, temperature: float) -> Target:
        """p^(1/temperature) with an exact sampler, unless rejection would be hopeless."""
        if temperature == 1.0:
            return self
        plain = Tempered(self, temperature)
        hopeless = len(self._weights) ** min(0.0, 1.0 - 1.0 / temperature) < _LEAST_ACCEPTANCE
        if self.dim > 2 or hopeless:
            return plain
        return TemperedMixture(self, temperature)


class TemperedMixture(Tempered):
    """A mixture in one or two dimensions at a temperature tau, by rejection; with c = 1 / tau.

    For components a_k, each a_k^c is an unnormalised Gaussian of covariance tau S_k, and
    (sum a)^c <= max(1, K^(c-1)) sum a^c, by subadditivity for c < 1 and by Jensen for c > 1. Hence
    proposals from the mixture of the a_k^c. Log Z, moments and mode masses by a grid on each
    component, shared out by a_k^c / sum a^c, which makes every integrand smooth and local.
    """

    has_reference = True
    has_mode_distance = True
    reference_note = "exact: rejection from the mixture of tempered components"
    base: Mixture

    def __init__(self, base: Mixture, temperature: float) -> None:
        super().__init__(base, temperature)
        home = base.to("cpu", torch.float64)
        points, mass = power_cells(home, 1.0 / temperature)
        total = mass.sum()
        self.log_z = float(np.log(total))
        if base.mode_weights is not None:
            self.mode_weights = mode_masses(home, points, mass).to(self.device, self.dtype)
        self._first = mass @ points / total
        self._second = (points * mass[:, None]).T @ points / total

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """n independent points, shape (n, d)."""
        c = 1.0 / self.temperature
        base = self.base
        weights = torch.softmax(tempered_log_masses(base, c), 0)
        bound = max(0.0, (c - 1.0) * math.log(len(weights)))

        def propose(m: int) -> tuple[Tensor, Tensor]:
            x = base._draw(weights, math.sqrt(self.temperature), m, rng)
            terms = base.components(x)
            ratio = c * torch.logsumexp(terms, 0) - torch.logsumexp(c * terms, 0) - bound
            u = torch.rand(m, generator=rng, device=self.device, dtype=self.dtype)
            return x, u < ratio.exp()

        return accepted(propose, n)

    def mode_of(self, x: Tensor) -> Tensor:
        """The component of largest responsibility in the base: (n, d) -> (n,)."""
        return self.base.mode_of(x)

    def mode_distance(self, x: Tensor) -> Tensor:
        """That of the base in widths at this temperature, sqrt(tau) times as large."""
        return self.base.mode_distance(x) / math.sqrt(self.temperature)

    def truths(self) -> tuple[Truth, ...]:
        """Raw moments by quadrature, to about 1e-10 relative."""
        return raw_moments(self._first, self._second)


def _mean_pull(share: Tensor, pulls: list[Tensor]) -> Tensor:
    """-sum_k r_k S_k^-1 (x - m_k), (n, d)."""
    return torch.stack([(share * pull).sum(0) for pull in pulls], 1).neg()


def _column(values: Factors) -> Tensor:
    """Values over components, (K,), as a tensor that meets rows of points: (K, 1)."""
    return torch.tensor(values[:, None].copy())


def _filled_columns(matrices: Factors) -> tuple[tuple[int, ...], ...]:
    """For each row of (K, d, d) the columns where some matrix is not zero."""
    return tuple(tuple(np.flatnonzero(row).tolist()) for row in np.any(matrices, axis=0))
