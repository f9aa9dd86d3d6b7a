"""Defects of where the modes are and what their weights are."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from metrics.audit.defect import Defect, uniform
from targets.base import Target

_ROUNDS = 10_000


def true_weights(target: Target) -> Tensor:
    """Mass of each mode, float64, shape (k,); the target must declare modes."""
    assert target.mode_weights is not None  # ``applies`` has checked it
    weights = target.mode_weights.double()
    return weights / weights.sum()


def points_in(target: Target, modes: Tensor, rng: torch.Generator) -> Tensor:
    """An exact point of each wanted mode, (m,) -> (m, dim); fresh draws, kept where they fit."""
    found = torch.empty(len(modes), target.dim, device=target.device, dtype=target.dtype)
    missing = torch.ones(len(modes), dtype=torch.bool, device=target.device)
    for _ in range(_ROUNDS):
        if not bool(missing.any()):
            return found
        pool = target.sample(max(1000, len(modes)), rng)
        owner = target.mode_of(pool)
        for k in modes[missing].unique().tolist():
            places, points = (missing & (modes == k)).nonzero()[:, 0], pool[owner == k]
            count = min(len(places), len(points))
            found[places[:count]] = points[:count]
            missing[places[:count]] = False
    raise RuntimeError("exact points of a mode are too rare to be drawn")


def reweighted(x: Tensor, target: Target, weights: Tensor, rng: torch.Generator) -> Tensor:
    """Points whose modes have other weights, shape (k,); as few as possible are replaced.

    A point leaves an overweight mode k with probability 1 - new_k / old_k for an exact point of a
    mode that gained, chosen in proportion to its gain. Inside each mode points stay exact.
    """
    old, new = true_weights(target).to(x.device), weights.to(x.device)
    gain = (new - old).clamp(min=0.0)
    if float(gain.sum()) == 0.0:
        return x.clone()
    leave = (1.0 - new / old).clamp(min=0.0)[target.mode_of(x)]
    gone = uniform(len(x), x, rng) < leave
    wanted = torch.multinomial(gain, int(gone.sum()), True, generator=rng) if gone.any() else (
        torch.empty(0, dtype=torch.long, device=x.device))
    made = x.clone()
    made[gone] = points_in(target, wanted, rng)
    return made


class ModeDefect(Defect):
    """A defect of targets with at least two modes."""

    def applies(self, target: Target) -> bool:
        """Whether the target can be sampled and declares two modes or more."""
        return (target.has_reference and target.mode_weights is not None
                and len(target.mode_weights) > 1)


class WeightDefect(ModeDefect):
    """Exact within each mode, wrong in the weight of each mode."""

    @abstractmethod
    def weights(self, target: Target) -> Tensor:
        """The wrong weights, shape (k,), summing to one."""

    def total_variation(self, target: Target) -> float:
        """Total variation between wrong and true weights; that of the distributions as well."""
        return float((self.weights(target) - true_weights(target)).clamp(min=0.0).sum())

    def inject(self, x: Tensor, target: Target, rng: torch.Generator) -> Tensor:
        """The points with other mode weights."""
        return reweighted(x, target, self.weights(target), rng)

    def note(self, target: Target) -> str:
        """The total variation."""
        return f"TV {self.total_variation(target):.3g}"


class ModeDropped(WeightDefect):
    """The lightest mode (the first of equals) loses a share of its mass to all others.

    The others gain in proportion to their weights; at strength 1 the mode is empty.
    """

    name = "mode_dropped"
    title = "a mode dropped"
    grades = (0.5, 1.0)

    def weights(self, target: Target) -> Tensor:
        """w_k (1 - strength) for the lightest, the rest scaled up to a sum of one."""
        old = true_weights(target)
        least = int(old.argmin())
        lost = self.strength * float(old[least])
        new = old * (1.0 + lost / (1.0 - float(old[least])))
        new[least] = old[least] - lost
        return new

    @property
    def text(self) -> str:
        """The share of the mode's mass that is gone."""
        return "whole" if self.strength == 1.0 else super().text


class Tilted(WeightDefect):
    """Weights of modes 0, 2, 4, ... times 1 + strength, of 1, 3, 5, ... times 1 - strength.

    Then normalised. With an even number of equal modes the total variation is strength / 2.
    """

    name = "tilted"
    title = "tilted weights"
    grades = (0.1, 0.3, 0.6)

    def weights(self, target: Target) -> Tensor:
        """The tilted weights, normalised."""
        old = true_weights(target)
        sign = 1.0 - 2.0 * (torch.arange(len(old), device=old.device) % 2)
        new = old * (1.0 + self.strength * sign)
        return new / new.sum()


class Between(ModeDefect):
    """A share of the points moved to t a + (1 - t) b, a the point, b one of another mode.

    t is uniform in (1/4, 3/4), so that the points lie between the modes and not in them; b is
    drawn from the samples.
    """

    name = "between"
    title = "mass between modes"
    grades = (0.01, 0.05, 0.2)

    def inject(self, x: Tensor, target: Target, rng: torch.Generator) -> Tensor:
        """Each point is moved with probability ``strength``."""
        modes = target.mode_of(x)
        moved = uniform(len(x), x, rng) < self.strength
        t = (0.25 + 0.5 * uniform(len(x), x, rng)).to(x.dtype)
        made = x.clone()
        for k in modes[moved].unique().tolist():
            rows, others = (moved & (modes == k)).nonzero()[:, 0], x[modes != k]
            if len(others):
                chosen = torch.randint(len(others), (len(rows),), generator=rng, device=x.device)
                share = t[rows, None]
                made[rows] = share * x[rows] + (1.0 - share) * others[chosen]
        return made
