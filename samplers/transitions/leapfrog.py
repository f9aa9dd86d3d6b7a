"""Leapfrog trajectories of Hamiltonian dynamics, and when one has diverged.

With a momentum v ~ N(0, I), H(x, v) = -log p(x) + |v|^2/2 is conserved by Hamilton's equations.
The leapfrog scheme follows them,

    v <- v + eps/2 s(x);  x <- x + eps v;  v <- v + eps/2 s(x),          s = grad log p,

with an error of H of order eps^2 over a fixed time. It keeps volume and runs backward when v is
reversed, so that accepting the end with probability min(1, exp(H(start) - H(end))) leaves p
stationary. Beyond the limit of stability (eps times the square root of the largest curvature
above 2) H grows without bound: the trajectory *diverges*, which says that the step is too large
for some part of the space and that the chains may never enter it.

References. R. Neal, MCMC using Hamiltonian dynamics (2011), section 2.3; M. Betancourt, arXiv
1701.02434 (2017), section 6.2, for divergences; the threshold of 1000 is Stan's.
"""

from __future__ import annotations

import torch
from torch import Tensor

from bench.core.density import Density
from samplers.transitions.metropolis import Evaluated

#: A rise of H after which a trajectory has left its level set.
DIVERGENT = 1000.0


def leapfrog(density: Density, x: Tensor, v: Tensor, score: Tensor, eps: Tensor,
             steps: int) -> tuple[Evaluated, Tensor]:
    """``steps`` leapfrog steps from x, v, (n, dim): the end, evaluated, and its momentum.

    ``score`` is that at x; eps, (n, 1) or 0-d, may be negative. A gradient evaluation a step. The
    two half steps of v that meet between steps are made as one; addcmul(v, eps, s) is v + eps s.
    """
    eps = eps.expand_as(x).contiguous()  # quicker to multiply by than one number a row
    v = torch.addcmul(v, eps, score, value=0.5)
    for _ in range(steps - 1):
        x = torch.addcmul(x, eps, v)
        v = torch.addcmul(v, eps, density.score(x))
    x = torch.addcmul(x, eps, v)
    log_p, score = density.log_prob_and_score(x)
    return Evaluated(x, log_p, score), torch.addcmul(v, eps, score, value=0.5)


def trajectory(density: Density, start: Evaluated, v: Tensor, eps: Tensor,
               steps: int) -> tuple[Evaluated, Tensor, Tensor]:
    """The end of a trajectory, its momentum, and log a = H(start) - H(end), (n,)."""
    end, w = leapfrog(density, start.x, v, start.score, eps, steps)
    return end, w, end.log_p - start.log_p - (w.square() - v.square()).sum(-1) / 2


def divergent(fall: Tensor) -> Tensor:
    """Whether trajectories diverged whose energy H fell by so much, (n,) -> (n,) bool.

    An energy that is not a number counts as infinite.
    """
    return ~(fall > -DIVERGENT)
