"""Self-normalised importance weights, for the samplers that smooth the target by sampling."""

from __future__ import annotations

import torch
from torch import Tensor

#: Exponents are kept above this: exp below about -87 is 50 times slower in float32, and a weight
#: of exp(-80) changes no sum.
FLOOR = -80.0


def softmax(log_weights: Tensor) -> Tensor:
    """Weights along the last dimension: exp(l_k) / sum_m exp(l_m), same shape."""
    shifted = log_weights - log_weights.amax(dim=-1, keepdim=True)
    weights = shifted.clamp_min_(FLOOR).exp_()
    return weights.div_(weights.sum(dim=-1, keepdim=True))


def effective_size(weights: Tensor) -> Tensor:
    """Mean over rows of Kish's 1 / sum_k w_k^2: a number between 1 and K, on the device."""
    return torch.linalg.vector_norm(weights, dim=-1).pow(-2).mean()
