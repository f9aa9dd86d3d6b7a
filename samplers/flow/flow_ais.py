"""Annealed importance sampling from a flow q to p^alpha q^(1 - alpha), one law at a time.

The laws between are geometric and evenly spaced, so with r = log p~ - log q all of them are

    log pi_c(x) = log q(x) + c r(x),      c_j = alpha j / (M + 1),  j = 0 ... M + 1,

M of them between q (c = 0) and the goal (c = alpha). From x_0 ~ q, x_j is moved from x_{j-1} by a
kernel that keeps pi_{c_j}, j = 1 ... M, and

    log w = sum over j = 0 ... M of (c_{j+1} - c_j) r(x_j),

and E[w f(x_M)] = integral of p~^alpha q^(1 - alpha) f for any f.

With alpha = 2 and M = 1 the law between is p itself.

References. R. Neal, Annealed importance sampling, Statistics and Computing 11 (2001);
L. Midgley et al., arXiv 2208.01893, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from bench.core.density import Density
from samplers.base import normal, uniform
from samplers.flow.coupling_layers import CouplingFlow
from samplers.transitions.metropolis import metropolis, moved


@dataclass(frozen=True)
class Points:
    """Points (n, dim) with both log-densities (n,) and, where they are wanted, both scores."""

    x: Tensor
    log_q: Tensor
    log_p: Tensor
    score_q: Tensor | None = None
    score_p: Tensor | None = None

    @classmethod
    def none(cls, target: Density, scores: bool) -> Self:
        """No points yet."""
        x = torch.zeros((0, target.dim), device=target.device, dtype=target.dtype)
        return cls(x, x[:, 0], x[:, 0], *((x, x) if scores else ()))

    @classmethod
    def at(cls, target: Density, flow: CouplingFlow, x: Tensor, scores: bool) -> Self:
        """At x: a density row each, with scores a score row each."""
        if scores:
            log_p, score_p = target.log_prob_and_score(x)
            log_q, score_q = flow.log_prob_and_score(x)
            return cls(x, log_q, log_p, score_q, score_p)
        with torch.no_grad():
            return cls(x, flow.log_prob(x), target.log_prob(x))

    def ratio(self) -> Tensor:
        """r = log p~ - log q, (n,); -inf where it is no number, so that no weight is left."""
        return (self.log_p - self.log_q).nan_to_num(-torch.inf, -torch.inf, -torch.inf)

    def log_density(self, c: float) -> Tensor:
        """log pi_c, (n,)."""
        return (1 - c) * self.log_q + c * self.log_p

    def score(self, c: float) -> Tensor:
        """Gradient of log pi_c, (n, dim)."""
        assert self.score_q is not None and self.score_p is not None
        return (1 - c) * self.score_q + c * self.score_p

    def or_else(self, accepted: Tensor, old: Points) -> Points:
        """These where accepted, (n,), else the old ones."""
        scores = self.score_q is not None
        names = ("x", "log_q", "log_p", "score_q", "score_p")[:5 if scores else 3]
        return Points(*moved(accepted, tuple(getattr(self, n) for n in names),
                             tuple(getattr(old, n) for n in names)))


def random_walk(target: Density, flow: CouplingFlow, here: Points, c: float, eps: Tensor,
                rng: torch.Generator) -> tuple[Points, Tensor]:
    """One Metropolis step x + eps z that keeps pi_c: a density row each; the mean acceptance."""
    x = here.x + eps * normal(target, tuple(here.x.shape), rng)
    there = Points.at(target, flow, x, scores=False)
    log_a = there.log_density(c) - here.log_density(c)
    accepted, rate = metropolis(log_a, uniform(target, (len(x),), rng))
    return there.or_else(accepted, here), rate


def trajectory(target: Density, flow: CouplingFlow, here: Points, c: float, eps: Tensor,
               steps: int, rng: torch.Generator) -> tuple[Points, Tensor]:
    """``steps`` leapfrog steps that keep pi_c, or none: as many score rows; mean acceptance."""
    start = v = normal(target, tuple(here.x.shape), rng)
    there = here
    for _ in range(steps):
        v = v + eps / 2 * there.score(c)
        there = Points.at(target, flow, there.x + eps * v, scores=True)
        v = v + eps / 2 * there.score(c)
    log_a = (there.log_density(c) - here.log_density(c)
             - (v.square() - start.square()).sum(dim=1) / 2)
    accepted, rate = metropolis(log_a, uniform(target, (len(v),), rng))
    return there.or_else(accepted, here), rate
