r"""Nested sampling by dynesty: live points climb the likelihood while the prior volume shrinks.

Theory. With the prior pi = N(0, (width scale)^2 I) and the likelihood L = p~ / pi,

    Z = int L pi dx = int_0^1 L(X) dX,      X(l) = the prior mass where L > l.

N live points are kept. In turn the one of least likelihood, L*, dies and is replaced by a draw of
the prior where L > L*, by which the mass shrinks by N / (N + 1) in the mean of its reciprocal
(dynesty's choice); the dead points, and in the end the live ones, have the weights L dX
(trapezoids) and follow p. A run ends when the live points can add no more than ``dlogz`` to log Z.

A step drives dynesty's own loop over the deaths that about ``slice`` evaluations pay for. When a
run ends another begins, and all are merged, the unfinished one and its live points included: with
all points in order of L and K the number of points alive in all runs, X shrinks by K / (K + 1) at
each death. So a larger budget has the effect of more live points. The error of log Z is dynesty's
for merged runs (root of the accumulated dH dlogX): on the kit's skewed distribution .136 where 30
runs of 200 live points scatter by .100 (.013).

A draw resamples without giving a point twice: it takes n <= sum w / max w points at equal
distances of the cumulated weights, so that the point j is in it with probability n w_j, exactly.
Hence a young run gives fewer points than are wanted.

References. J. Skilling, Nested sampling for general Bayesian computation, Bayesian Analysis 1
(2006); J. Speagle, dynesty, MNRAS 493 (2020), eqs 16 to 18, and section 3 for merging;
F. Feroz, M. Hobson, M. Bridges, MNRAS 398 (2009), for bounds of several ellipsoids.

Departures. dynesty (bounds, deaths, tuning, integrals) evaluates point by point; its proposals,
uniform within the bounds below ``DIM_WALK`` dimensions and random walks from there on, as it
would choose, are made here for a whole queue at once (samplers/particles/nested_proposals.py).
Above 20 dimensions it would take slices.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from dynesty import NestedSampler
from dynesty.utils import compute_integrals
from torch import Tensor

from bench.core.density import Density
from bench.core.log_weights import LogWeights, effective_size, normalised, systematic
from samplers.base import Sampler, on_host, uniform
from samplers.particles.nested_proposals import Walk, WithinBounds
from samplers.transitions.history import choose
from samplers.transitions.interpolation import Normal

#: Dimensions from which replacements are walked to; below, they are drawn within the bounds.
DIM_WALK = 10
#: Factor of the bounds' volume where it is not found by bootstrap, as in dynesty.
ENLARGE = 1.25
#: log of no likelihood, as in dynesty.
NOWHERE = -1e300


class Run:
    """One run of dynesty. It keeps the target's answers, so that it can be replayed from them."""

    def __init__(self, setup: Nested, target: Density, seed: int) -> None:
        self.setup, self.seed = setup, seed
        self.dim, self.sd = target.dim, setup.width * target.scale
        self.device, self.dtype = target.device, target.dtype
        self.target: Density | None = target
        self.record: np.ndarray = np.empty(0)
        self._begin()
        self.target = None

    def _begin(self) -> None:
        """The live points, and dynesty's loop before its first death."""
        self.answers: list[np.ndarray] = []
        self.replayed = self.evaluations = self.deaths = 0
        rng, live = np.random.default_rng(self.seed), self.setup.live
        u = rng.random((live, self.dim))
        v, log_l = self.evaluate(u)
        walks = self.dim >= DIM_WALK
        kind, bootstrap = (Walk, 0) if walks else (WithinBounds, self.setup.bootstrap)
        self.inner = NestedSampler(
            None, None, self.dim, nlive=live, live_points=(u, v, log_l), rstate=rng,
            sample=kind(ndim=self.dim, evaluate=self.evaluate, walks=20 + self.dim),
            pool=SimpleNamespace(map=map), queue_size=self.setup.queue,
            use_pool={"update_bound": False}, bootstrap=bootstrap,
            enlarge=1.0 if bootstrap else ENLARGE)
        within = WithinBounds(ndim=self.dim, evaluate=self.evaluate)
        self.inner.internal_sampler = within  # in the cube
        self.loop = self.inner.sample(dlogz=self.setup.dlogz, save_bounds=False)

    def evaluate(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points of the unit cube, (n, dim): where they lie in space, and log L, (n,)."""
        v = self.sd * torch.special.ndtri(torch.from_numpy(u))
        self.evaluations += len(u)
        if len(u) == 0 or self.evaluations <= len(self.record):
            return v.numpy(), self.record[self.evaluations - len(u) : self.evaluations].copy()
        assert self.target is not None
        log_p = self.target.log_prob(v.to(self.device, self.dtype)).double().cpu()
        answer = (log_p - Normal(self.sd).log_prob(v)).nan_to_num(NOWHERE, neginf=NOWHERE).numpy()
        self.answers.append(answer.copy())  # dynesty writes into its live points
        return v.numpy(), answer

    def advance(self, target: Density, evaluations: int) -> bool:
        """Deaths that about so many evaluations pay for; False where the run has ended."""
        self.target, until = target, self.evaluations + evaluations
        try:
            while self.evaluations < until:
                if next(self.loop, None) is None:
                    return False
                self.deaths += 1
        finally:
            self.target = None
        return True

    def points(self) -> tuple[Tensor, Tensor, Tensor]:
        """Dead, then live points in order of L: (k, dim), log L (k,), whether live (k,)."""
        order, dead = np.argsort(self.inner.live_logl), self.inner.saved_run
        x = np.array([*dead["v"], *self.inner.live_v[order]])
        log_l = np.array([*dead["logl"], *self.inner.live_logl[order]])
        return (torch.from_numpy(x).to(self.device), torch.from_numpy(log_l).to(self.device),
                torch.arange(len(x), device=self.device) >= len(x) - len(order))

    def state_dict(self) -> dict[str, Any]:
        """The seed, the deaths and the answers: all that a replay needs."""
        answers = np.concatenate([self.record, *self.answers])
        return {"seed": self.seed, "deaths": self.deaths, "answers": torch.from_numpy(answers)}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Replays the saved run from its answers; evaluates nothing."""
        self.seed, self.record = saved["seed"], saved["answers"].numpy()
        self._begin()
        for _ in range(saved["deaths"]):
            next(self.loop)
        self.deaths = saved["deaths"]


@dataclass(frozen=True)
class NestedState:
    """The run under way, and the points of the ended ones: (k, dim), log L, whether live last."""

    run: Run
    x: Tensor
    log_l: Tensor
    live: Tensor
    runs: int = 0
    steps: int = 0


@dataclass(frozen=True)
class Nested(Sampler):
    """Nested sampling: dynesty's static sampler, run again and merged until the budget ends.

    ``live``: N. ``queue``: replacements proposed at once. ``slice``: evaluations of a step, at
    least. ``width``: deviation of the prior, in units of the declared scale. ``dlogz``: what may
    be missing of log Z where a run ends. ``bootstrap``: resamples by which the bounds' size is
    found (below ``DIM_WALK`` dimensions); most of the time goes there; 0: they grow by a quarter.
    """

    name = "nested"
    kind = "one-shot"
    family = "particles"
    packages = ("dynesty",)
    update = ("the live point of least likelihood dies and is replaced by a draw of the prior "
              "above it; the prior mass shrinks by N / (N + 1)")
    citation = "Skilling 2006; Speagle 2020 (dynesty 3)"
    limitations = ("cannot give as many points as are wanted early in a run; use gradients; find "
                   "modes that no live point is near when the bounds close in; stay exact in "
                   "high dimension, where its walks are short")
    law_settings = {"steps": 10, "parameters": {"live": 200, "queue": 50, "bootstrap": 0}}

    live: int = 500
    queue: int = 100
    slice: int = 1000
    width: float = 2.0
    dlogz: float = 0.1
    bootstrap: int = 5

    def __post_init__(self) -> None:
        if not 1 <= self.queue <= self.live:
            raise ValueError(f"queue must lie between 1 and live ({self.live}), not {self.queue}")

    def _run(self, target: Density, runs: int, rng: torch.Generator) -> Run:
        seed = int(torch.randint(2**62, (), generator=on_host(rng, runs)))
        return Run(self, target, seed)

    def init(self, target: Density, rng: torch.Generator) -> NestedState:
        """The live points of the first run (a log-density evaluation each)."""
        empty = torch.empty(0, dtype=torch.float64, device=target.device)
        return NestedState(self._run(target, 0, rng), empty.view(0, target.dim), empty,
                           empty.bool())

    def step(self, target: Density, state: NestedState, progress: float,
             rng: torch.Generator) -> NestedState:
        """Some deaths; where the run has ended, the start of another."""
        state = replace(state, steps=state.steps + 1)
        if state.run.advance(target, self.slice):
            return state
        x, log_l, live = self.merged(state)
        return replace(state, run=self._run(target, state.steps, rng), x=x, log_l=log_l,
                       live=live, runs=state.runs + 1)

    @staticmethod
    def merged(state: NestedState) -> tuple[Tensor, Tensor, Tensor]:
        """The points of all runs, as ``Run.points``."""
        x, log_l, live = state.run.points()
        return (torch.cat([state.x, x]), torch.cat([state.log_l, log_l]),
                torch.cat([state.live, live]))

    def weighted(self, state: NestedState) -> tuple[Tensor, Tensor, float]:
        """Points in order of L, (k, dim), log(L dX), (k,), and the standard error of log Z."""
        x, log_l, live = self.merged(state)
        order = log_l.argsort(stable=True)
        last = live[order].double()
        alive = (state.runs + 1) * self.live - (last.cumsum(0) - last)
        log_x = (alive / (alive + 1)).log().cumsum(0)
        log_w, _, variance, _ = compute_integrals(logl=log_l[order].cpu().numpy(),
                                                  logvol=log_x.cpu().numpy())
        return x[order], torch.from_numpy(log_w).to(x.device), math.sqrt(variance[-1])

    def draw(self, target: Density, state: NestedState, n: int, rng: torch.Generator) -> Tensor:
        """Distinct points by weight, in random order; no more than sum w / max w."""
        x, log_w, _ = self.weighted(state)
        count = min(n, int(float((log_w - log_w.max()).exp().sum())))
        index = systematic(normalised(log_w.double()), count, uniform(target, (1,), rng))
        return choose(x[index].to(target.dtype).unique(dim=0), n, rng)

    def log_weights(self, target: Density, state: NestedState, n: int, points: Tensor | None,
              rng: torch.Generator) -> LogWeights:
        """log Z with dynesty's error; the dead points follow no proposal with a density."""
        _, log_w, se = self.weighted(state)
        return LogWeights(log_z=(float(log_w.logsumexp(0)), se))

    def independent_steps(self, state: NestedState) -> tuple[int, float]:
        """(points a draw can give, the steps of the whole run: a fresh set is a fresh run)."""
        _, log_w, _ = self.weighted(state)
        return int(float((log_w - log_w.max()).exp().sum())), float(max(1, state.steps))

    def diagnostics(self, state: NestedState) -> dict[str, float]:
        """Ended runs, points in all, effective size, log Z and its standard error."""
        _, log_w, se = self.weighted(state)
        return {"runs": float(state.runs), "points": float(len(log_w)), "log_z_se": se,
                "log_z": float(log_w.logsumexp(0)),
                "ess": float(effective_size(normalised(log_w)))}
