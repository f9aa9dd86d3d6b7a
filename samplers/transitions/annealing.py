"""Paths of distributions from the start to the target, for samplers that follow their scores.

With pi the target, p_0 = N(0, scale^2 I) the start of every sampler and lambda = t / T in [0, 1]
(V. Ilin et al., arXiv 2504.18130, by its code Vilin97/SBTM-sampling),

    geometric:  log pi_lambda(x) = lambda log pi(x) + (1 - lambda) log p_0(x)   (interpolation.py),
    dilation:   log pi_lambda(x) = log pi(x / lambda),   lambda >= .2,

so that the target grows out of the start, or out of the origin. The score of the dilation is

    1 / lambda  (grad log pi)(x / lambda).

The code leaves out the factor 1 / lambda, which is then not the score of the dilated distribution;
``chain_rule = False`` reproduces that. With the factor a dilated distribution is 1 / lambda^2
times as steep as the target: an explicit step dt is stable only below 2 lambda^2 / L, L being the
target's largest curvature, so below .08 / L at the start.
"""

from __future__ import annotations

from typing import Literal, get_args

from torch import Tensor

from bench.core.density import Density
from samplers.transitions.interpolation import Interpolated, Normal

Path = Literal["geometric", "dilation"]
PATHS: tuple[Path, ...] = get_args(Path)

#: The dilation starts here: at lambda = 0 all mass would lie in the origin.
LEAST_DILATION = 0.2


def check_path(path: str) -> None:
    """ValueError where there is no such path."""
    if path not in PATHS:
        raise ValueError(f"path must be {' or '.join(PATHS)}, not {path!r}")


def path_score(target: Density, x: Tensor, lam: float, path: Path,
               chain_rule: bool = True) -> Tensor:
    """grad log pi_lambda at x, (n, dim) -> (n, dim): a gradient evaluation a point."""
    if path == "geometric":
        return Interpolated(Normal(target.scale), target, lam).score(x)
    lam = max(lam, LEAST_DILATION)
    score = target.score(x / lam)
    return score / lam if chain_rule else score
