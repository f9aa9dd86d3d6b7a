"""Rejection sampling."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

_LARGEST = 1 << 18  # proposals at once, to bound memory


def accepted(propose: Callable[[int], tuple[Tensor, Tensor]], n: int) -> Tensor:
    """The first n accepted proposals, independent and exact.

    ``propose(m)`` gives m proposals, first axis m, and a boolean (m,) that says which are kept.
    """
    kept: list[Tensor] = []
    have, tried = 0, 0
    while have < n or not kept:
        rate = max(have, 1) / max(tried, 1)
        size = min(_LARGEST, int(1.1 * (n - have) / rate) + 16)
        points, keep = propose(size)
        kept.append(points[keep])
        have += len(kept[-1])
        tried += size
    return torch.cat(kept)[:n]
