"""Gaussian kernel sums between two clouds of points, at several widths from one set of distances.

phi_s is the density of N(0, s^2 I). Of a cloud y_1 .. y_m with weights b_j (equal ones unless
given) these are the estimates of the smoothed density q * phi_s and of its score,

    log (q * phi_s)(x)   ~  log sum_j b_j phi_s(x - y_j) / sum_j b_j
    grad log (q * phi_s) ~  (sum_j K_j y_j - x) / s^2,   K_j = b_j phi_s(x - y_j) / sum (the same),

the second called mean-shift. The first ratio is unbiased before the logarithm; the second is a
ratio of two means, hence biased of order 1 / (points within s of x), towards the nearest points.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from bench.core.log_weights import FLOOR
from samplers.distances import squared_distances

#: Up to this dimension 512 points resolve half the main width.
RESOLVED = 3
#: Rows of a mean-shift taken at once: their kernels stay in the cache.
EVALUATIONS = 256
#: How often a kernel is made from the one of twice its width.
POWERS = 2
#: Its fourth power is just above exp(FLOOR): smaller numbers would be slow and change no sum.
LEAST = math.exp(FLOOR / 4)


def kernel(gaps: Tensor, width: float) -> Tensor:
    """exp(-gaps / (2 width^2)), the exponents kept above ``FLOOR``."""
    return (gaps * (-0.5 / width**2)).clamp_min_(FLOOR).exp_()


def kernels(gaps: Tensor, widths: list[float]) -> Iterator[Tensor]:
    """exp(-gaps / (2 s^2)) for each width s in turn; each is valid until the next is asked for.

    Half the width is the fourth power of the kernel: two squarings cost a fifth of an exponential.
    After ``POWERS`` of them comes a fresh one, so that rounding grows sixteenfold at most.
    """
    found, powers = torch.empty(0), 0
    for i, s in enumerate(widths):
        if i and powers < POWERS and s == widths[i - 1] / 2:
            found.clamp_min_(LEAST).square_().square_()
            powers += 1
        else:
            found, powers = kernel(gaps, s), 0
        yield found


def log_densities(x: Tensor, centres: Tensor, widths: list[float]) -> Tensor:
    """log of the mean over the centres of N(x; c_j, s^2 I), for each width s: (n, widths)."""
    gaps = squared_distances(x, centres)
    nearest = gaps.amin(dim=1, keepdim=True)
    gaps -= nearest  # so that the nearest centre's kernel is 1 and no sum vanishes
    found = [k.sum(dim=1).log() - nearest[:, 0] / (2 * s * s) - x.shape[1] * math.log(s)
             for s, k in zip(widths, kernels(gaps, widths), strict=True)]
    constant = math.log(len(centres)) + 0.5 * x.shape[1] * math.log(2 * math.pi)
    return torch.stack(found, dim=1) - constant


def smoothed_score(x: Tensor, cloud: Tensor, widths: list[float], factors: list[float], *,
                   log_weights: Tensor | None = None, exclude: bool = False) -> Tensor:
    """sum_s factors_s grad log (cloud * phi_s) at x, shape (n, dim).

    ``log_weights``, (m,): of the cloud's points. ``exclude``: the cloud is x itself and a point
    is left out of its own sum.
    """
    gaps = squared_distances(x, cloud)
    if exclude:
        gaps.fill_diagonal_(math.inf)
    found = (kernels(gaps.sub_(gaps.amin(dim=1, keepdim=True)), widths) if log_weights is None
             else (_weighted(gaps, s, log_weights) for s in widths))
    shares = torch.zeros_like(gaps)
    for s, factor, weights in zip(widths, factors, found, strict=True):
        shares.addcmul_(weights, factor / s**2 / weights.sum(dim=1, keepdim=True))
    return shares @ cloud - sum(f / s**2 for s, f in zip(widths, factors, strict=True)) * x


def _weighted(gaps: Tensor, width: float, log_weights: Tensor) -> Tensor:
    """b_j phi_s(x_i - y_j) up to a factor for each row, the largest of which is 1."""
    exponents = log_weights - gaps / (2 * width * width)
    exponents -= exponents.amax(dim=1, keepdim=True)
    return exponents.clamp_min_(FLOOR).exp_()


def mean_shift(x: Tensor, sigma: float) -> Tensor:
    """Score of the Gaussian kernel estimate of the batch at its own points, shape (n, dim).

    (sum_j K_ij x_j / sum_j K_ij - x_i) / sigma^2 with K_ij = exp(-|x_j - x_i|^2 / 2 sigma^2),
    j = i included as in the drifting paper.
    """
    means = []
    for at in x.split(EVALUATIONS):
        weights = squared_distances(at, x).mul_(-0.5 / sigma**2).clamp_min_(FLOOR).exp_()
        means.append(weights @ x / weights.sum(dim=1, keepdim=True))
    return (torch.cat(means) - x) / sigma**2


def overlap(x: Tensor, y: Tensor, variance: float, *, same: bool = False) -> Tensor:
    """Mean of N(x_i - y_j; 0, variance I), 0-d: unbiased for the overlap of smoothed densities.

    With variance = a^2 + b^2 that is the integral of (q * phi_a)(p * phi_b). ``same``: the two are
    one cloud, and pairs (i, i) are left out.
    """
    values = kernel(squared_distances(x, y), math.sqrt(variance))
    total = values.sum() - (values.diagonal().sum() if same else 0.0)
    pairs = len(x) * (len(y) - 1) if same else len(x) * len(y)
    return total / pairs / (2 * math.pi * variance) ** (x.shape[1] / 2)


def misfits(u: Tensor, y: Tensor, s: float) -> dict[str, float]:
    """Two errors distinguished, of points u of p (n, dim) and y of q (m, dim), at the width s.

    ``smoothing_error``: integral of (p * phi_s - p * phi_(s/2))^2 over that of (p * phi_s)^2, what
    a distribution that is right at s only may miss; in few dimensions, where pairs resolve it.
    ``optimisation_error``: the same of (p * phi_s - q * phi_s), what is not learned at s. Both are
    unbiased over the points at hand but for the division, hence signed and noisy.
    """
    pp = overlap(u, u, 2 * s * s, same=True)
    gap = overlap(y, y, 2 * s * s, same=True) - 2 * overlap(u, y, 2 * s * s)
    found = {"optimisation_error": float((pp + gap) / pp)}
    if u.shape[1] <= RESOLVED:
        fine = (overlap(u, u, s * s / 2, same=True)
                - 2 * overlap(u, u, 5 / 4 * s * s, same=True))
        found["smoothing_error"] = float((pp + fine) / pp)
    return found
