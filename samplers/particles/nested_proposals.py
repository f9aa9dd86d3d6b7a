"""dynesty's proposals made for a whole queue at once, so that targets are evaluated in batches.

dynesty hands a queue of tasks to a pool that works them off one by one, and each task asks for one
point after the other. Here ``prepare_sampler``, which sees the whole queue, does the work of all
tasks, and the task itself only hands over what is ready. ``evaluate`` takes points of the unit
cube, (n, dim), and gives their places in space, (n, dim), and log-likelihoods, (n,).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from dynesty.internal_samplers import RWalkSampler, SamplerReturn, UniformBoundSampler


def inside(u: np.ndarray) -> Any:  # noqa: ANN401
    """Which rows lie in the open unit cube."""
    return np.logical_and(u > 0, u < 1).all(axis=1)


def given(proposal: Any) -> Any:  # noqa: ANN401
    """What ``prepare_sampler`` has made already."""
    return proposal


class WithinBounds(UniformBoundSampler):
    """Uniform draws within the bounds, a queue at once, until enough have L > L*."""

    sample = staticmethod(given)

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(**kwargs)
        self.evaluate = kwargs["evaluate"]

    def prepare_sampler(self, loglstar: float, points: list[Any], nested_sampler: Any,  # noqa: ANN401
                        **rest: Any) -> list[SamplerReturn]:  # noqa: ANN401
        """As many proposals as there are ``points``."""
        wanted, tried, rng = len(points), 0, nested_sampler.rstate
        kept: list[SamplerReturn] = []
        while len(kept) < wanted:
            rate = (1 + len(kept)) / (1 + tried)
            u = nested_sampler.bound.samples(math.ceil((wanted - len(kept)) / max(rate, 0.05)),
                                             rstate=rng)
            u = u[inside(u)]
            v, log_l = self.evaluate(u)
            kept += [SamplerReturn(u[i], v[i], log_l[i], 0, [], None, None)
                     for i in np.flatnonzero(log_l > loglstar)]
            tried += len(u)
        each = math.ceil(tried / wanted)
        return [proposal._replace(ncalls=each) for proposal in kept[:wanted]]


class Walk(RWalkSampler):
    """Random walks from live points within L > L*, a queue at once."""

    sample = staticmethod(given)

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(**kwargs)
        self.evaluate = kwargs["evaluate"]

    def prepare_sampler(self, loglstar: float, points: list[Any], axes: list[Any],
                        nested_sampler: Any, **rest: Any) -> list[SamplerReturn]:  # noqa: ANN401
        """A walk from each of the ``points``; one that never moves gives its start again."""
        u, root, walks = np.array(points), np.array(axes), int(self.sampler_kwargs["walks"])
        n, dim = u.shape
        v, log_l, moves = np.empty_like(u), np.empty(n), np.zeros(n, dtype=int)
        rng = nested_sampler.rstate
        for _ in range(walks):
            z = rng.standard_normal((n, dim))
            ball = z * (rng.random((n, 1)) ** (1 / dim) / np.linalg.norm(z, axis=1, keepdims=True))
            there = u + self.scale * np.einsum("nij,nj->ni", root, ball)
            may = np.flatnonzero(inside(there))
            there_v, there_l = self.evaluate(there[may])
            above = there_l > loglstar
            moved = may[above]
            u[moved], v[moved], log_l[moved] = there[moved], there_v[above], there_l[above]
            moves[moved] += 1
        stuck = moves == 0
        v[stuck], log_l[stuck] = self.evaluate(u[stuck])
        return [SamplerReturn(u[i], v[i], log_l[i], walks, [], {
            "accept": moves[i], "reject": walks - moves[i], "scale": self.scale}, None)
            for i in range(n)]
