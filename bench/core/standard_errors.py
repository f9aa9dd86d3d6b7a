"""Standard errors of means over rows that follow each other in a chain, in the order of a file.

The error of a mean is that of independent rows times the root of the autocorrelation time tau. Two
estimates of tau, of which the larger counts:

- the initial positive sequence, 2 sum_t rho_t - 1 up to the first pair rho_2m + rho_2m+1 < 0, for
  rows of one chain after another;
- batch means over few long batches, which also see chains written side by side (all first rows,
  then all second rows), where neighbours are independent.

C. Geyer, Practical Markov chain Monte Carlo, Statistical Science 7 (1992), section 3.
"""

from __future__ import annotations

import torch
from torch import Tensor

#: Batches, and what Student's t needs of its errors so that 5 of them are as rare as of a normal.
BATCHES = ((30, 1.27), (100, 1.07))
_SURELY = 3.0  # a ratio of variances that 30 batches of independent rows do not reach


def mean_errors(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Standard errors of the column means of (n, k) rows and autocorrelation times, (k,) each."""
    independent = rows.var(0) / len(rows)
    tau = _positive_sequence(rows)
    error = independent * tau
    for count, widening in BATCHES:
        of_batches = _batch_variance(rows, count)
        error = torch.maximum(error, of_batches * widening**2)
        ratio = (of_batches / independent).nan_to_num(1.0)
        tau = torch.where(ratio > _SURELY, torch.maximum(tau, ratio), tau)
    return error.sqrt(), tau


def _batch_variance(rows: Tensor, count: int) -> Tensor:
    """Variance of the column means by ``count`` batches of neighbouring rows, (k,)."""
    length = len(rows) // count
    if length < 2:
        return torch.zeros(rows.shape[1], dtype=rows.dtype)
    return rows[: count * length].view(count, length, -1).mean(1).var(0) / count


def _positive_sequence(rows: Tensor) -> Tensor:
    """Autocorrelation time of each column in rows, at least 1, (k,)."""
    n = len(rows)
    centred = rows - rows.mean(0)
    spectrum = torch.fft.rfft(centred, n=2 * n, dim=0).abs().square()
    covariance = torch.fft.irfft(spectrum, dim=0)[:n]
    rho = (covariance / covariance[0]).nan_to_num(0.0)
    pairs = rho[: n - n % 2].view(n // 2, 2, -1).sum(1)
    positive = (pairs > 0).long().cumprod(0)
    return (2.0 * (pairs * positive).sum(0) - 1.0).clamp(1.0)
