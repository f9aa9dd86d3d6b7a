"""What a defect is: a known way to be wrong, at one strength, injected in exact samples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from targets.base import Target


@dataclass(frozen=True)
class Defect(ABC):
    """One way to be wrong, at one strength."""

    strength: float

    name: ClassVar[str]
    title: ClassVar[str]
    grades: ClassVar[tuple[float, ...]]
    version: ClassVar[int] = 1

    def applies(self, target: Target) -> bool:
        """Whether the target has what the defect damages."""
        return target.has_reference

    @abstractmethod
    def inject(self, x: Tensor, target: Target, rng: torch.Generator) -> Tensor:
        """Damaged points from exact ones, (n, dim) -> (n, dim); ``x`` is left alone."""

    @property
    def text(self) -> str:
        """The strength as a person says it."""
        return f"{100 * self.strength:g} %"

    def note(self, target: Target) -> str:
        """What the strength means on this target, where that is not plain."""
        return ""


def uniform(n: int, x: Tensor, rng: torch.Generator) -> Tensor:
    """n uniforms in float64 where ``x`` lives, shape (n,)."""
    return torch.rand(n, generator=rng, device=x.device, dtype=torch.float64)
