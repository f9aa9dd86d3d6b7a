"""What a sampler may know of a target: a density up to a constant, with derivatives."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


class NoGradient(NotImplementedError):
    """A derivative was asked of a target that gives none; what needs it is unsupported there."""


@runtime_checkable
class Density(Protocol):
    """The sampling interface: all that a sampler may know of a target.

    Points ``x`` have shape (n, dim). ``scale`` is a length in the units of ``x``: nearly all mass
    lies within a few scales of the origin. Nothing else of the target's shape is given away.
    """

    @property
    def dim(self) -> int:
        """Dimension of the space."""

    @property
    def scale(self) -> float:
        """The declared length scale."""

    @property
    def device(self) -> torch.device:
        """Where points live."""

    @property
    def dtype(self) -> torch.dtype:
        """The floating-point type of points."""

    def log_prob(self, x: Tensor) -> Tensor:
        """log p up to a constant, shape (n,)."""

    def score(self, x: Tensor) -> Tensor:
        """Gradient of log p, shape (n, dim)."""

    def log_prob_and_score(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Both, for the cost of a gradient."""

    def hvp(self, x: Tensor, v: Tensor) -> Tensor:
        """Hessian of log p at each row of ``x`` times the same row of ``v``, shape (n, dim)."""
