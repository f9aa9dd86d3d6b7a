"""Sums over the components of a mixture, which come first: (K, n) arrays for n points."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

#: exp of less than about -87 is 40-60 times slower in float32; exp(-80) = 1.8e-35 adds nothing.
_FLOOR = -80.0


class Peaks(NamedTuple):
    """log sum_k exp(t_k) kept as the largest t_k and sum_k exp(t_k - largest), (n,) each."""

    top: Tensor
    total: Tensor

    def log_sum(self) -> Tensor:
        """log sum_k exp(t_k), (n,)."""
        return self.top + self.total.log()


def exponentials(terms: Tensor) -> tuple[Peaks, Tensor]:
    """Of terms (K, n): their log-sum-exp, and exp(t_k - largest), (K, n)."""
    top = terms.detach().amax(0)
    parts = (terms - top).clamp_(min=_FLOOR).exp_()
    return Peaks(top, parts.sum(0)), parts


def products(pairs: list[tuple[Tensor, Tensor]]) -> Tensor:
    """a b + c d + ..., the sum of products."""
    total = pairs[0][0] * pairs[0][1]
    for a, b in pairs[1:]:
        total = torch.addcmul(total, a, b)
    return total
