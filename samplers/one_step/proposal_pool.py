"""A pool of proposals shared by all points: multiple importance sampling from kernels.

Around centres c_1 .. c_m, one point each, with a width drawn by the weights alpha of the rungs,

    u_i = c_i + s_{j(i)} e_i,        q~(u) = sum_j alpha_j (1/m) sum_k N(u; c_k, s_j^2 I),
    b(u) = exp(-E(u)) / q~(u).

Because q~ is the distribution of a point drawn at random from the pool given the centres (the
deterministic mixture of Veach and Guibas; Owen and Zhou), sum_i b(u_i) g(u_i) / m is unbiased for
the integral of exp(-E) g for every g, whatever the centres are; with g = 1 it estimates Z. Centres
may therefore be moved by anything that does not depend on the e_i.

Since each b is unbiased for the same integral, pools of earlier updates stay valid: ``Window``
keeps the latest points with their weights. Weighting an update's points by the effective size of
*its own* weights would break this (an update that catches a rare heavy point would be trusted
least, and tails be cut: covariance traces 4 % low on a bent mixture); so all count alike.

References
----------
.. [1] Owen, Zhou. Safe and effective importance sampling. JASA 95 (2000).
.. [2] Elvira, Martino, Luengo, Bugallo. Generalized multiple importance sampling. Statistical
   Science 34 (2019).
.. [3] Cappe, Guillin, Marin, Robert. Population Monte Carlo. JCGS 13 (2004).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from bench.core.density import Density
from bench.core.log_weights import FLOOR, effective_size, normalised, systematic
from samplers.base import normal, uniform
from samplers.one_step.bandwidths import Bandwidths
from samplers.one_step.kernels import log_densities


@dataclass(frozen=True)
class Pool:
    """Points (m, dim), log b (m,), the rungs' shares of the sum of b, and Kish's size over m."""

    points: Tensor
    log_weights: Tensor
    shares: Tensor
    efficiency: Tensor


def propose(target: Density, centres: Tensor, widths: Bandwidths, rng: torch.Generator) -> Pool:
    """One point from each centre, and its weight: m log-density evaluations."""
    m, dim = centres.shape
    order = torch.randperm(m, generator=rng, device=target.device)
    rung = systematic(widths.weights, m, uniform(target, (1,), rng))[order]
    ladder = torch.tensor(widths.widths, device=target.device, dtype=target.dtype)
    u = centres + ladder[rung].unsqueeze(1) * normal(target, (m, dim), rng)
    parts = log_densities(u, centres, list(widths.widths)) + widths.weights.log()
    log_q = parts.logsumexp(dim=1)
    log_b = target.log_prob(u) - log_q
    log_b = log_b.nan_to_num(-torch.inf, neginf=-torch.inf, posinf=-torch.inf)
    b = normalised(log_b)
    by_rung = (parts - log_q.unsqueeze(1)).clamp_min_(FLOOR).exp_()
    return Pool(u, log_b, b @ by_rung, effective_size(b) / m)


@dataclass(frozen=True)
class Window:
    """The latest ``room`` weighted points; a ring that is written in place."""

    points: Tensor  # (room, dim)
    log_weights: Tensor  # (room,), -inf where nothing has been written
    place: int = 0

    @classmethod
    def empty(cls, target: Density, room: int) -> Self:
        """Room for ``room`` points."""
        zeros = torch.zeros((room, target.dim), device=target.device, dtype=target.dtype)
        return cls(zeros, torch.full_like(zeros[:, 0], -torch.inf))

    def add(self, pool: Pool) -> Window:
        """With one pool more, in place of the oldest points."""
        room, m = len(self.points), len(pool.points)
        at = torch.arange(self.place, self.place + m, device=self.points.device) % room
        self.points[at] = pool.points
        self.log_weights[at] = pool.log_weights
        return Window(self.points, self.log_weights, (self.place + m) % room)

    def resample(self, n: int, target: Density, rng: torch.Generator) -> Tensor:
        """n points drawn with replacement by their weights, shape (n, dim)."""
        edges = (self.log_weights - self.log_weights.amax()).double().exp_().cumsum_(0)
        marks = uniform(target, (n,), rng).double() * edges[-1]
        return self.points[torch.searchsorted(edges, marks).clamp_max_(len(edges) - 1)]
