"""The geometric path between two densities; each density on it is itself a ``Density``.

With a base p0 and a target p,

    log pi_beta(x) = (1 - beta) log p0(x) + beta log p(x)
                   = log p0(x) + beta r(x),                          r = log p - log p0,
    grad log pi_beta(x) = (1 - beta) grad log p0(x) + beta grad log p(x),

so that pi_0 = p0 and pi_1 = p; beta above 1 extrapolates (p^2 / p0 at beta = 2). An evaluation of
pi_beta evaluates each end once and is charged as an evaluation of the target. Nothing of the ends
depends on beta: ``Interpolated`` keeps what they gave at the latest points, so that a transition
can hand it on and the same points need not be evaluated again at another beta.

Reference. R. Neal, Annealed importance sampling, Statistics and Computing 11 (2001), equation 3.
"""

from __future__ import annotations

import math
from typing import Protocol

from torch import Tensor

from bench.core.density import Density
from samplers.transitions.metropolis import Evaluated


class Base(Protocol):
    """What a path needs of the density it starts from."""

    def log_prob(self, x: Tensor) -> Tensor:
        """log p0, (n, dim) -> (n,)."""

    def score(self, x: Tensor) -> Tensor:
        """Its gradient, (n, dim)."""

    def log_prob_and_score(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Both."""

    def hvp(self, x: Tensor, v: Tensor) -> Tensor:
        """Its Hessian at each point times a vector, (n, dim)."""


class Normal:
    """N(0, scale^2 I), where every sampler starts, with its constant: log p0 integrates to 1."""

    def __init__(self, scale: float) -> None:
        self.scale = scale

    def log_prob(self, x: Tensor) -> Tensor:
        """(n, dim) -> (n,)."""
        return (-x.square().sum(-1) / (2 * self.scale**2)
                - x.shape[-1] * math.log(self.scale * math.sqrt(2 * math.pi)))

    def score(self, x: Tensor) -> Tensor:
        """-x / scale^2."""
        return -x / self.scale**2

    def log_prob_and_score(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Both."""
        return self.log_prob(x), self.score(x)

    def hvp(self, x: Tensor, v: Tensor) -> Tensor:
        """-v / scale^2."""
        return -v / self.scale**2


class Interpolated:
    """pi_beta between a base and a target; ``beta`` is a number, 0-d, or (n,): each point's own.

    ``at_base`` and ``at_target``: what the ends gave at the latest points whose log-density was
    asked for, (log p,) or (log p, gradient).
    """

    at_base: tuple[Tensor, ...]
    at_target: tuple[Tensor, ...]

    def __init__(self, base: Base, target: Density, beta: float | Tensor) -> None:
        self.base, self.target, self.beta = base, target, beta
        self.dim, self.scale = target.dim, target.scale
        self.device, self.dtype = target.device, target.dtype

    def mixed(self, of_base: Tensor, of_target: Tensor) -> Tensor:
        """(1 - beta) of the base's and beta of the target's: log-densities, or vectors."""
        beta = self.beta
        if isinstance(beta, Tensor) and beta.ndim < of_base.ndim and beta.ndim:
            beta = beta[:, None]
        return (1 - beta) * of_base + beta * of_target

    def log_prob(self, x: Tensor) -> Tensor:
        """log pi_beta, (n,)."""
        self.at_base, self.at_target = (self.base.log_prob(x),), (self.target.log_prob(x),)
        return self.mixed(self.at_base[0], self.at_target[0])

    def score(self, x: Tensor) -> Tensor:
        """Its gradient, (n, dim)."""
        return self.mixed(self.base.score(x), self.target.score(x))

    def log_prob_and_score(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Both."""
        self.at_base = self.base.log_prob_and_score(x)
        self.at_target = self.target.log_prob_and_score(x)
        return self.known(x, self.at_base, self.at_target)[1:]

    def hvp(self, x: Tensor, v: Tensor) -> Tensor:
        """Its Hessian at each point times a vector, (n, dim)."""
        return self.mixed(self.base.hvp(x, v), self.target.hvp(x, v))

    def known(self, x: Tensor, at_base: tuple[Tensor, ...],
              at_target: tuple[Tensor, ...]) -> Evaluated:
        """pi_beta where both ends, (log p, gradient) each, are known: no evaluation."""
        return Evaluated(x, self.mixed(at_base[0], at_target[0]),
                         self.mixed(at_base[1], at_target[1]))
