"""Annealed importance sampling from a flow q to p^alpha q^(1 - alpha), one density at a time.

The densities between are geometric and evenly spaced (samplers/transitions/interpolation.py with
the flow as its base), so with r = log p~ - log q all of them are

    log pi_c(x) = log q(x) + c r(x),      c_j = alpha j / (M + 1),  j = 0 ... M + 1,

M of them between q (c = 0) and the goal (c = alpha). From x_0 ~ q, x_j is moved from x_{j-1} by a
kernel that keeps pi_{c_j}, j = 1 ... M, and

    log w = sum over j = 0 ... M of (c_{j+1} - c_j) r(x_j),

and E[w f(x_M)] = integral of p~^alpha q^(1 - alpha) f for any f.

With alpha = 2 and M = 1 the density between is p itself.

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
from samplers.transitions.interpolation import Interpolated
from samplers.transitions.leapfrog import trajectory
from samplers.transitions.metropolis import metropolis, moved


@dataclass(frozen=True)
class Points:
    """Points (n, dim), and what q and p~ say there: (log-density,) or (log-density, gradient)."""

    x: Tensor
    at_q: tuple[Tensor, ...]
    at_p: tuple[Tensor, ...]

    @classmethod
    def none(cls, target: Density, scores: bool) -> Self:
        """No points yet."""
        x = torch.zeros((0, target.dim), device=target.device, dtype=target.dtype)
        nothing = (x[:, 0], x) if scores else (x[:, 0],)
        return cls(x, nothing, nothing)

    @classmethod
    def at(cls, target: Density, flow: CouplingFlow, x: Tensor, scores: bool) -> Self:
        """At x: a log-density evaluation each, or with scores a gradient evaluation each."""
        if scores:
            return cls(x, flow.log_prob_and_score(x), target.log_prob_and_score(x))
        with torch.no_grad():
            return cls(x, (flow.log_prob(x),), (target.log_prob(x),))

    def ratio(self) -> Tensor:
        """r = log p~ - log q, (n,); -inf where it is no number, so that no weight is left."""
        return (self.at_p[0] - self.at_q[0]).nan_to_num(-torch.inf, -torch.inf, -torch.inf)

    def or_else(self, accepted: Tensor, old: Points) -> Points:
        """These where accepted, (n,), else the old ones."""
        x, *both = moved(accepted, (self.x, *self.at_q, *self.at_p),
                         (old.x, *old.at_q, *old.at_p))
        half = len(both) // 2
        return Points(x, tuple(both[:half]), tuple(both[half:]))


def random_walk(target: Density, flow: CouplingFlow, here: Points, c: float, eps: Tensor,
                rng: torch.Generator) -> tuple[Points, Tensor]:
    """One Metropolis step x + eps z that keeps pi_c: a log-density each; the mean acceptance."""
    path = Interpolated(flow, target, c)
    x = here.x + eps * normal(target, tuple(here.x.shape), rng)
    with torch.no_grad():
        log_a = path.log_prob(x) - path.mixed(here.at_q[0], here.at_p[0])
    accepted, probability = metropolis(log_a, uniform(target, (len(x),), rng))
    there = Points(x, path.at_base, path.at_target)
    return there.or_else(accepted, here), probability.mean()


def hamiltonian(target: Density, flow: CouplingFlow, here: Points, c: float, eps: Tensor,
                steps: int, rng: torch.Generator) -> tuple[Points, Tensor]:
    """A trajectory of ``steps`` leapfrog steps that keeps pi_c, or none; the mean acceptance.

    As many gradient evaluations a point.
    """
    path = Interpolated(flow, target, c)
    v = normal(target, tuple(here.x.shape), rng)
    end, _, log_a = trajectory(path, path.known(here.x, here.at_q, here.at_p), v, eps, steps)
    accepted, probability = metropolis(log_a, uniform(target, (len(v),), rng))
    there = Points(end.x, path.at_base, path.at_target)
    return there.or_else(accepted, here), probability.mean()
