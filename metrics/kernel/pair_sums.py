r"""Sums of kernels over all pairs of points, block by block, and the variance of what they make.

Memory is a few blocks, whatever n. Blocks of 512 x 512 stay in the cache of a CPU core; on an
accelerator they are larger, so that few launches are needed. Inside a block sums are taken in the
precision of the points, between blocks in float64. Where compiling is on
(bench/core/compilation.py) one loop makes a row's sum and stores no kernel at all.

Two statistics stand on these sums. For a kernel k with row means a_i = mean_{j != i} k(x_i, x_j):

- the U-statistic  mean_i a_i                           (kernel Stein discrepancy),
- the two-sample   mean_i a_i + mean_j c_j - 2 mean b   (MMD; c over y, b across).

Their variance by Hoeffding's decomposition has a term of first order, from the row means, and one
of second order, from what the rows do not explain (``residual``, the doubly centred second moment
of k). The variance of empirical row means holds the first-order term plus twice the second-order
one, so one second-order term is taken off again; and the variance is never below the second-order
term, which is all there is under p = q. Hoeffding (1948); Serfling (1980), section 5.2-5.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.core.compilation import switched_on

#: Most dimensions for which differences are taken coordinate by coordinate.
COORDINATEWISE = 16

#: Most columns of which a compiled row sum is taken in the precision of the points.
COLUMNS = 4096

Block = Callable[[slice, slice], Sequence[Tensor]]
Rows = Callable[[slice, bool], Sequence[Tensor]]


@dataclass(frozen=True)
class PairSums:
    """Sums of one kernel: over each row, each column, and of its square over all pairs."""

    rows: Tensor  # (n,) float64
    cols: Tensor  # (m,) float64; equal to ``rows`` for a symmetric kernel
    square: float
    pairs: int  # how many ordered pairs were summed: n m, or n (n - 1) without pairs (i, i)

    def scaled(self, by: float) -> PairSums:
        """Sums of the kernel times a constant."""
        return PairSums(self.rows * by, self.cols * by, self.square * by**2, self.pairs)

    def row_means(self) -> Tensor:
        """Mean of k over the partners of each row, shape (n,)."""
        return self.rows * (len(self.rows) / self.pairs)

    def col_means(self) -> Tensor:
        """Mean of k over the partners of each column, shape (m,)."""
        return self.cols * (len(self.cols) / self.pairs)

    def residual(self) -> float:
        """Mean square of k(x, y) - E k(x, .) - E k(., y) + E k: what rows do not explain."""
        a, b = self.row_means(), self.col_means()
        value = (self.square / self.pairs - float((a * a).mean()) - float((b * b).mean())
                 + float(a.mean()) ** 2)
        return max(value, 0.0)


def block_size(device: torch.device) -> int:
    """Points on a side of a block."""
    return 512 if device.type == "cpu" else 4096


def _slices(n: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


class Scratch:
    """Reused buffers for blocks: a fresh large tensor would cost more than the sums themselves."""

    def __init__(self, like: Tensor, count: int) -> None:
        side = min(block_size(like.device), max(len(like), 1))
        self._size = side * side
        self._flat = [torch.empty(self._size, dtype=like.dtype, device=like.device)
                      for _ in range(count)]

    def views(self, rows: int, cols: int) -> list[Tensor]:
        """The buffers as contiguous (rows, cols) matrices of undefined content."""
        if rows * cols > self._size:
            raise ValueError(f"a block of {rows} x {cols} does not fit into {self._size}")
        return [flat[: rows * cols].view(rows, cols) for flat in self._flat]


def difference_products(xi: Tensor, xj: Tensor, si: Tensor, sj: Tensor, out: Tensor,
                        left: Tensor, right: Tensor) -> Tensor:
    """(x_i - x_j) . (s_i - s_j) for all pairs into ``out``, shape (rows, cols).

    Points come transposed, shapes (d, rows) and (d, cols); ``left`` and ``right`` are scratch. The
    same object given as x and s gives squared distances. Differences are taken coordinate by
    coordinate, exact for near points, up to 16 dimensions; beyond, the product is expanded about
    a common centre in float64.
    """
    same = si is xi and sj is xj
    if len(xi) > COORDINATEWISE:
        return out.copy_(_expanded(xi.double(), xj.double(), si.double(), sj.double()))
    for k in range(len(xi)):
        torch.sub(xi[k, :, None], xj[k], out=left)
        factor = left if same else torch.sub(si[k, :, None], sj[k], out=right)
        if k == 0:
            torch.mul(left, factor, out=out)
        else:
            out.addcmul_(left, factor)
    return out


def _expanded(xi: Tensor, xj: Tensor, si: Tensor, sj: Tensor) -> Tensor:
    cx, cs = xj.mean(dim=1, keepdim=True), sj.mean(dim=1, keepdim=True)
    xi, xj, si, sj = xi - cx, xj - cx, si - cs, sj - cs
    return ((xi * si).sum(0)[:, None] + (xj * sj).sum(0) - xi.T @ sj - si.T @ xj)


def _tiles(n: int, m: int, size: int, symmetric: bool) -> Iterator[tuple[slice, slice]]:
    for i in _slices(n, size):
        for j in _slices(m, size):
            if not symmetric or j.start >= i.start:
                yield i, j


def pair_sums(block: Block, n: int, m: int, like: Tensor, *, symmetric: bool) -> list[PairSums]:
    """Sums over all pairs of the kernels whose (i, j) blocks ``block`` returns.

    ``symmetric``: n = m, k(i, j) = k(j, i), and pairs (i, i) are left out; only blocks on and
    above the diagonal are computed. ``block`` may return scratch: it is used up at once.
    """
    rows: list[Tensor] = []
    cols: list[Tensor] = []
    squares: list[Tensor] = []
    for i, j in _tiles(n, m, block_size(like.device), symmetric):
        for q, k in enumerate(block(i, j)):
            if q == len(rows):
                rows.append(torch.zeros(n, dtype=torch.float64, device=like.device))
                cols.append(torch.zeros(m, dtype=torch.float64, device=like.device))
                squares.append(torch.zeros((), dtype=torch.float64, device=like.device))
            if symmetric and i == j:
                k.fill_diagonal_(0.0)
            flat = k.reshape(-1)
            square = torch.dot(flat, flat).double()
            rows[q][i] += k.sum(1)
            if symmetric and i != j:
                rows[q][j] += k.sum(0)
                square = 2.0 * square
            elif not symmetric:
                cols[q][j] += k.sum(0)
            squares[q] += square
    count = n * (n - 1) if symmetric else n * m
    return [PairSums(r, r if symmetric else c, float(s), count)
            for r, c, s in zip(rows, cols, squares, strict=True)]


def worth_compiling(xt: Tensor) -> bool:
    """Whether sums over points (dim, n) are compiled: where that is on, in few dimensions."""
    return switched_on() and len(xt) <= COORDINATEWISE


def itself(xi: Tensor, xj: Tensor, first: Tensor) -> Tensor:
    """Whether column j, counted from ``first`` (0-d), is row i: (rows, columns) bool."""
    i, j = (torch.arange(t.shape[1], device=xi.device) for t in (xi, xj))
    return i[:, None] == first + j


def compiled_sums(rows: Rows, n: int, m: int, like: Tensor, *,
                  symmetric: bool) -> list[PairSums]:
    """The same from a compiled ``rows``, columns slice by slice.

    ``rows(j, across)`` gives for each kernel its sums over the columns j and the sums of its
    square, a row each; ``across`` asks for the columns as rows and the rows j as columns.
    """
    def total(count: int, across: bool) -> list[Tensor]:
        sums: list[Tensor] = []
        for j in _slices(count, _even(count)):
            found = [s.double() for s in rows(j, across)]
            sums = [a + b for a, b in zip(sums, found, strict=True)] if sums else found
        return sums

    sums = total(m, False)
    cols = sums if symmetric else total(n, True)
    pairs = n * (n - 1) if symmetric else n * m
    return [PairSums(sums[q], cols[q], float(sums[q + 1].sum()), pairs)
            for q in range(0, len(sums), 2)]


def _even(count: int) -> int:
    """Slices of one size where that can be, so that one graph serves them all."""
    return -(-count // -(-count // COLUMNS))


def u_variance(sums: PairSums) -> float:
    """Variance of the U-statistic mean_{i != j} k(x_i, x_j)."""
    n = len(sums.rows)
    first = 4.0 * float(sums.row_means().var()) / n
    second = 2.0 * sums.residual() / n**2
    return max(first - second, second)


def two_sample_variance(xx: PairSums, yy: PairSums, xy: PairSums) -> float:
    """Variance of mean k(x, x') + mean k(y, y') - 2 mean k(x, y), both sample sets random."""
    n, m = len(xx.rows), len(yy.rows)
    first = (4.0 * float((xx.row_means() - xy.row_means()).var()) / n
             + 4.0 * float((yy.row_means() - xy.col_means()).var()) / m)
    second = (2.0 * xx.residual() / n**2 + 2.0 * yy.residual() / m**2
              + 4.0 * xy.residual() / (n * m))
    return max(first - second, second)
