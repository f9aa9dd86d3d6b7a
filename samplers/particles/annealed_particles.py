"""What the samplers of annealed particles share: the path, the move along it, the resampling.

The path is the geometric one from the initial distribution p0 = N(0, scale^2 I) to the target,

    log pi_beta(x) = log p0(x) + beta r(x),      r = log p~ - log p0,      0 <= beta <= 1,

with p0 normalised, so that pi_1 integrates to Z (samplers/transitions/interpolation.py). A move is
a Hamiltonian transition at a fixed beta (samplers/transitions/tempering.py), its step jittered for
each particle; it leaves pi_beta as it is whatever the step. The step is common to all and follows
the acceptance a wanted to be a*,

    log eps <- log eps + (a - a*),

which forgets at once, since the best step shrinks along the path. Particles keep log p~ and its
score, so that weights and another beta cost no evaluation.

References. R. Neal, Annealed importance sampling, Statistics and Computing 11 (2001), eq. 3;
W. Gilks, C. Berzuini, JRSS B 63 (2001), for moves after resampling; A. Jasra et al., Scand. J.
Stat. 38 (2011), for the next beta by bisection of the effective size.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from bench.core.density import Density
from bench.core.log_weights import effective_size, normalised, systematic
from samplers.base import normal, uniform
from samplers.transitions.history import choose
from samplers.transitions.interpolation import Normal
from samplers.transitions.metropolis import Evaluated, evaluated
from samplers.transitions.tempering import tempered_move

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


def log_ratio(x: Tensor, log_p: Tensor, scale: float) -> Tensor:
    """r = log p~ - log p0 in double precision, (n,); ``NOWHERE`` where p~ is zero or no number."""
    r = log_p.double() - Normal(scale).log_prob(x.double())
    return r.nan_to_num(nan=NOWHERE, neginf=NOWHERE).clamp_min(NOWHERE)


def move(target: Density, here: Evaluated, beta: float, log_eps: Tensor, steps: int,
         rng: torch.Generator) -> tuple[Evaluated, Tensor]:
    """One transition of all particles at ``beta``: ``steps`` gradients each, and who moved."""
    n = len(here.x)
    v = normal(target, (n, target.dim), rng)
    spread = 1 - JITTER + 2 * JITTER * uniform(target, (n, 1), rng)
    found, accepted, _ = tempered_move(
        target, here, torch.full_like(log_eps, beta), v, spread * log_eps.exp(), steps,
        uniform(target, (n,), rng))
    return Evaluated(*found), accepted


def next_beta(beta: float, r: Tensor, share: float) -> float:
    """Where the weights exp((beta' - beta) r) of populations, (m, N), have an effective size of
    ``share`` times N in the mean; 1 where they have more.
    """
    low = torch.zeros((), dtype=r.dtype, device=r.device)
    high = torch.full_like(low, 1.0 - beta)
    step = high
    for _ in range(HALVINGS):
        enough = effective_size(normalised(step * r)).mean() >= share * r.shape[1]
        low, high = torch.where(enough, step, low), torch.where(enough, high, step)
        step = (low + high) / 2
    return beta + float(torch.where(low > 0, low, high))


def redrawn(target: Density, x: Tensor, log_weights: Tensor, n: int, log_eps: Tensor, steps: int,
            rng: torch.Generator) -> Tensor:
    """At most n distinct points: resampled by weight, then moved apart at beta = 1.

    Charges ``SPARE`` (1 + ``REFRESH`` steps) gradient evaluations a point.
    """
    index = systematic(normalised(log_weights.double()), math.ceil(SPARE * n),
                       uniform(target, (1,), rng))
    here = evaluated(target, x[index])
    for _ in range(REFRESH):
        here, _ = move(target, here, 1.0, log_eps, steps, rng)
    return choose(here.x.unique(dim=0), n, rng)
