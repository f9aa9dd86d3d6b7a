"""What the tests of ``drifting_multiscale`` share: laws in closed form, ladders, errors."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from bench.core.registry import load
from samplers.one_step.bandwidths import Bandwidths
from targets.base import Target

SMALL: dict[str, Any] = {"codes": 8, "width": 16, "batch": 24, "support": 40, "walkers": 12,
                         "scouts": 10, "window": 5}
LADDER = [1.0, 0.5, 0.25, 0.125]


class Normals(Target):
    """A mixture of isotropic Gaussians: means (k, dim), deviations and weights (k,)."""

    def __init__(self, means: list[list[float]], deviations: list[float], weights: list[float],
                 scale: float = 1.0, log_z: float = 0.0) -> None:
        self.means = torch.tensor(means, dtype=torch.float64)
        self.deviations = torch.tensor(deviations, dtype=torch.float64)
        self.weights = torch.tensor(weights, dtype=torch.float64)
        self.dim, self.scale, self.offset = self.means.shape[1], scale, log_z

    def log_prob(self, x: Tensor) -> Tensor:
        gaps = (x.unsqueeze(1) - self.means).square().sum(-1) / self.deviations**2
        constant = self.dim * (self.deviations.log() + 0.5 * math.log(2 * math.pi))
        return (self.weights.log() - gaps / 2 - constant).logsumexp(-1) + self.offset

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        k = torch.multinomial(self.weights, n, True, generator=rng)
        z = torch.randn((n, self.dim), generator=rng, dtype=torch.float64)
        return self.means[k] + self.deviations[k].unsqueeze(1) * z


def normal() -> Normals:
    """N(0, I) in the plane."""
    return Normals([[0.0, 0.0]], [1.0], [1.0])


def pair(log_z: float = 0.0) -> Normals:
    """Two modes of unequal weight and size."""
    return Normals([[-1.0, 0.5], [1.5, 0.0]], [0.6, 0.3], [0.3, 0.7], 1.5, log_z)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def points(n: int, dim: int = 2, seed: int = 7) -> Tensor:
    return torch.randn((n, dim), generator=generator(seed), dtype=torch.float64)


def ladder(weights: list[float], top: float = 1.0, schedule: Any = "adaptive") -> Bandwidths:
    w = torch.tensor(weights, dtype=torch.float64)
    return Bandwidths(schedule, tuple(top / 2**j for j in range(len(w))), w / w.sum(), 0.2)


def mean_and_error(values: Tensor, blocks: int = 0) -> tuple[Tensor, Tensor]:
    """Mean over the first dimension and its standard error, by ``blocks`` where correlated."""
    if blocks:
        each = len(values) // blocks
        values = values[:each * blocks].view(blocks, each, *values.shape[1:]).mean(1)
    return values.mean(0), values.std(0) / math.sqrt(len(values))


class Cells(torch.nn.Module):
    """An exact generator of N(0, I) with codes: code c is one of 8 x 8 cells of equal mass."""

    def __init__(self) -> None:
        super().__init__()
        self.nothing = torch.nn.Parameter(torch.zeros(()).double())  # something to go back to

    def forward(self, z: Tensor, code: Tensor) -> Tensor:
        """Normal latents (n, 2) and codes (n,) to points (n, 2)."""
        inside = (code // 8 + 0.5 * (1 + torch.erf(z[:, 0] / math.sqrt(2)))) / 8
        angle = (code % 8 + 0.5 * (1 + torch.erf(z[:, 1] / math.sqrt(2)))) / 8 * 2 * math.pi
        radius = (-2 * torch.log1p(-inside)).sqrt()
        at = radius.unsqueeze(1) * torch.stack([angle.cos(), angle.sin()], dim=1)
        return at + 0.0 * self.nothing


def solved(**parameters: Any) -> tuple[Any, Any, Normals]:
    """Sampler and state whose generator and target's side are exact, at the fixed width 1/4."""
    target = normal()
    settings: dict[str, Any] = {
        "latent": 2, "codes": 64, "support": 128, "batch": 128, "walkers": 0, "scouts": 0,
        "width": 8, "bandwidths": "fixed", "bandwidth": 0.25, "window": 1}
    sampler = load("samplers", "drifting_multiscale", **(settings | parameters))
    state = sampler.init(target, generator())
    state.generator, state.average = Cells(), Cells()
    gather = state.side.gather

    def gather_exact(*given: Any) -> Any:
        found = gather(*given)
        state.side.points = target.sample(state.side.count, given[-1])
        return found

    state.side.gather = gather_exact
    return sampler, state, target
