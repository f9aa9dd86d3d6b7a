"""Draws of what a noised point was: p(x | x_t) for x_t = a x + b e, x of the target p.

Annealed importance sampling (Neal, Statistics and Computing 11, 2001) along the posteriors of
priors between a wide normal law and the target,

    pi_s(x)  ~  N(x_t; a x, b^2 I) p(x)^s N(x; 0, tau^2 I)^(1 - s),    s = 0 .. 1.

pi_0 is normal and is drawn exactly. Of each x_t, ``candidates`` chains start there; with s_j =
j/J, a Metropolis-adjusted Langevin transition leaves pi_{s_j} invariant for j = 1 .. J - 1, and

    log w = sum_{j=0}^{J-1} (s_{j+1} - s_j) ( log p(x^(j)) + |x^(j)|^2 / (2 tau^2) )

weighs a chain that stands at x^(j) when s_j is left. One chain is kept, drawn in proportion to
w, and goes on under pi_1, the posterior itself. Only the ratio of p to the normal law enters, so
that a path through the likelihood's own scale, b / a (far outside the target where a is small),
is not needed. Lengths are in units of the declared scale.

A row is spent on each chain's start and on each proposal: of n points, n (candidates J + K) score
rows for J temperatures and K transitions under the posterior.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bench.core.density import Density
from samplers.base import normal, uniform
from samplers.transitions.metropolis import metropolis, moved

#: A chain: points (n, dim), the target's log-density there (n,), its score there (n, dim).
Chain = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class Bridge:
    """pi_s of noised points x_t (n, dim), with a and b (n, 1) and tau; see the module."""

    x_t: Tensor
    a: Tensor
    b: Tensor
    tau: float

    def repeated(self, times: int) -> Bridge:
        """Each point so many times in a row."""
        rows = [part.repeat_interleave(times, dim=0) for part in (self.x_t, self.a, self.b)]
        return Bridge(rows[0], rows[1], rows[2], self.tau)

    @property
    def variance(self) -> Tensor:
        """That of pi_0 in each coordinate, (n, 1)."""
        return 1.0 / ((self.a / self.b).square() + self.tau**-2)

    def start(self, z: Tensor) -> Tensor:
        """Points of pi_0, (n, dim), from standard normal z."""
        v = self.variance
        return v * self.a * self.x_t / self.b.square() + v.sqrt() * z

    def log_ratio(self, chain: Chain) -> Tensor:
        """log p(x) + |x|^2 / (2 tau^2), by which pi_s changes with s: (n,)."""
        x, log_p, _ = chain
        return log_p + x.square().sum(dim=1) / (2 * self.tau**2)

    def log_density(self, chain: Chain, s: float) -> Tensor:
        """log pi_s up to a constant, (n,)."""
        x, log_p, _ = chain
        likelihood = ((self.x_t - self.a * x) / self.b).square().sum(dim=1)
        wide = x.square().sum(dim=1) / self.tau**2
        return s * log_p - (1.0 - s) * wide / 2 - likelihood / 2

    def score(self, chain: Chain, s: float) -> Tensor:
        """grad log pi_s, (n, dim)."""
        x, _, score = chain
        return (s * score - (1.0 - s) * x / self.tau**2
                + self.a * (self.x_t - self.a * x) / self.b.square())


def evaluate(target: Density, x: Tensor) -> Chain:
    """A chain at x, in units of the scale: what is no number there has no density."""
    log_p, score = target.log_prob_and_score(target.scale * x)
    finite = log_p.isfinite() & score.isfinite().all(dim=1)
    return (x, torch.where(finite, log_p, -torch.inf),
            torch.where(finite[:, None], target.scale * score, 0.0))


def transition(target: Density, bridge: Bridge, at: Chain, s: float, eps: Tensor, z: Tensor,
               u: Tensor) -> tuple[Chain, Tensor]:
    """One Langevin proposal, accepted or refused so that pi_s stays: the chain, who moved (n,).

    As in ``mala``, except that the law changes between transitions: what is kept of a point is p
    there, and not pi_s. ``eps``: the steps, (n, 1).
    """
    noise = (2 * eps).sqrt() * z
    y = at[0] + eps * bridge.score(at, s) + noise
    there = evaluate(target, y)
    back = at[0] - y - eps * bridge.score(there, s)
    log_q_ratio = ((noise.square() - back.square()) / (4 * eps)).sum(dim=1)
    log_a = bridge.log_density(there, s) - bridge.log_density(at, s) + log_q_ratio
    accepted, _ = metropolis(log_a, u)
    x, log_p, score = moved(accepted, there, at)
    return (x, log_p, score), accepted


@torch.no_grad()
def annealed(target: Density, bridge: Bridge, candidates: int, steps: Tensor,
             rng: torch.Generator) -> tuple[Chain, Tensor]:
    """One draw of (nearly) each posterior, n of them, and the acceptance of each transition.

    ``steps``, (n, J - 1): those of the transitions, in units of the variance of pi_0. The
    acceptances, (n, J - 1), are means over the candidates.
    """
    n, temperatures = len(bridge.x_t), steps.shape[1] + 1
    wide = bridge.repeated(candidates)
    shape = tuple(wide.x_t.shape)
    chain = evaluate(target, wide.start(normal(target, shape, rng)))
    log_w = wide.log_ratio(chain) / temperatures
    rates = torch.empty_like(steps)
    for j in range(1, temperatures):
        eps = steps[:, j - 1:j].repeat_interleave(candidates, dim=0) * wide.variance
        chain, accepted = transition(target, wide, chain, j / temperatures, eps,
                                     normal(target, shape, rng),
                                     uniform(target, shape[:1], rng))
        log_w += wide.log_ratio(chain) / temperatures
        rates[:, j - 1] = accepted.view(n, candidates).to(rates.dtype).mean(dim=1)
    # the largest of log w + Gumbel noise is a draw in proportion to w
    gumbel = -(-torch.log1p(-uniform(target, shape[:1], rng))).log()
    pick = (log_w + gumbel).view(n, candidates).argmax(dim=1)
    pick += torch.arange(n, device=pick.device) * candidates
    return (chain[0][pick], chain[1][pick], chain[2][pick]), rates


@torch.no_grad()
def continued(target: Density, bridge: Bridge, chain: Chain, count: int, step: Tensor,
              rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """``count`` transitions under the posterior: mean x and score, (n, dim); acceptance, (n,).

    The means are over the points after each transition. ``step``, (n, 1), is in units of the
    variance of pi_0.
    """
    eps, shape = step * bridge.variance, tuple(chain[0].shape)
    points, scores, moves = [], [], []
    for _ in range(count):
        chain, accepted = transition(target, bridge, chain, 1.0, eps, normal(target, shape, rng),
                                     uniform(target, shape[:1], rng))
        points.append(chain[0])
        scores.append(chain[2])
        moves.append(accepted.to(step.dtype))
    return torch.stack(points).mean(0), torch.stack(scores).mean(0), torch.stack(moves).mean(0)
