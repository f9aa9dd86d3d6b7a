"""The Metropolis step: a proposal is accepted so that the target distribution stays stationary.

A proposal y ~ q(. | x) is accepted with probability min(1, a),

    a = p(y) q(x | y) / (p(x) q(y | x)),

which gives detailed balance with p. The caller works out log a: the change of log p for a random
walk, less the change of kinetic energy for a leapfrog trajectory (leapfrog.py), plus the ratio of
proposal densities for a Langevin step (langevin.py).

References. N. Metropolis et al., J. Chem. Phys. 21 (1953); W. Hastings, Biometrika 57 (1970).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from bench.core.density import Density


class Evaluated(NamedTuple):
    """Points (n, dim) with a log-density (n,) and its gradient (n, dim) there."""

    x: Tensor
    log_p: Tensor
    score: Tensor


def evaluated(density: Density, x: Tensor) -> Evaluated:
    """Points x with their log-density and its gradient: a gradient evaluation each."""
    return Evaluated(x, *density.log_prob_and_score(x))


def acceptance_probability(log_ratio: Tensor) -> Tensor:
    """min(1, exp(log_ratio)), same shape; 0 where the ratio is not a number."""
    return log_ratio.clamp(-80.0, 0.0).exp().nan_to_num(0.0)  # exp is slow on far smaller ones


def metropolis(log_ratio: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
    """Which proposals are accepted, bool, and the probability that they are, both of one shape.

    ``u``, uniform in [0, 1), is taken as 1 - u in (0, 1]: single precision yields an exact 0 once
    in 2^24, which would accept any move at all. A ratio that is not a number is rejected.
    """
    return torch.log1p(-u) < log_ratio, acceptance_probability(log_ratio)


def moved(accepted: Tensor, new: Sequence[Tensor], old: Sequence[Tensor]) -> list[Tensor]:
    """Row by row the new where accepted, (n,), else the old: points (n, dim), then any or (n,).

    An answer for each entry is quicker to go by than one for each row.
    """
    entries = accepted[:, None].expand_as(new[0]).contiguous()
    return [torch.where(accepted if there.ndim == 1 else entries, there, here)
            for there, here in zip(new, old, strict=True)]
