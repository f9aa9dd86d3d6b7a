"""What a target is, told by how it behaves: a fingerprint that survives a refactor."""

from __future__ import annotations

import hashlib
import math
from typing import Protocol, Self

import torch
from torch import Tensor

from bench.core.density import Density

_POINTS = 16


class Placeable(Density, Protocol):
    """A density that can be computed elsewhere and says whether it gives a gradient: a target."""

    @property
    def has_score(self) -> bool:
        """Whether ``score`` can be called."""

    def to(self, device: str | torch.device, dtype: torch.dtype) -> Self:
        """The same density on another device, in another floating-point type."""


def probes(dim: int, scale: float, points: int = _POINTS) -> Tensor:
    """Fixed points in [-2 scale, 2 scale]^dim, shape (points, dim), float64.

    Fractional parts of the golden ratio times a quadratic in the point's index: even in every
    dimension, without symmetry, and free of any generator.
    """
    golden = 0.5 * (1.0 + math.sqrt(5.0))
    rows = [[math.fmod(golden * i * (i + j + 1), 1.0) for j in range(dim)]
            for i in range(1, points + 1)]
    return (torch.tensor(rows, dtype=torch.float64) - 0.5) * (4.0 * scale)


def fingerprint(target: Placeable) -> list[float]:
    """Dimension, scale, then log-densities and scores at the probes, in float64 on the CPU.

    Log-densities are taken relative to the first, so that a constant does not count; scores are
    times the scale, so that they have no unit, and left out where the target gives none.
    """
    home = target.to("cpu", torch.float64)
    x = probes(home.dim, home.scale)
    value = home.log_prob(x).detach()
    score = (home.score(x).detach() * home.scale).flatten().tolist() if home.has_score else []
    return [float(home.dim), float(home.scale), *(value[1:] - value[0]).tolist(), *score]


def same(a: list[float], b: list[float], rtol: float = 1e-6) -> bool:
    """Whether two fingerprints are those of one target, up to ``rtol`` of max(1, |value|)."""
    return len(a) == len(b) and all(_close(u, v, rtol) for u, v in zip(a, b, strict=True))


def _close(u: float, v: float, rtol: float) -> bool:
    if not (math.isfinite(u) and math.isfinite(v)):
        return u == v or (math.isnan(u) and math.isnan(v))
    return abs(u - v) <= rtol * max(1.0, abs(u), abs(v))


def digest(values: list[float]) -> str:
    """Eight hex digits of the values to five significant digits, for display.

    For display only: a value at the edge of a rounding step may flip it. ``same`` decides.
    """
    text = " ".join(f"{v if abs(v) > 1e-9 else 0.0:.4e}" for v in values)
    return hashlib.sha256(text.encode()).hexdigest()[:8]
