"""Estimates of the smoothed target score grad log (p * phi_s) at single points.

Both use points of their own around each x; the pooled estimates are in ``target_side``.
"""

from __future__ import annotations

import torch
from torch import Tensor

from bench.core.density import Density
from bench.core.log_weights import effective_size, normalised
from samplers.base import normal

#: Rows of perturbations evaluated at once.
BLOCK = 1 << 15
#: Least modulus of an eigenvalue of I + sigma^2 H: no direction is stretched more than tenfold.
CURVATURE_FLOOR = 0.1


def monte_carlo_score(target: Density, x: Tensor, sigma: float, count: int,
                      rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Local importance-weighted mean-shift at x, shape (n, dim), and its mean effective size.

    (sum_l w_l u_l - x) / sigma^2 with u_l = x + sigma e_l is sum_l w_l e_l / sigma.
    """
    moved, sizes = torch.empty_like(x), []
    rows = max(1, BLOCK // count)
    for start in range(0, len(x), rows):
        at = x[start:start + rows]
        e = normal(target, (len(at), count, target.dim), rng)
        u = torch.add(at.unsqueeze(1), e, alpha=sigma)
        w = normalised(target.log_prob(u.flatten(0, 1)).view(len(at), count))
        moved[start:start + rows] = (w.unsqueeze(1) @ e).squeeze(1)
        sizes.append(effective_size(w).mean() * len(at))
    return moved.div_(sigma), torch.stack(sizes).sum() / len(x)


def gradient_score(target: Density, x: Tensor, widths: Tensor, count: int, rng: torch.Generator,
                   unit: float = 1.0) -> tuple[Tensor, Tensor]:
    """sum_l w_l grad log p(u_l) at x, shape (n, dim), and its mean effective size.

    u_l and w_l as in ``monte_carlo_score``, widths (n, 1); ``count`` gradient evaluations a point.
    It estimates the same by the score: its variance falls with the width, where that of a
    mean-shift grows as 1 / width^2. Both are biased of order 1 / count. x and the result are in
    units of the length ``unit``, widths too.
    """
    scores, sizes = torch.empty_like(x), []
    rows = max(1, BLOCK // count)
    for start in range(0, len(x), rows):
        at, width = x[start:start + rows], widths[start:start + rows].unsqueeze(1)
        u = at.unsqueeze(1) + width * normal(target, (len(at), count, target.dim), rng)
        log_p, score = target.log_prob_and_score(unit * u.flatten(0, 1))
        w = normalised(log_p.view(len(at), count))
        scores[start:start + rows] = (w.unsqueeze(1) @ score.view_as(u)).squeeze(1)
        sizes.append(effective_size(w).mean() * len(at))
    return unit * scores, torch.stack(sizes).sum() / len(x)


def second_order_score(target: Density, x: Tensor, sigma: float) -> Tensor:
    """-(I + sigma^2 H)^{-1} grad E at x, shape (n, dim), with H the exact Hessian of E.

    Eigenvalues of I + sigma^2 H enter by their modulus, at least ``CURVATURE_FLOOR``.
    """
    n, dim = x.shape
    unit = torch.eye(dim, device=x.device, dtype=x.dtype)
    # All columns in one call: row i * dim + k is the Hessian at x_i times the k-th unit vector.
    columns = target.hvp(x.repeat_interleave(dim, dim=0), unit.repeat(n, 1)).view(n, dim, dim)
    curvature = unit - sigma**2 * 0.5 * (columns + columns.mT)  # hvp is of log p = -E
    values, vectors = torch.linalg.eigh(curvature)
    along = (vectors.mT @ target.score(x).unsqueeze(-1)).squeeze(-1)
    along = along / values.abs().clamp_min(CURVATURE_FLOOR)
    return (vectors @ along.unsqueeze(-1)).squeeze(-1)
