"""A replay buffer of weighted points from which heavy ones are picked more often.

Picks are made without replacement, one after another, each time in proportion to the weights of
those left; the k largest of log w_i + g_i with g_i ~ Gumbel(0, 1) are such picks, in order (W.
Kool et al., arXiv 1903.06059). L. Midgley et al., arXiv 2208.01893, and the authors' code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from bench.core.density import Density


@dataclass
class Buffer:
    """The latest ``room`` points; a ring that is written in place.

    ``log_w`` are the weights the points have by now and ``log_q`` the flow's log-density when they
    were last corrected, (room,).
    """

    x: Tensor  # (room, dim)
    log_w: Tensor
    log_q: Tensor
    place: int = 0
    filled: int = 0

    @classmethod
    def empty(cls, target: Density, room: int) -> Self:
        """Room for ``room`` points."""
        x = torch.zeros((room, target.dim), device=target.device, dtype=target.dtype)
        return cls(x, torch.full_like(x[:, 0], -torch.inf), torch.zeros_like(x[:, 0]))

    def add(self, x: Tensor, log_w: Tensor, log_q: Tensor) -> None:
        """Write points (n, dim) with their numbers (n,) over the oldest."""
        n, room = len(x), len(self.x)
        at = torch.arange(self.place, self.place + n, device=x.device) % room
        self.x[at], self.log_w[at], self.log_q[at] = x, log_w, log_q
        self.place, self.filled = (self.place + n) % room, min(room, self.filled + n)

    def pick(self, n: int, rng: torch.Generator) -> Tensor:
        """Indices (n,) of n different points, by weight."""
        log_w = self.log_w[:self.filled]
        gumbel = -torch.empty_like(log_w).exponential_(generator=rng).log()
        return (log_w + gumbel).topk(n).indices

    def correct(self, at: Tensor, log_change: Tensor, log_q: Tensor) -> None:
        """Multiply the weights at indices (n,) by exp(log_change), the flow now saying log_q."""
        self.log_w[at] += log_change
        self.log_q[at] = log_q
