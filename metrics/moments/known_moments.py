"""First and second moments of a target as its truths give them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from metrics.base import Evidence
from metrics.evidence import of_reference
from targets.base import Target


@dataclass(frozen=True)
class Moments:
    """Mean (d,) and covariance (d, d) in float64, with the standard errors of what is known."""

    mean: Tensor
    mean_se: Tensor
    cov: Tensor
    cov_se: Tensor


def mean_names(dim: int) -> list[str]:
    """The truths a mean needs: x0, x1, ..."""
    return [f"x{i}" for i in range(dim)]


def product_name(i: int, j: int) -> str:
    """The truth of E[x_i x_j]: x0^2, or x0*x1 with the smaller index first."""
    return f"x{i}^2" if i == j else f"x{min(i, j)}*x{max(i, j)}"


def product_names(dim: int) -> list[str]:
    """The truths a second moment needs."""
    return [product_name(i, j) for i in range(dim) for j in range(i, dim)]


def knows(target: Target, names: list[str]) -> bool:
    """Whether the target states all these truths."""
    return set(names) <= {truth.name for truth in target.truths()}


def moments(evidence: Evidence) -> Moments:
    """Mean and covariance of the target; E[x x'] - E[x] E[x]' where product truths are stated.

    The standard error of a covariance is that of its product truth alone.
    """
    return of_reference(evidence, "moments", lambda: _moments(evidence.target))


def _moments(target: Target) -> Moments:
    truths = {truth.name: (truth.value, truth.se) for truth in target.truths()}
    dim = target.dim
    mean = torch.tensor([truths[name] for name in mean_names(dim)], dtype=torch.float64)
    unknown = (float("nan"), float("nan"))
    products = torch.tensor([[truths.get(product_name(i, j), unknown) for j in range(dim)]
                             for i in range(dim)], dtype=torch.float64)
    cov = products[..., 0] - torch.outer(mean[:, 0], mean[:, 0])
    return Moments(mean[:, 0], mean[:, 1], cov, products[..., 1])
