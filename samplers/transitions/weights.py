"""Self-normalised importance weights, for the samplers that smooth the target by sampling."""

from __future__ import annotations

import math

import torch
from torch import Tensor

#: Exponents are kept above this: exp below about -87 is 50 times slower in float32, and a weight
#: of exp(-80) changes no sum.
FLOOR = -80.0


def softmax(log_weights: Tensor) -> Tensor:
    """Weights along the last dimension: exp(l_k) / sum_m exp(l_m), same shape.

    Where all l_k are -inf (beyond the edge of a support) they carry no information: zeros.
    """
    top = log_weights.amax(dim=-1, keepdim=True)
    nothing = top == -math.inf
    shifted = log_weights - top.masked_fill(nothing, 0.0)
    weights = shifted.clamp_min_(FLOOR).exp_()
    return weights.div_(weights.sum(dim=-1, keepdim=True).masked_fill_(nothing, math.inf))


def effective_size(weights: Tensor) -> Tensor:
    """Mean over rows of Kish's 1 / sum_k w_k^2, on the device: 1 to K, 0 for weights of zero."""
    length = torch.linalg.vector_norm(weights, dim=-1)
    return length.pow(-2).masked_fill(length == 0.0, 0.0).mean()
