"""The target's side of a drift: sum_s f_s grad log (p * phi_s)(x) for widths s, factors f_s.

Five ways to estimate it, with one interface. ``gather`` sees the centres of this update and may
evaluate the target around them; ``score`` answers at x.

- ``local`` (drifting paper, section 3.3): own perturbations of every x, L log-density evaluations
  each.
- ``gradient``: the same perturbations, their scores averaged (DEM's estimator), L gradient
  evaluations each.
- ``second_order`` (section 3.4): -(I + s^2 H)^{-1} grad E at x.
- ``weighted``: mean-shift over this update's pool with the weights b.
- ``resampled``: mean-shift over points drawn with replacement by their weights from the pools of
  the last updates. Where those hold many effective points this is mean-shift over nearly
  independent points of p, so that both sides of the drift are the same function of samples: their
  biases, of order 1 / (points within s of x), are equal at q = p and cancel.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from bench.core.density import Density
from samplers.learning.smoothed_score import gradient_score, monte_carlo_score, second_order_score
from samplers.one_step.bandwidths import Bandwidths
from samplers.one_step.kernels import smoothed_score
from samplers.one_step.proposal_pool import Pool, Window, propose

Estimator = Literal["local", "gradient", "second_order", "weighted", "resampled"]
ESTIMATORS: tuple[Estimator, ...] = get_args(Estimator)


@dataclass(kw_only=True)
class TargetSide(ABC):
    """An estimator of the target's side; by default it pools nothing.

    ``points``: equally weighted points that stand for p, (n, dim), where there are any.
    """

    points: Tensor | None = None

    def scouts(self, count: int) -> Tensor | None:
        """Where the target has been found heavier than proposed, (count, dim), if known."""
        return None

    def gather(self, target: Density, centres: Tensor, widths: Bandwidths,
               rng: torch.Generator) -> Pool | None:
        """Evaluate the target around the centres, (m, dim), if this estimator pools."""
        return None

    @abstractmethod
    def score(self, target: Density, x: Tensor, widths: list[float], factors: list[float],
              rng: torch.Generator) -> Tensor:
        """sum_s factors_s grad log (p * phi_s) at x, shape (n, dim)."""


@dataclass
class Local(TargetSide):
    """Own perturbations at every point; ``count`` is shared out over the widths.

    ``by_gradient``: by the scores at the perturbations in place of where they lie.
    """

    count: int
    by_gradient: bool = False

    def score(self, target: Density, x: Tensor, widths: list[float], factors: list[float],
              rng: torch.Generator) -> Tensor:
        """Monte Carlo at each width."""
        each = max(1, self.count // len(widths))
        total = torch.zeros_like(x)
        for s, factor in zip(widths, factors, strict=True):
            found, _ = (gradient_score(target, x, torch.full_like(x[:, :1], s), each, rng)
                        if self.by_gradient else monte_carlo_score(target, x, s, each, rng))
            total.add_(found, alpha=factor)
        return total


@dataclass
class SecondOrder(TargetSide):
    """The expansion of the energy to second order at every point."""

    def score(self, target: Density, x: Tensor, widths: list[float], factors: list[float],
              rng: torch.Generator) -> Tensor:
        """One gradient evaluation and ``dim`` Hessian-vector products a point and width."""
        total = torch.zeros_like(x)
        for s, factor in zip(widths, factors, strict=True):
            total.add_(second_order_score(target, x, s), alpha=factor)
        return total


@dataclass
class Weighted(TargetSide):
    """The pool of this update, each point with its weight."""

    cloud: Tensor | None = None
    log_weights: Tensor | None = None

    def gather(self, target: Density, centres: Tensor, widths: Bandwidths,
               rng: torch.Generator) -> Pool:
        """One log-density evaluation a centre."""
        pool = propose(target, centres, widths, rng)
        self.cloud, self.log_weights = pool.points, pool.log_weights
        return pool

    def score(self, target: Density, x: Tensor, widths: list[float], factors: list[float],
              rng: torch.Generator) -> Tensor:
        """Weighted mean-shift."""
        if self.cloud is None:
            raise RuntimeError("gather comes before score")
        return smoothed_score(x, self.cloud, widths, factors, log_weights=self.log_weights)


@dataclass
class Resampled(TargetSide):
    """``count`` points drawn by weight from the pools that the window holds."""

    count: int
    window: Window

    def scouts(self, count: int) -> Tensor | None:
        """The points of largest weight in the window; None before it holds as many."""
        if self.points is None:
            return None
        return self.window.points[self.window.log_weights.topk(count).indices]

    def gather(self, target: Density, centres: Tensor, widths: Bandwidths,
               rng: torch.Generator) -> Pool:
        """One log-density evaluation a centre."""
        pool = propose(target, centres, widths, rng)
        self.window = self.window.add(pool)
        self.points = self.window.resample(self.count, target, rng)
        return pool

    def score(self, target: Density, x: Tensor, widths: list[float], factors: list[float],
              rng: torch.Generator) -> Tensor:
        """Mean-shift over the drawn points."""
        if self.points is None:
            raise RuntimeError("gather comes before score")
        return smoothed_score(x, self.points, widths, factors)


def target_side(estimator: Estimator, perturbations: int, count: int,
                window: Window) -> TargetSide:
    """The estimator of that name, with what it needs of the rest."""
    if estimator in ("local", "gradient"):
        return Local(perturbations, by_gradient=estimator == "gradient")
    if estimator == "second_order":
        return SecondOrder()
    return Weighted() if estimator == "weighted" else Resampled(count, window)
