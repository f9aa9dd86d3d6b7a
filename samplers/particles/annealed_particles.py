"""What the samplers of annealed particles share: the path, the move along it, the resampling.

The path is the geometric one from the initial law p0 = N(0, scale^2 I) to the target,

    log pi_beta(x) = log p0(x) + beta g(x),      g = log p~ - log p0,      0 <= beta <= 1,

with p0 normalised, so that pi_1 integrates to Z. A move is a Hamiltonian transition
(samplers/mcmc/hmc.py) at a fixed beta, its step jittered for each particle; it leaves pi_beta as
it is whatever the step. The step is common to all and follows the acceptance a wanted to be a*,

    log eps <- log eps + (a - a*),

which forgets at once, since the best step shrinks along the path. Particles keep log p~ and its
score, so that weights and another beta cost no evaluation.

References. R. Neal, Annealed importance sampling, Statistics and Computing 11 (2001), eq. 3;
W. Gilks, C. Berzuini, JRSS B 63 (2001), for moves after resampling; A. Jasra et al., Scand. J.
Stat. 38 (2011), for the next beta by bisection of the effective size.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor

from bench.core.compilation import compilable
from bench.core.density import Density
from bench.core.log_weights import effective_size, normalised, systematic
from samplers.base import normal, uniform
from samplers.mcmc.hmc import leapfrog
from samplers.transitions.history import choose
from samplers.transitions.metropolis import metropolis, moved

#: Half-width of the random step, relative, as in samplers/mcmc/hmc.py.
JITTER = 0.5
#: Moves at beta = 1 between resampling for a draw and giving the points.
REFRESH = 5
#: Points resampled for each one that is given: copies that never moved apart are left out.
SPARE = 1.25
#: Halvings of an interval of betas: steps down to 1e-15 are found.
HALVINGS = 50
#: Stands for the logarithm of no density at all, so that 0 times it is 0.
NOWHERE = -1e30

#: (x (n, dim), log p~(x) (n,), score (n, dim))
At = tuple[Tensor, Tensor, Tensor]


def place(target: Density, x: Tensor) -> At:
    """Particles at x, evaluated: a score row each."""
    return x, *target.log_prob_and_score(x)


def log_initial(x: Tensor, scale: float) -> Tensor:
    """log N(x; 0, scale^2 I), (n, dim) -> (n,)."""
    d = x.shape[1]
    return (-x.square().sum(1) / (2 * scale**2)
            - d * math.log(scale * math.sqrt(2 * math.pi)))


def log_ratio(x: Tensor, log_p: Tensor, scale: float) -> Tensor:
    """g = log p~ - log p0 in double precision, (n,); ``NOWHERE`` where p~ is zero or no number."""
    g = log_p.double() - log_initial(x.double(), scale)
    return g.nan_to_num(nan=NOWHERE, neginf=NOWHERE).clamp_min(NOWHERE)


class Bridge:
    """pi_beta as a density that a leapfrog can follow; ``said`` is the target's latest answer."""

    said: tuple[Tensor, Tensor]

    def __init__(self, target: Density, beta: Tensor) -> None:
        self.target, self.beta, self.scale = target, beta, target.scale

    def level(self, x: Tensor, log_p: Tensor) -> Tensor:
        """log pi_beta, (n,)."""
        return torch.lerp(log_initial(x, self.scale), log_p, self.beta)

    def pull(self, x: Tensor, score: Tensor) -> Tensor:
        """The score of pi_beta, (n, dim)."""
        return torch.lerp(-x / self.scale**2, score, self.beta)

    def score(self, x: Tensor) -> Tensor:
        """The score of pi_beta: a score row of the target's each."""
        return self.pull(x, self.target.score(x))

    def log_prob_and_score(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Both of pi_beta; both of the target are kept."""
        self.said = self.target.log_prob_and_score(x)
        return self.level(x, self.said[0]), self.pull(x, self.said[1])


@compilable
def transition(target: Density, at: At, beta: Tensor, v: Tensor, eps: Tensor, steps: int,
               u: Tensor) -> tuple[list[Tensor], Tensor]:
    """Particles after a trajectory of ``steps`` leapfrog steps at ``beta``, and who moved."""
    x, log_p, score = at
    bridge = Bridge(target, beta)
    y, w, log_there, _ = leapfrog(cast(Density, bridge), x, v, bridge.pull(x, score), eps, steps)
    log_a = log_there - bridge.level(x, log_p) - (w.square() - v.square()).sum(1) / 2
    accepted, _ = metropolis(log_a, u)
    return moved(accepted, (y, *bridge.said), at), accepted


def move(target: Density, at: At, beta: float, log_eps: Tensor, steps: int,
         rng: torch.Generator) -> tuple[At, Tensor]:
    """One transition of all particles at ``beta``: ``steps`` score rows each, and who moved."""
    n = len(at[0])
    v = normal(target, (n, target.dim), rng)
    spread = 1 - JITTER + 2 * JITTER * uniform(target, (n, 1), rng)
    (x, log_p, score), accepted = transition(
        target, at, torch.full_like(log_eps, beta), v, spread * log_eps.exp(), steps,
        uniform(target, (n,), rng))
    return (x, log_p, score), accepted


def next_beta(beta: float, g: Tensor, share: float) -> float:
    """Where the weights exp((beta' - beta) g) of populations, (m, N), have an effective size of
    ``share`` times N in the mean; 1 where they have more.
    """
    low = torch.zeros((), dtype=g.dtype, device=g.device)
    high = torch.full_like(low, 1.0 - beta)
    step = high
    for _ in range(HALVINGS):
        enough = effective_size(normalised(step * g)).mean() >= share * g.shape[1]
        low, high = torch.where(enough, step, low), torch.where(enough, high, step)
        step = (low + high) / 2
    return beta + float(torch.where(low > 0, low, high))


def redrawn(target: Density, x: Tensor, log_weights: Tensor, n: int, log_eps: Tensor, steps: int,
            rng: torch.Generator) -> Tensor:
    """At most n distinct points: resampled by weight, then moved apart at beta = 1.

    Charges ``SPARE`` (1 + ``REFRESH`` steps) score rows a point.
    """
    index = systematic(normalised(log_weights.double()), math.ceil(SPARE * n),
                       uniform(target, (1,), rng))
    at = place(target, x[index])
    for _ in range(REFRESH):
        at, _ = move(target, at, 1.0, log_eps, steps, rng)
    return choose(at[0].unique(dim=0), n, rng)
