"""Long Hamiltonian chains on a density with one mode, for reference samples; in float64.

The chains move in coordinates z with w = c + z R' in which p is about N(0, I). A pilot in
Laplace's coordinates (c the mode, R R' the inverse curvature there) gives c and R R' as its mean
and covariance; then the step is adapted to an acceptance of .85, and both are fixed. Trajectories
have a uniform number of leapfrog steps, the longest about pi in z, and each chain a step uniform
within 50 %: else the method of ``samplers/mcmc/hmc.py``, written here anew so that a reference
does not rest on the code it judges. After each trajectory a point of a multivariate t in the same
coordinates is proposed (independence Metropolis: accepted with probability
min(1, p(w') q(w) / p(w) q(w'))). On the breast cancer data, whose curvature varies, trajectories
alone left chains in place for hundreds of transitions, and the checks rejected the run (split
R-hat 1.08).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.maintain.references.importance import Frame, laplace, log_student, student
from targets.base import Target

CHAINS, PILOT = 500, 300
EVERY, KEPT = 4, 100  # transitions a measurement; points kept of each chain


@dataclass
class Chains:
    """Hamiltonian chains in a frame: z (chains, d), its log-density and its score."""

    target: Target
    frame: Frame
    z: Tensor
    rng: torch.Generator
    eps: float = 0.5

    def __post_init__(self) -> None:
        self.log_p = self.target.log_prob(self.frame.place(self.z))
        self.score = self._score(self.z)

    def _score(self, z: Tensor) -> Tensor:
        return self.target.score(self.frame.place(z)) @ self.frame.root

    def transition(self) -> float:
        """One trajectory of every chain; the mean acceptance probability."""
        v = torch.randn(self.z.shape, generator=self.rng, dtype=torch.float64)
        u = torch.rand(2, len(v), 1, generator=self.rng, dtype=torch.float64)
        eps = self.eps * (0.5 + u[0])
        longest = max(1, math.ceil(math.pi / self.eps))
        z, score, start = self.z, self.score, v.square().sum(1)
        for _ in range(int(torch.randint(1, longest + 1, (), generator=self.rng))):
            v = v + 0.5 * eps * score
            z = z + eps * v
            score = self._score(z)
            v = v + 0.5 * eps * score
        log_p = self.target.log_prob(self.frame.place(z))
        return self._choose(z, log_p, score, 0.5 * (start - v.square().sum(1)), u[1, :, 0])

    def refresh(self) -> float:
        """An independent proposal for every chain; the mean acceptance probability."""
        w, log_q = student(self.frame, len(self.z), self.rng)
        log_p, score = self.target.log_prob_and_score(w)
        log_ratio = log_student(self.frame, self.frame.place(self.z)) - log_q
        u = torch.rand(len(w), generator=self.rng, dtype=torch.float64)
        return self._choose(self.frame.find(w), log_p, score @ self.frame.root, log_ratio, u)

    def _choose(self, z: Tensor, log_p: Tensor, score: Tensor, log_ratio: Tensor,
                u: Tensor) -> float:
        accept = (log_p - self.log_p + log_ratio).exp().clamp(max=1.0)
        moved = u < accept
        self.z = torch.where(moved[:, None], z, self.z)
        self.score = torch.where(moved[:, None], score, self.score)
        self.log_p = torch.where(moved, log_p, self.log_p)
        return float(accept.mean())

    def adapt(self, steps: int) -> Tensor:
        """Transitions that tune eps; the points of their later half, (steps / 2, chains, d)."""
        kept = []
        for t in range(steps):
            self.eps *= math.exp((self.transition() - 0.85) / math.sqrt(1.0 + t))
            self.refresh()
            if t >= steps // 2:
                kept.append(self.frame.place(self.z))
        return torch.stack(kept)


@dataclass(frozen=True)
class LongChains:
    """Each chain's means over the halves of a run, and points it passed through.

    ``means``: (2, chains, k), of the k columns of ``features``. ``kept``: (times, chains, d).
    ``acceptance`` and ``independent``: mean acceptance probabilities of trajectories and of
    independent proposals.
    """

    means: Tensor
    kept: Tensor
    acceptance: float
    independent: float


def features(target: Target, w: Tensor) -> Tensor:
    """w, w w', s and w s' of each point, side by side: (n, 2 d + 2 d^2)."""
    s = target.score(w)
    outer = [(w[:, :, None] * u[:, None, :]).flatten(1) for u in (w, s)]
    return torch.cat([w, outer[0], s, outer[1]], 1)


def long_chains(target: Target, seed: int, steps: int) -> LongChains:
    """A pilot and a run of ``steps`` transitions."""
    rng = torch.Generator().manual_seed(seed)
    z = 1.5 * torch.randn(CHAINS, target.dim, generator=rng, dtype=torch.float64)
    pilot = Chains(target, laplace(target), z, rng).adapt(PILOT)
    frame = Frame.of(pilot.flatten(0, 1))
    chains = Chains(target, frame, frame.find(pilot[-1]), rng)
    chains.adapt(PILOT)
    kept, acceptance, independent = [], 0.0, 0.0
    total = torch.zeros(2, CHAINS, 2 * target.dim * (target.dim + 1), dtype=torch.float64)
    for t in range(steps):
        acceptance += chains.transition() / steps
        independent += chains.refresh() / steps
        if (t + 1) % EVERY == 0:
            total[2 * t // steps] += features(target, frame.place(chains.z))
        if (t + 1) % (steps // KEPT) == 0:
            kept.append(frame.place(chains.z))
    means = total / (steps // 2 // EVERY)
    return LongChains(means, torch.stack(kept), acceptance, independent)
