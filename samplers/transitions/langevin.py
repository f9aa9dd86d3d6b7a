"""The Metropolis-adjusted Langevin proposal.

    y = x + eps s(x) + sqrt(2 eps) z,    z ~ N(0, I),    s = grad log p
    log a = log p(y) - log p(x) + log q(x | y) - log q(y | x)
    log q(y | x) = -|y - x - eps s(x)|^2 / (4 eps)

Reference. G. Roberts, R. Tweedie, Bernoulli 2 (1996), section 1.4.2.
"""

from __future__ import annotations

import torch
from torch import Tensor

from bench.core.density import Density
from samplers.transitions.metropolis import Evaluated, evaluated


def langevin(density: Density, here: Evaluated, eps: Tensor,
             z: Tensor) -> tuple[Evaluated, Tensor]:
    """The proposal, evaluated (a gradient evaluation each), and log a, (n,).

    ``eps``: (n, 1) or 0-d; ``z``: standard normal, (n, dim). Of the proposal y, y - x - eps s(x)
    is the noise itself.
    """
    noise = (2 * eps).sqrt() * z
    there = evaluated(density, torch.addcmul(here.x, eps, here.score) + noise)
    back = here.x - torch.addcmul(there.x, eps, there.score)
    log_q_ratio = ((noise.square() - back.square()) / (4 * eps)).sum(-1)
    return there, there.log_p - here.log_p + log_q_ratio
