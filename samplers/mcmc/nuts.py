"""The No-U-Turn sampler: a trajectory grows until it turns back, and one of its states is kept.

Theory. The states that leapfrog reaches from (x, v), forward and backward in time, are weighted by
w = exp(-H), H(x, v) = -log p(x) + |v|^2/2. A set of 2^j consecutive ones is a binary tree, and
doubling it forward or backward with probability 1/2 makes each of its states the start with equal
probability, so that drawing from it by weight leaves p stationary. A transition:

    v ~ N(0, I); the tree is the start alone
    repeat up to ``max_depth`` times
        a direction, forward or backward; from that end as many new states as the tree has
        stop, without them, if the new half or a sub-tree of it turns, or H rose by over 1000
        x' ~ the new half by weight; x <- x' with probability min(1, W(new) / W(old))
        stop if the whole tree turns
    the next state is x.

W sums weights. A tree turns where an end no longer moves along rho, the sum of its momenta:

    rho . v_first <= 0  or  rho . v_last <= 0                                               (U)

eps starts at the declared scale and is adapted by dual averaging
(samplers/transitions/dual_averaging.py), so that min(1, exp(H(start) - H)), averaged over a
chain's new states and over chains, becomes ``acceptance``; over the first ``warmup`` of the
budget, charged, then it is frozen. Trees that end because H rose by over 1000 are counted as
divergent from then on.

References. M. Hoffman, A. Gelman, The No-U-Turn Sampler, JMLR 15 (2014): doubling, algorithm 6
for the step size. M. Betancourt, A conceptual introduction to Hamiltonian Monte Carlo, arXiv
1701.02434 (2017), appendix A.3.2 (draws by weight, biased towards the new half) and A.4.2
(criterion U). D. Phan, N. Pradhan, M. Jankowiak, arXiv 1912.11554 (2019): a loop in place of the
recursion.

Departures. U is also checked for each half with the state next to it across the middle, as later
versions of Stan do: without it a tree may close a whole orbit unnoticed. The momenta of a new
half are all kept, (2^j, chains, dim), where Phan et al. keep those of the j sub-trees not yet
checked. Within it states are drawn one after the other, the n-th with probability w_n / (w_1 + ...
+ w_n), which is the same distribution as joining sub-trees. Identity mass; trees end at 2^6 states
(Stan: 2^10), so that a step of 200 chains costs at most 12,600 scores; chains whose tree has ended
wait for the others. The rise of H is measured from the start, as in Stan: two states of one tree
disagree on its end where a third lies over 1000 above one of them only, which nothing corrects.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from bench.core.density import Density
from samplers.base import initial_points, normal, uniform
from samplers.mcmc.adapted_chains import AdaptedChains
from samplers.mcmc.uturn import Arc, Trail, turned
from samplers.transitions.dual_averaging import StepSize
from samplers.transitions.history import History
from samplers.transitions.leapfrog import divergent, leapfrog
from samplers.transitions.metropolis import acceptance_probability, evaluated


@dataclass(frozen=True)
class NutsState:
    """The chains (chains, dim), their log-density (chains,) and score, the step, the past.

    ``depth`` and ``divergences``, 0-d, are summed over transitions since the step was frozen: the
    mean depth of the trees, and the number of those that diverged.
    """

    x: Tensor
    log_p: Tensor
    score: Tensor
    size: StepSize
    history: History
    depth: Tensor
    divergences: Tensor


class Half(NamedTuple):
    """The new states of a doubling, one row a chain; of no use where not ``whole``."""

    end: tuple[Tensor, ...]  # (x, v, score) of the outermost
    arc: Arc
    log_weight: Tensor  # (n,), of all together over that of the start
    chosen: tuple[Tensor, ...]  # (x, log p, score) of one drawn by weight
    whole: Tensor  # (n,) bool: neither turned nor diverged
    tally: Tensor  # (n, 3): sum of min(1, exp(H(start) - H)), states made, divergences


def extend(target: Density, end: tuple[Tensor, ...], eps: Tensor, length: int, energy: Tensor,
           rng: torch.Generator) -> Half:
    """``length`` leapfrog steps of signed size eps, (n, 1), from ``end`` = (x, v, score).

    A row makes no more once a sub-tree turns or H has risen too far above ``energy``, (n,), that
    of the transition's start.
    """
    x, v, score = (t.clone() for t in end)
    trail = Trail(length, x)
    log_weight = energy.new_full(energy.shape, -math.inf)
    chosen = x.clone(), energy.clone(), score.clone()
    tally = energy.new_zeros(len(energy), 3)
    rows = torch.arange(len(energy), device=x.device)
    for i in range(length):
        (y, log_p, s), w = leapfrog(target, x[rows], v[rows], score[rows], eps[rows], 1)
        x[rows], v[rows], score[rows] = y, w, s
        trail.append(i, rows, w)
        gain = fall(energy[rows], log_p, w)
        log_weight[rows] = torch.logaddexp(log_weight[rows], gain)
        keep(chosen, rows, uniform(target, gain.shape, rng) < (gain - log_weight[rows]).exp(),
             (y, log_p, s))
        left = divergent(gain)
        tally[rows] += torch.stack([acceptance_probability(gain), torch.ones_like(gain),
                                    left.to(gain.dtype)], 1)
        rows = rows[~left & ~trail.turned(i, rows)]
        if not len(rows):
            break
    everyone = torch.arange(len(energy), device=x.device)
    whole = torch.zeros_like(everyone, dtype=torch.bool)
    whole[rows] = True
    arc = trail.arc(0, length - 1, everyone)
    return Half((x, v, score), arc, log_weight, chosen, whole, tally)


def fall(energy: Tensor, log_p: Tensor, v: Tensor) -> Tensor:
    """Log-weights: how far H lies below ``energy``, (n,); -inf where it is not a number."""
    return (energy + log_p - v.square().sum(-1) / 2).nan_to_num(-math.inf)


def keep(chosen: tuple[Tensor, ...], rows: Tensor, taken: Tensor, new: tuple[Tensor, ...]) -> None:
    """Put the new where taken, (n,) bool, into the given rows of what was chosen before."""
    for old, other in zip(chosen, new, strict=True):
        old[rows[taken]] = other[taken]


def transition(target: Density, start: tuple[Tensor, ...], v: Tensor, eps: Tensor, sides: Tensor,
               rng: torch.Generator) -> tuple[tuple[Tensor, ...], Tensor, Tensor]:
    """From ``start`` = (x, log p, score) with momenta v to a state of each chain's tree.

    ``sides``, (max_depth, chains): 0 backward, 1 forward; eps, (chains, 1). Also the doublings
    that were kept, (chains,), and the tally of ``Half``.
    """
    energy = v.square().sum(-1) / 2 - start[1]
    chosen = tuple(t.clone() for t in start)
    ends = [torch.stack([t, t]) for t in (start[0], v, start[2])]
    total, log_weight = v.clone(), torch.zeros_like(energy)
    depth, tally = torch.zeros_like(energy), energy.new_zeros(len(energy), 3)
    rows = torch.arange(len(v), device=v.device)
    for j, side in enumerate(sides):
        near = side[rows]
        end = tuple(t[near, rows] for t in ends)
        new = extend(target, end, (2 * near - 1)[:, None] * eps[rows], 2**j, energy[rows], rng)
        tally[rows] += new.tally
        ratio = (new.log_weight - log_weight[rows]).clamp_max(0.0).exp()
        keep(chosen, rows, new.whole & (uniform(target, ratio.shape, rng) < ratio), new.chosen)
        old = Arc(ends[1][1 - near, rows], end[1], total[rows])
        log_weight[rows] = torch.logaddexp(log_weight[rows], new.log_weight)
        total[rows] += new.arc.total
        for t, outermost in zip(ends, new.end, strict=True):
            t[near, rows] = outermost
        depth[rows] += new.whole
        rows = rows[new.whole & ~turned(old, new.arc)]
        if not len(rows):
            break
    return chosen, depth, tally


@dataclass(frozen=True)
class Nuts(AdaptedChains):
    """No-U-Turn sampler with draws by weight: many chains, each with trees of its own size.

    ``chains``: run in parallel. ``max_depth``: doublings after which a tree ends, hence at most
    2^max_depth - 1 scores a chain and transition. ``acceptance``: what the step is adapted to.
    ``warmup``: the share of the budget in which it is.
    """

    name = "nuts"
    kind = "continuing"
    family = "mcmc"
    anneals = True
    update = ("v ~ N(0, I); double the leapfrog trajectory forward or backward until it turns or "
              "diverges; draw one of its states by exp(-H), favouring the newest half")
    citation = "Hoffman and Gelman 2014; Betancourt 2017, appendices A.3.2 and A.4.2"
    limitations = ("cannot cross between modes that lie far apart: their weights stay those of "
                   "the start; use one step where curvatures differ by orders of magnitude "
                   "(funnel)")
    law_settings = {"steps": 60, "parameters": {"chains": 1200, "max_depth": 4}}

    chains: int = 200
    max_depth: int = 6
    acceptance: float = 0.8
    warmup: float = 0.2

    def __post_init__(self) -> None:
        """Refuse trees that never grow."""
        if self.max_depth < 1:
            raise ValueError(f"max_depth of nuts is at least 1, not {self.max_depth}")

    def init(self, target: Density, rng: torch.Generator) -> NutsState:
        """Chains from the initial distribution (a gradient evaluation each); eps = scale."""
        here = evaluated(target, initial_points(target, self.chains, rng))
        size = StepSize.start(target, self.chains, target.scale)
        nothing = here.log_p.new_zeros(())
        return NutsState(*here, size, History.start(here.x), nothing, nothing)

    def step(self, target: Density, state: NutsState, progress: float,
             rng: torch.Generator) -> NutsState:
        """One transition of all chains: a gradient evaluation a new state of their trees."""
        adapting = progress < self.warmup
        v = normal(target, tuple(state.x.shape), rng)
        sides = (uniform(target, (self.max_depth, self.chains), rng) < 0.5).long()
        eps = state.size.value(adapting).expand(self.chains, 1)
        start = state.x, state.log_p, state.score
        (x, log_p, score), depth, tally = transition(target, start, v, eps, sides, rng)
        probability = (tally[:, 0] / tally[:, 1]).mean()
        size = state.size.observe((x != state.x).any(-1), probability, self.acceptance, adapting)
        seen = 0.0 if adapting else 1.0
        return NutsState(x, log_p, score, size, state.history.append(x),
                         state.depth + seen * depth.mean(),
                         state.divergences + seen * tally[:, 2].sum())

    def diagnostics(self, state: NutsState) -> dict[str, float]:  # type: ignore[override]
        """Those of all adapted chains, the mean depth of the trees, and how many diverged."""
        found = super().diagnostics(state) | self.divergence(state.size, state.divergences)
        if state.size.frozen:
            found["tree_depth"] = float(state.depth) / state.size.frozen
        return found
