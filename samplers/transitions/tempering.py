"""A Hamiltonian move at a given temperature between N(0, scale^2 I) and the target.

One transition of every point on its own pi_beta (interpolation.py): a leapfrog trajectory
(leapfrog.py), accepted or rejected by the change of energy (metropolis.py), so that pi_beta stays
stationary. Points keep the target's log-density and gradient, so that weights and another beta
cost no evaluation.
"""

from __future__ import annotations

from torch import Tensor

from bench.core.compilation import compilable
from bench.core.density import Density
from samplers.transitions.interpolation import Interpolated, Normal
from samplers.transitions.leapfrog import trajectory
from samplers.transitions.metropolis import Evaluated, metropolis, moved


@compilable
def tempered_move(target: Density, here: Evaluated, beta: Tensor, v: Tensor, eps: Tensor,
                  steps: int, u: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
    """(x, log p, gradient of log p) after ``steps`` leapfrog steps, or as they were.

    ``here`` is evaluated under the target; beta: 0-d or (n,); v, (n, dim), ~ N(0, I); eps: 0-d or
    (n, 1); u, (n,), ~ U[0, 1). Also which were accepted, and how probable that was, (n,) each.
    """
    base = Normal(target.scale)
    path = Interpolated(base, target, beta)
    start = path.known(here.x, base.log_prob_and_score(here.x), here[1:])
    end, _, log_a = trajectory(path, start, v, eps, steps)
    accepted, probability = metropolis(log_a, u)
    return moved(accepted, (end.x, *path.at_target), here), accepted, probability
