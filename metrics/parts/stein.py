r"""The Stein kernel of the inverse multiquadric, for the kernel Stein discrepancies.

With k(x, y) = (1 + |x - y|^2)^(-1/2), s the score of the target, D the dimension, r = k(x, y):

    k0(x, y) = r (s(x).s(y) + r^2 ((s(x) - s(y)).(x - y) + D - 3 + 3 r^2)),

which is  s.s' b^-1/2 + (s - s').(x - y) b^-3/2 + D b^-3/2 - 3 |x - y|^2 b^-5/2  with b = r^-2.
On the diagonal k0(x, x) = |s(x)|^2 + D. Gorham and Mackey (2017), section 4, with c = 1 and
beta = -1/2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from metrics.base import Evidence
from metrics.parts.pairs import (
    PairSums,
    Scratch,
    compilable,
    compiled_sums,
    difference_products,
    itself,
    pair_sums,
)
from metrics.parts.shared import of_samples
from targets.parts.fused import fused


@fused
def stein_rows(xi: Tensor, si: Tensor, xj: Tensor, sj: Tensor,
               first: Tensor) -> tuple[Tensor, Tensor]:
    """Sums over j of k0 and of k0^2 for each i, without the pair of i itself.

    Points and scores come by coordinates, (dim, n) and (dim, m); j counts from ``first``.
    """
    dim = len(xi)
    gaps = [a[:, None] - b for a, b in zip(xi, xj, strict=True)]
    r = (1.0 + sum(g * g for g in gaps)).rsqrt()
    r2 = r * r
    across = sum((a[:, None] - b) * g for a, b, g in zip(si, sj, gaps, strict=True))
    inner = sum(a[:, None] * b for a, b in zip(si, sj, strict=True))
    k0 = r * (inner + r2 * (across + dim - 3.0 + 3.0 * r2))
    k0 = torch.where(itself(xi, xj, first), 0.0, k0)
    return k0.sum(1), (k0 * k0).sum(1)


class SteinSums(NamedTuple):
    """Sums of k0 over pairs i != j, and its diagonal, shape (n,) float64."""

    off: PairSums
    diagonal: Tensor


def _sums(x: Tensor, s: Tensor) -> SteinSums:
    dim = x.shape[1]
    xt, st = x.T.contiguous(), s.T.contiguous()
    scratch = Scratch(x, 4)

    def block(i: slice, j: slice) -> Sequence[Tensor]:
        xi, xj, si, sj = xt[:, i], xt[:, j], st[:, i], st[:, j]
        r, k0, left, right = scratch.views(xi.shape[1], xj.shape[1])
        difference_products(xi, xj, xi, xj, r, left, right)
        r.add_(1.0).rsqrt_()
        difference_products(xi, xj, si, sj, k0, left, right)
        r2 = torch.square(r, out=left)
        k0.add_(r2, alpha=3.0).add_(dim - 3.0).mul_(r2).addmm_(si.T, sj).mul_(r)
        return (k0,)

    def rows(j: slice, across: bool) -> Sequence[Tensor]:
        return stein_rows(xt, st, xt[:, j], st[:, j], torch.tensor(j.start, device=x.device))

    if compilable(xt):
        (off,) = compiled_sums(rows, len(x), len(x), x, symmetric=True)
    else:
        (off,) = pair_sums(block, len(x), len(x), x, symmetric=True)
    return SteinSums(off, s.double().square().sum(1) + dim)


def stein_sums(x: Tensor, evidence: Evidence) -> SteinSums:
    """Sums of the Stein kernel over the samples; the score is the target's own."""
    return of_samples(evidence, x, "stein", lambda: _sums(x, evidence.target.score(x).detach()))
