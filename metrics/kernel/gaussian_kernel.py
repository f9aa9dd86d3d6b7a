r"""Gaussian kernels between samples and reference, for the maximum mean discrepancies.

k_h(x, y) = exp(-|x - y|^2 / (2 h^2)) with h in {m/2, m, 2m}, m the median pairwise distance of the
reference alone. The three come from one exponential: with e = k_{2m}, k_m = e^4 and k_{m/2} =
e^16. It is taken as a power of two, the faster function, its exponent kept above -115, since
float32 results below 2^-126 are slow to make and worth nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from bench.core.compilation import compilable
from metrics.base import Evidence
from metrics.estimates import exceeds_single_precision
from metrics.evidence import median_distance, of_reference, of_samples
from metrics.kernel.pair_sums import (
    PairSums,
    Scratch,
    compiled_sums,
    difference_products,
    itself,
    pair_sums,
    worth_compiling,
)

LEAST_EXPONENT = -115.0


class Kernels(NamedTuple):
    """Pair sums of the mean of the three kernels, and of the middle one, h = m."""

    mixture: PairSums
    middle: PairSums


class TwoSample(NamedTuple):
    """The three sums a two-sample statistic is made of."""

    xx: PairSums
    yy: PairSums
    xy: PairSums


@compilable
def rbf_rows(xi: Tensor, xj: Tensor, first: Tensor, apart: bool) -> tuple[Tensor, ...]:
    """Sums over j, a row each: of the mixture, its square, the middle kernel, its square.

    Scaled points come by coordinates, (dim, n) and (dim, m). ``apart``: pairs (i, i), j counting
    from ``first``, are left out.
    """
    square = sum((a[:, None] - b) ** 2 for a, b in zip(xi, xj, strict=True))
    wide = (math.log(2.0) * -square).clamp(min=math.log(2.0) * LEAST_EXPONENT).exp()
    if apart:
        wide = torch.where(itself(xi, xj, first), 0.0, wide)
    middle = (wide * wide).square()
    mixture = middle.square().square() + middle + wide
    return (mixture.sum(1), (mixture * mixture).sum(1), middle.sum(1), (middle * middle).sum(1))


def _sums(x: Tensor, y: Tensor, m: float) -> Kernels:
    scale = math.sqrt(math.log2(math.e) / 8.0) / m
    symmetric = y is x
    xt = (x * scale).T.contiguous()
    yt = xt if symmetric else (y * scale).T.contiguous()
    scratch = Scratch(x if len(x) >= len(y) else y, 3)

    def block(i: slice, j: slice) -> Sequence[Tensor]:
        xi, yj = xt[:, i], yt[:, j]
        wide, middle, mixture = scratch.views(xi.shape[1], yj.shape[1])
        difference_products(xi, yj, xi, yj, wide, middle, mixture)
        torch.exp2(wide.neg_().clamp_(min=LEAST_EXPONENT), out=wide)
        torch.square(wide, out=middle).square_()
        torch.square(middle, out=mixture).square_().add_(middle).add_(wide)
        return mixture, middle

    def rows(j: slice, across: bool) -> Sequence[Tensor]:
        xi, xj = (yt, xt) if across else (xt, yt)
        return rbf_rows(xi, xj[:, j], torch.tensor(j.start, device=x.device), symmetric)

    if worth_compiling(xt):
        mixture, middle = compiled_sums(rows, len(x), len(y), x, symmetric=symmetric)
    else:
        mixture, middle = pair_sums(block, len(x), len(y), x, symmetric=symmetric)
    return Kernels(mixture.scaled(1.0 / 3.0), middle)


def rbf_sums(x: Tensor, evidence: Evidence) -> tuple[TwoSample, TwoSample]:
    """Sums of samples against as many reference points: (mixture of three, middle kernel)."""
    n = len(x)
    m = median_distance(evidence, n)
    y = evidence.first(n)
    if exceeds_single_precision(x, x / m, y):
        x, y = x.double(), y.double()
    yy = of_reference(evidence, f"rbf/{n}/{y.dtype}", lambda: _sums(y, y, m))
    xx, xy = of_samples(evidence, x, "rbf", lambda: (_sums(x, x, m), _sums(x, y, m)))
    return (TwoSample(xx.mixture, yy.mixture, xy.mixture),
            TwoSample(xx.middle, yy.middle, xy.middle))
