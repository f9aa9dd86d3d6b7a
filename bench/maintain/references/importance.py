"""Laplace approximation, importance sampling and bridge sampling of a density with one mode.

What ``bench.maintain.references`` compares its long chains with. Everything is in float64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.core.log_weights import effective_size, normalised
from targets.base import Target

FREEDOM = 10  # degrees of freedom of the t that proposes: tails heavier than a normal prior's


@dataclass(frozen=True)
class Frame:
    """Coordinates z (n, d) with w = centre + z root'; ``root`` is a Cholesky factor."""

    centre: Tensor
    root: Tensor

    @classmethod
    def of(cls, w: Tensor, weights: Tensor | None = None) -> Frame:
        """The frame in which (weighted) points w (n, d) have mean 0 and covariance I."""
        cov = torch.cov(w.T, aweights=weights)
        mean = w.mean(0) if weights is None else weights @ w / weights.sum()
        return cls(mean, torch.linalg.cholesky(cov))

    def place(self, z: Tensor) -> Tensor:
        """w of z."""
        return self.centre + z @ self.root.T

    def find(self, w: Tensor) -> Tensor:
        """z of w."""
        return torch.linalg.solve_triangular(self.root, (w - self.centre).T, upper=False).T

    def log_volume(self) -> float:
        """log |det root|."""
        return float(self.root.diagonal().log().sum())


def laplace(target: Target) -> Frame:
    """Mode and inverse curvature by Newton's method with halved steps, from the origin."""
    w = torch.zeros(1, target.dim, dtype=torch.float64)
    for _ in range(200):
        axes = torch.eye(target.dim, dtype=torch.float64)
        curvature = -target.hvp(w.expand(target.dim, -1), axes)
        step = torch.linalg.solve(curvature, target.score(w)[0])
        size = 1.0
        while target.log_prob(w + size * step) < target.log_prob(w) and size > 1e-8:
            size /= 2
        w = w + size * step
        if float(step.norm()) < 1e-10:
            break
    covariance = torch.linalg.inv(0.5 * (curvature + curvature.T))
    return Frame(w[0], torch.linalg.cholesky(covariance))


def student(frame: Frame, n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """n points of a multivariate t in a frame, (n, d), and their log-density, (n,)."""
    d, k = len(frame.centre), FREEDOM
    z = torch.randn(n, d, generator=rng, dtype=torch.float64)
    normals = torch.randn(n, k, generator=rng, dtype=torch.float64)
    w = frame.place(z * (k / normals.square().sum(1, keepdim=True)).sqrt())
    return w, log_student(frame, w)


def log_student(frame: Frame, w: Tensor) -> Tensor:
    """The log-density of that t at points (n, d)."""
    d, k = len(frame.centre), FREEDOM
    constant = (math.lgamma((k + d) / 2) - math.lgamma(k / 2) - 0.5 * d * math.log(k * math.pi)
                - frame.log_volume())
    return constant - 0.5 * (k + d) * torch.log1p(frame.find(w).square().sum(1) / k)


def adapted_proposal(target: Target, rng: torch.Generator, rounds: int = 8) -> Frame:
    """A frame for importance sampling that uses no chain.

    Laplace's, refitted to the moments of its own weighted draws; while weights are too uneven for
    that (fewer than 40 d effective points), they are raised to a power below 1 that makes them so.
    """
    frame = laplace(target)
    for _ in range(rounds):
        w, log_q = student(frame, 50_000, rng)
        log_weights, power = target.log_prob(w) - log_q, 1.0
        while effective_size(normalised(power * log_weights)) < 40 * target.dim:
            power *= 0.9
        frame = Frame.of(w, normalised(power * log_weights))
    return frame


def bridge(target: Target, proposal: Frame, points: Tensor, rng: torch.Generator) -> Tensor:
    """log Z by bridge sampling between a t and points of p, (n, d), with as many draws of the t.

    The fixed point of r = mean_q[l / (l + r)] / mean_p[1 / (l + r)], l = exp(log p - log q).
    """
    w, log_q = student(proposal, len(points), rng)
    of_q = target.log_prob(w) - log_q
    of_p = target.log_prob(points) - log_student(proposal, points)
    log_r = of_p.median()
    for _ in range(200):
        above = torch.logsumexp(of_q - torch.logaddexp(of_q, log_r), 0)
        log_r = above - torch.logsumexp(-torch.logaddexp(of_p, log_r), 0)
    return log_r
