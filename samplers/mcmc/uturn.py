"""When a trajectory turns back: the criterion of the No-U-Turn sampler, on many chains at once.

A set of consecutive states turns where an end no longer moves along rho, the sum of its momenta
(M. Betancourt, arXiv 1701.02434, appendix A.4.2):

    rho . v_first <= 0  or  rho . v_last <= 0.

A tree that is made of two halves is checked as a whole, and each half with the state next to it.
Nothing here changes when time is reversed: a trajectory turns whichever end it is walked from.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Arc(NamedTuple):
    """Consecutive states as the criterion sees them: end momenta and the sum of all, (n, dim)."""

    first: Tensor
    last: Tensor
    total: Tensor


def turned(a: Arc, b: Arc) -> Tensor:
    """Whether a tree of halves a and b turns, or one of them with the state next to it, (n,)."""
    found = _turned(Arc(a.first, b.last, a.total + b.total))
    found |= _turned(Arc(a.first, b.first, a.total + b.first))
    return found | _turned(Arc(a.last, b.last, a.last + b.total))


def _turned(arc: Arc) -> Tensor:
    return ((arc.first * arc.total).sum(-1) <= 0) | ((arc.last * arc.total).sum(-1) <= 0)


class Trail:
    """Momenta of a new half in the order made, and their running sums, (2^j, n, dim) each."""

    def __init__(self, length: int, like: Tensor) -> None:
        self.v, self.sums = (like.new_zeros(length, *like.shape) for _ in range(2))

    def append(self, i: int, rows: Tensor, v: Tensor) -> None:
        """The i-th states, those of the given rows only."""
        self.v[i, rows] = v
        self.sums[i, rows] = v + self.sums[i - 1, rows] if i else v

    def arc(self, i: int, j: int, rows: Tensor) -> Arc:
        """The states i ... j of the given rows."""
        first = self.v[i, rows]
        return Arc(first, self.v[j, rows], self.sums[j, rows] - self.sums[i, rows] + first)

    def turned(self, i: int, rows: Tensor) -> Tensor:
        """Whether a sub-tree turns whose last state is the i-th: those of 2, 4, ... states."""
        found = torch.zeros_like(rows, dtype=torch.bool)
        size = 2
        while (i + 1) % size == 0:
            middle = i + 1 - size // 2
            found |= turned(self.arc(i + 1 - size, middle - 1, rows), self.arc(middle, i, rows))
            size *= 2
        return found
