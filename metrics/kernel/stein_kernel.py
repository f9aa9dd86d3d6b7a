r"""The Stein kernel of the inverse multiquadric, for the kernel Stein discrepancies.

With k(x, y) = (1 + |x - y|^2)^(-1/2), s the score of the target, D the dimension, r = k(x, y):

    k0(x, y) = r (s(x).s(y) + r^2 ((s(x) - s(y)).(x - y) + D - 3 + 3 r^2)),

which is  s.s' b^-1/2 + (s - s').(x - y) b^-3/2 + D b^-3/2 - 3 |x - y|^2 b^-5/2  with b = r^-2.
On the diagonal k0(x, x) = |s(x)|^2 + D. Gorham and Mackey (2017), section 4, with c = 1 and
beta = -1/2.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from bench.core.compilation import compilable
from bench.core.standard_errors import mean_errors
from metrics.base import Evidence
from metrics.estimates import exceeds_single_precision
from metrics.evidence import inside, of_samples
from metrics.kernel.pair_sums import (
    PairSums,
    Scratch,
    compiled_sums,
    difference_products,
    itself,
    pair_sums,
    worth_compiling,
)
from targets.base import Target
from targets.reference import Referenced

EXACT = 4000  # points on which Stein's identity is checked
LIMIT = 5.0  # standard errors
NEAR, SIGHT = 500, 1e6  # of how many points the nearest two may be how far apart


@compilable
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

    if worth_compiling(xt):
        (off,) = compiled_sums(rows, len(x), len(x), x, symmetric=True)
    else:
        (off,) = pair_sums(block, len(x), len(x), x, symmetric=True)
    return SteinSums(off, s.double().square().sum(1) + dim)


def stein_sums(x: Tensor, evidence: Evidence) -> SteinSums:
    """Sums of the Stein kernel over the samples; the score is the target's own.

    ValueError where they mean nothing: on a target whose exact points break Stein's identity, at
    points where the density is zero or the score no number, and for points that the kernel, whose
    length is 1, cannot relate to each other.
    """
    if found := broken_identity(evidence.target):
        raise ValueError(found)

    def compute() -> SteinSums:
        nearest = float(torch.pdist(x[:NEAR].double()).min())
        if nearest > SIGHT:
            raise ValueError(f"the nearest two of {min(len(x), NEAR)} points are {nearest:.3g} "
                             "apart: the kernel, of length 1, relates no two of them")
        at, score = x, evidence.target.score(inside(x, evidence)).detach()
        if exceeds_single_precision(x, score):
            at = x.double()
            score = evidence.target.to(x.device, torch.float64).score(at).detach()
        bad = int((~torch.isfinite(score)).any(1).sum())
        if bad:
            raise ValueError(f"the score is not finite at {bad} of {len(x)} points")
        return _sums(at, score)

    return of_samples(evidence, x, "stein", compute)


#: (target, what its exact points say of Stein's identity) of the latest targets, by identity:
#: a floor asks for the same target a thousand times.
_known: deque[tuple[Target, str]] = deque(maxlen=8)


def broken_identity(target: Target) -> str:
    """What exact points of the target say against Stein's identity; '' where it holds.

    An edge at which the density is not zero adds a boundary term, so that exact samples do not
    score zero and worse ones may score less; so does a score that is not the density's.
    """
    found = next((said for known, said in _known if known is target), None)
    if found is None:
        found = _broken_identity(target) if target.has_reference else ""
        _known.append((target, found))
    return found


def _broken_identity(target: Target) -> str:
    home = target.to("cpu", torch.float64)
    x = home.pool[:EXACT] if isinstance(home, Referenced) else _exact(home)
    score = home.score(x).detach()
    along = ((x - x.mean(0)) * score).sum(1, keepdim=True) + home.dim
    rows = torch.cat([score, along], 1)
    mean, (error, _) = rows.mean(0).abs(), mean_errors(rows)
    z = float(torch.where(error > 0, mean / error, mean * math.inf).nan_to_num(0.0).max())
    if not bool(torch.isfinite(rows).all()):
        return "KSD does not hold on this target: the score is not finite at exact points"
    if z > LIMIT:
        return ("KSD does not hold on this target: Stein's identity is off by "
                f"{min(z, 999.0):.0f} standard errors on exact points (an edge where the density "
                "is not zero, or a score that is not its gradient)")
    return ""


def _exact(target: Target) -> Tensor:
    """EXACT points, or as many as a small pool gives."""
    for n in (EXACT, 1000, 200):
        try:
            return target.sample(n, torch.Generator().manual_seed(0))
        except ValueError:
            continue
    return target.sample(50, torch.Generator().manual_seed(0))
