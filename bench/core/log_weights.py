"""Importance log-weights log w = log p~(x) - log q(x): what is reported, and what follows from it.

Everything here works along the last dimension, so that many populations are treated at once.

    normalised       W_k = w_k / sum_m w_m
    effective size   (sum_k w_k)^2 / sum_k w_k^2 = 1 / sum_k W_k^2, from 1 to their number
    log Z            log of the mean of w; its standard error by the delta method, which takes the
                     weights for independent
    systematic       the points (u + i) / n, i = 0 ... n - 1, of the cumulated W, with a single
                     u ~ U[0, 1): index k comes floor(n W_k) or ceil(n W_k) times, n W_k times in
                     the mean

References. L. Kish, Survey Sampling (1965), for the effective size; J. Carpenter, P. Clifford,
P. Fearnhead, IEE Proc. Radar 146 (1999), for systematic resampling.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

#: Exponents are kept above this: exp below about -87 is 50 times slower in float32, and a weight
#: of exp(-80) changes no sum.
FLOOR = -80.0


@dataclass(frozen=True)
class LogWeights:
    """What a sampler that knows its own density q reports; p~ is exp(log_prob), Z its integral.

    ``at_draws``: log w = log p~(x) - log q(x) at fresh draws x of q, shape (n,), so that
    E exp = Z; of a sampler that knows the density of paths, the same ratio for whole paths; of
    weighted particles their log-weights, scaled so that the mean of exp is the estimate of Z.
    ``at_target``: log w at the given exact points of p, (n,); for paths, at paths drawn backward
    from them. ``log_z``: the sampler's own estimate of log Z with its standard error, where it
    has a better one than the log-mean-exp of ``at_draws``. ``gap``: |grad log q - grad log p|^2
    at draws of q, (n,).
    """

    at_draws: Tensor | None = None
    at_target: Tensor | None = None
    log_z: tuple[float, float] | None = None
    gap: Tensor | None = None


def normalised(log_weights: Tensor) -> Tensor:
    """exp(l_k) / sum_m exp(l_m) along the last dimension, same shape.

    Where all l_k are -inf (beyond the edge of a support) they carry no information: zeros.
    """
    top = log_weights.amax(dim=-1, keepdim=True)
    nothing = top == -math.inf
    shifted = log_weights - top.masked_fill(nothing, 0.0)
    weights = shifted.clamp_min_(FLOOR).exp_()
    return weights.div_(weights.sum(dim=-1, keepdim=True).masked_fill_(nothing, math.inf))


def effective_size(weights: Tensor) -> Tensor:
    """Effective sample size of normalised weights, (..., k) -> (...); 0 where all are zero."""
    length = torch.linalg.vector_norm(weights, dim=-1)
    return length.pow(-2).masked_fill(length == 0.0, 0.0)


def log_mean_exp(log_weights: Tensor) -> Tensor:
    """Logarithm of the mean of exp, (..., k) -> (...)."""
    return log_weights.logsumexp(-1) - math.log(log_weights.shape[-1])


def log_z_with_error(log_weights: Tensor) -> tuple[float, float]:
    """Log of the mean of independent weights (or of estimates of Z), (k,), and its standard error.

    The error is too small where a few weights carry the mean, and says nothing of those unseen.
    """
    w = (log_weights - log_weights.max()).exp()
    return float(log_mean_exp(log_weights)), float(w.std() / w.mean()) / math.sqrt(len(w))


def systematic(weights: Tensor, n: int, u: Tensor) -> Tensor:
    """Indices of n draws by weight, in order: (..., k) -> (..., n) with u ~ U[0, 1) of (..., 1).

    ``weights`` need not be normalised; one of zero is never drawn.
    """
    edges = weights.double().cumsum(-1)
    edges = edges / edges[..., -1:]
    marks = (u.double() + torch.arange(n, device=u.device)) / n
    return torch.searchsorted(edges, marks, right=True).clamp_max(weights.shape[-1] - 1)
