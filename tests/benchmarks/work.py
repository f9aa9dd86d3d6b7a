"""The work that is timed, as a user has it done: samplers on a metered target, metrics on points.

``made(name, compiled)`` gives a function that does the work once and how many units that is. The
unit is what a peer does too: gradients, steps, pairs of points, points.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from bench.core.compilation import compiling
from bench.core.registry import load
from bench.core.seal import sealed
from bench.core.seeds import stream
from bench.harness.meter import Ledger, MeteredTarget
from metrics.base import Evidence
from samplers.base import Sampler
from targets.base import Target

CHAINS, PARTICLES, LEAPFROG = 1024, 500, 10
#: The step of HMC, and the square root of the step of MALA and ULA.
STEP = 0.1
#: Standard deviation of gmm4's modes; a fixed bandwidth of SVGD.
WIDTH, BANDWIDTH = 0.2, 0.5
POINTS, PROJECTIONS = 5000, 500

Once = Callable[[], Any]


class Gaussian50(Target):
    """N(0, diag(1/p)) in 50 dimensions, precisions from 1/2 to 2."""

    name = "gaussian50"
    dim = 50
    scale = 1.0

    def __init__(self) -> None:
        self._negative = -torch.linspace(0.5, 2.0, 50, dtype=torch.float64)

    def log_prob(self, x: Tensor) -> Tensor:
        return 0.5 * (x * x * self._negative).sum(1)

    def score(self, x: Tensor) -> Tensor:
        return x * self._negative

    def log_prob_and_score(self, x: Tensor) -> tuple[Tensor, Tensor]:
        score = x * self._negative
        return 0.5 * (x * score).sum(1), score


def target_of(dim: int) -> Target:
    """The four-mode mixture of the plane, or the Gaussian in 50 dimensions."""
    target = load("targets", "gmm4") if dim == 2 else Gaussian50()
    moved: Target = target.to("cpu", torch.float32)
    return moved


def stepping(sampler: Sampler, target: Target, steps: int, compiled: bool) -> Once:
    """``steps`` steps of a sampler that has left its warm-up, on a metered target."""
    face, rng = MeteredTarget(target, Ledger(target.device)), stream("speed", "work", 0)
    with sealed(), compiling(compiled):
        state = sampler.init(face, rng)

    def once() -> None:
        nonlocal state
        with sealed(), compiling(compiled):
            for _ in range(steps):
                state = sampler.step(face, state, 0.5, rng)

    return once


def chains(name: str, dim: int, compiled: bool) -> tuple[Once, float]:
    """(work, gradients) of 1,024 chains with a given step."""
    if name == "hmc":
        sampler = load("samplers", "hmc", chains=CHAINS, leapfrog_steps=LEAPFROG,
                       fixed_length=True, jitter=0.0, step_size=STEP)
        steps, gradients = 50, 50 * LEAPFROG
    elif name == "ula":
        sampler = load("samplers", "ula", chains=CHAINS, step_size=STEP**2)
        steps, gradients = 200, 200
    else:
        sampler = load("samplers", "mala", chains=CHAINS)
        steps, gradients = 200, 200
    return (stepping(sampler, target_of(dim), steps, compiled), float(CHAINS * gradients))


def svgd(fixed: bool, compiled: bool) -> tuple[Once, float]:
    """(work, steps) of 500 particles on the mixture."""
    sampler = load("samplers", "svgd", particles=PARTICLES,
                   bandwidth=BANDWIDTH if fixed else None)
    return stepping(sampler, target_of(2), 50, compiled), 50.0


def points(seed: int, n: int = POINTS) -> Tensor:
    """Exact points of the mixture."""
    return target_of(2).sample(n, stream("speed", "points", seed))


def metric(name: str, compiled: bool, n: int = POINTS, **params: Any) -> tuple[Once, float]:
    """(work, pairs) of a metric on fresh evidence: nothing is remembered."""
    target, x, y, made = target_of(2), points(0, n), points(1, n), load("metrics", name, **params)

    def once() -> None:
        with compiling(compiled):
            made.estimate(x, Evidence(target, y))

    return once, float(n) ** 2


#: name -> (unit, maker); each maker takes whether to compile.
WORK: dict[str, tuple[str, Callable[[bool], tuple[Once, float]]]] = {
    **{f"{name}, {dim}-D": ("gradients", lambda c, name=name, dim=dim: chains(name, dim, c))
       for name in ("hmc", "mala", "ula") for dim in (2, 50)},
    "svgd, fixed bandwidth": ("steps", lambda c: svgd(True, c)),
    "svgd, median heuristic": ("steps", lambda c: svgd(False, c)),
    "ksd, n = 5,000": ("pairs", lambda c: metric("ksd", c)),
    "mmd, n = 5,000": ("pairs", lambda c: metric("mmd", c)),
    "sliced W2, n = 5,000": ("pairs", lambda c: metric("sliced_w2", c, projections=PROJECTIONS)),
}
#: What compiling does nothing for.
UNCOMPILED = {"sliced W2, n = 5,000"}
