"""How fast chains mix: autocorrelation times and split R-hat of an array of snapshots.

Snapshots have shape (m, chains, dim): m points in time, equally far apart. Both estimators
compare each chain with the *pooled* mean and variance, so that chains stuck in different modes
show as slow mixing and never as fast.

References: C. Geyer, Practical Markov chain Monte Carlo, Stat. Sci. 7 (1992), section 3.3
(initial positive sequence); A. Vehtari et al., Rank-normalization, folding, and localization,
Bayesian Analysis 16 (2021), equations 1-4 (split R-hat, here without rank-normalisation).
"""

from __future__ import annotations

import torch
from torch import Tensor

_CHAINS = 256  # more chains sharpen the estimate no further and cost time


def autocorrelation_time(snapshots: Tensor) -> float:
    """Largest integrated autocorrelation time 1 + 2 sum_t rho_t, in snapshots, at least 1.

    Taken over the coordinates and their squared deviations, rho_t averaged over chains; the sum
    ends before the first pair rho_2t + rho_2t+1 that is not positive (Geyer), and at half the
    length. NaN where a snapshot is not finite.
    """
    x = snapshots[:, :_CHAINS].double()
    x = x - x.mean((0, 1))
    f = torch.cat([x, x.square() - x.square().mean((0, 1))], dim=-1)
    m = len(f)
    variance = f.square().mean((0, 1))
    if not bool(torch.isfinite(variance).all()):
        return float("nan")
    variance = torch.where(variance > 0, variance, torch.ones_like(variance))
    rho = torch.stack([(f[: m - t] * f[t:]).mean((0, 1)) for t in range(m // 2)]) / variance
    pairs = rho[: len(rho) // 2 * 2].reshape(-1, 2, rho.shape[-1]).sum(1)
    positive = (pairs > 0).to(pairs.dtype).cumprod(0)
    return max(1.0, float((2 * (pairs * positive).sum(0) - 1).max()))


def split_rhat(snapshots: Tensor) -> float:
    """Largest split R-hat over the coordinates; NaN with fewer than four snapshots.

    Each chain is cut into halves of k snapshots, giving J sequences: with B the variance of their
    means times k and W the mean of their variances, R-hat = sqrt((k - 1)/k + B/(k W)).
    """
    k = len(snapshots) // 2
    if k < 2:
        return float("nan")
    x = snapshots[-2 * k :].double()
    halves = torch.cat([x[:k], x[k:]], dim=1)
    within = halves.var(0).mean(0)
    between = halves.mean(0).var(0)
    return float((((k - 1) / k * within + between) / within).sqrt().max())
