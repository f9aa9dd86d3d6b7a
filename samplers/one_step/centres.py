"""Where the pool of multiscale drifting is proposed from.

The pool's density knows where its centres are, so that any will do. Three kinds are used: the
support y, fresh points of the generator; ``scouts``, the points of the window with the largest b,
where p was found heavier than proposed (without them the pools miss the ends of thin tails, and
the generator then has no centres there: a vicious circle); and ``walkers``, chains of MALA from
the initial distribution, a gradient evaluation each an update, which bring places that the
generator has not reached. Without walkers the method uses no gradient; in the plane nothing is
lost then, and on an eight-mode mixture in ten dimensions little (docs/drifting.md). A mode in
whose basin no walker starts may never be proposed to; restarts keep looking.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from bench.core.density import Density
from samplers.base import initial_points
from samplers.mcmc.mala import Mala, MalaState
from samplers.transitions.metropolis import evaluated


def start_walkers(target: Density, count: int, rng: torch.Generator) -> MalaState | None:
    """``count`` chains from the initial distribution, a gradient evaluation each; None for 0."""
    return Mala(chains=count).init(target, rng) if count else None


def walked(target: Density, walkers: MalaState, restarts: int, updates: int, progress: float,
           rng: torch.Generator) -> MalaState:
    """The chains one transition later, after the next ``restarts`` in turn were put anew."""
    count = len(walkers.x)
    if restarts:
        walkers = restarted(target, walkers, restarts, updates, rng)
    return Mala(chains=count).step(target, walkers, progress, rng)


def restarted(target: Density, walkers: MalaState, restarts: int, updates: int,
              rng: torch.Generator) -> MalaState:
    """The next ``restarts`` chains at initial points: a gradient evaluation each."""
    rows = torch.arange(restarts, device=target.device) + updates * restarts
    rows = (rows % len(walkers.x)).unsqueeze(1)
    x, log_p, score = evaluated(target, initial_points(target, restarts, rng))
    across = rows.expand_as(x)
    return replace(walkers, x=walkers.x.scatter(0, across, x),
                   log_p=walkers.log_p.scatter(0, rows[:, 0], log_p),
                   score=walkers.score.scatter(0, across, score))
