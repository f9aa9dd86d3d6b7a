"""The target's score as networks want it: in units of the declared scale, and not too long."""

from __future__ import annotations

import torch
from torch import Tensor

from bench.core.density import Density


def scaled_score(target: Density, x: Tensor) -> Tensor:
    """The target's score in units of the scale, at x in these units: (n, dim) -> (n, dim)."""
    return target.scale * target.score(target.scale * x)


def clipped(score: Tensor, norm: float) -> Tensor:
    """Rows longer than ``norm`` rescaled to that length, shape (n, dim)."""
    length = torch.linalg.vector_norm(score, dim=1, keepdim=True)
    return score * (norm / length.clamp_min(norm))
