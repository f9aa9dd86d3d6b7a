"""Draws of what a noised point was: p(x | x_t) for x_t = a x + b e, x of the target p.

Annealed importance sampling (Neal, Statistics and Computing 11, 2001) along the posteriors of
priors between a wide normal distribution and the target,

    pi_s(x)  ~  N(x_t; a x, b^2 I) p(x)^s N(x; 0, tau^2 I)^(1 - s),    s = 0 .. 1.

pi_0 is normal and is drawn exactly. Of each x_t, ``candidates`` chains start there; with s_j =
j/J, a Metropolis-adjusted Langevin transition leaves pi_{s_j} invariant for j = 1 .. J - 1, and

    log w = sum_{j=0}^{J-1} (s_{j+1} - s_j) ( log p(x^(j)) + |x^(j)|^2 / (2 tau^2) )

is the log-weight of a chain that stands at x^(j) when s_j is left. One chain is kept, drawn in
proportion to w, and goes on under pi_1, the posterior itself. Only the ratio of p to the normal
distribution enters, so that a path through the likelihood's own scale, b / a (far outside the
target where a is small), is not needed. Lengths are in units of the declared scale.

A gradient evaluation is spent on each chain's start and on each proposal: for n points,
n (candidates J + K) for J temperatures and K transitions under the posterior.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bench.core.density import Density
from samplers.base import normal, uniform
from samplers.transitions.interpolation import Interpolated, Normal
from samplers.transitions.langevin import langevin
from samplers.transitions.metropolis import Evaluated, evaluated, metropolis, moved


class InUnits:
    """The target in units of its declared scale; what is no number there has no density."""

    scale = 1.0

    def __init__(self, target: Density) -> None:
        self.target, self.dim = target, target.dim
        self.device, self.dtype = target.device, target.dtype

    def log_prob(self, x: Tensor) -> Tensor:
        """(n, dim) -> (n,)."""
        log_p = self.target.log_prob(self.target.scale * x)
        return torch.where(log_p.isfinite(), log_p, -torch.inf)

    def score(self, x: Tensor) -> Tensor:
        """Its gradient, (n, dim)."""
        return self.log_prob_and_score(x)[1]

    def log_prob_and_score(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Both."""
        log_p, score = self.target.log_prob_and_score(self.target.scale * x)
        finite = log_p.isfinite() & score.isfinite().all(dim=1)
        return (torch.where(finite, log_p, -torch.inf),
                torch.where(finite[:, None], self.target.scale * score, 0.0))

    def hvp(self, x: Tensor, v: Tensor) -> Tensor:
        """Its Hessian times v, (n, dim)."""
        return self.target.scale**2 * self.target.hvp(self.target.scale * x, v)


@dataclass(frozen=True)
class Noised:
    """Noised points x_t (n, dim), with a and b (n, 1) and tau; see the module."""

    x_t: Tensor
    a: Tensor
    b: Tensor
    tau: float

    def repeated(self, times: int) -> Noised:
        """Each point so many times in a row."""
        rows = [part.repeat_interleave(times, dim=0) for part in (self.x_t, self.a, self.b)]
        return Noised(rows[0], rows[1], rows[2], self.tau)

    @property
    def variance(self) -> Tensor:
        """That of pi_0 in each coordinate, (n, 1)."""
        return 1.0 / ((self.a / self.b).square() + self.tau**-2)

    def start(self, z: Tensor) -> Tensor:
        """Points of pi_0, (n, dim), from standard normal z."""
        v = self.variance
        return v * self.a * self.x_t / self.b.square() + v.sqrt() * z

    def log_ratio(self, chain: Evaluated) -> Tensor:
        """log p(x) + |x|^2 / (2 tau^2), by which pi_s changes with s: (n,)."""
        return chain.log_p + chain.x.square().sum(dim=1) / (2 * self.tau**2)


class Posterior:
    """pi_s as a density: the path from N(0, tau^2 I) to p, times the likelihood of the x_t."""

    def __init__(self, target: Density, noised: Noised, s: float) -> None:
        self.noised = noised
        self.prior = Interpolated(Normal(noised.tau), InUnits(target), s)
        self.dim, self.scale = target.dim, 1.0
        self.device, self.dtype = target.device, target.dtype

    def likelihood(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """log N(x_t; a x, b^2 I) up to a constant, (n,), and its gradient by x, (n, dim)."""
        y = self.noised
        misfit = (y.x_t - y.a * x) / y.b
        return -misfit.square().sum(dim=1) / 2, y.a / y.b * misfit

    def log_prob(self, x: Tensor) -> Tensor:
        """log pi_s up to a constant, (n,)."""
        return self.prior.log_prob(x) + self.likelihood(x)[0]

    def score(self, x: Tensor) -> Tensor:
        """Its gradient, (n, dim)."""
        return self.prior.score(x) + self.likelihood(x)[1]

    def log_prob_and_score(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Both."""
        return self.given(Evaluated(x, *self.prior.log_prob_and_score(x)))[1:]

    def hvp(self, x: Tensor, v: Tensor) -> Tensor:
        """Its Hessian at each point times a vector, (n, dim)."""
        return self.prior.hvp(x, v) - (self.noised.a / self.noised.b).square() * v

    def given(self, prior: Evaluated) -> Evaluated:
        """pi_s where the prior is known."""
        log_l, pull = self.likelihood(prior.x)
        return Evaluated(prior.x, prior.log_p + log_l, prior.score + pull)

    def known(self, chain: Evaluated) -> Evaluated:
        """pi_s where log p and its gradient, in units of the scale, are known: no evaluation."""
        base = self.prior.base.log_prob_and_score(chain.x)
        return self.given(self.prior.known(chain.x, base, chain[1:]))


def transition(target: Density, noised: Noised, here: Evaluated, s: float, eps: Tensor, z: Tensor,
               u: Tensor) -> tuple[Evaluated, Tensor]:
    """One Langevin proposal, accepted or rejected so that pi_s stays: the chain, who moved (n,).

    pi_s changes between transitions: what is kept of a point is log p and its gradient there, in
    units of the scale, and not those of pi_s. ``eps``: the steps, (n, 1).
    """
    posterior = Posterior(target, noised, s)
    there, log_a = langevin(posterior, posterior.known(here), eps, z)
    accepted, _ = metropolis(log_a, u)
    return Evaluated(*moved(accepted, (there.x, *posterior.prior.at_target), here)), accepted


@torch.no_grad()
def annealed(target: Density, noised: Noised, candidates: int, steps: Tensor,
             rng: torch.Generator) -> tuple[Evaluated, Tensor]:
    """One draw of (nearly) each posterior, n of them, and the acceptance of each transition.

    ``steps``, (n, J - 1): those of the transitions, in units of the variance of pi_0. The
    acceptances, (n, J - 1), are means over the candidates.
    """
    n, temperatures = len(noised.x_t), steps.shape[1] + 1
    wide = noised.repeated(candidates)
    shape = tuple(wide.x_t.shape)
    chain = evaluated(InUnits(target), wide.start(normal(target, shape, rng)))
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
    return Evaluated(*(part[pick] for part in chain)), rates


@torch.no_grad()
def continued(target: Density, noised: Noised, chain: Evaluated, count: int, step: Tensor,
              rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """``count`` transitions under the posterior: mean x and score, (n, dim); acceptance, (n,).

    The means are over the points after each transition. ``step``, (n, 1), is in units of the
    variance of pi_0.
    """
    eps, shape = step * noised.variance, tuple(chain.x.shape)
    points, scores, moves = [], [], []
    for _ in range(count):
        chain, accepted = transition(target, noised, chain, 1.0, eps, normal(target, shape, rng),
                                     uniform(target, shape[:1], rng))
        points.append(chain.x)
        scores.append(chain.score)
        moves.append(accepted.to(step.dtype))
    return torch.stack(points).mean(0), torch.stack(scores).mean(0), torch.stack(moves).mean(0)
