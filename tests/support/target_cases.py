"""What the tests of targets share: the cases, and quadrature of a density on a fine grid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from bench.core.registry import catalogue, load
from targets.base import Target
from targets.posteriors.reference_pool import Pooled, stored

Parameters = tuple[tuple[str, int], ...]
NAMES = sorted(catalogue()["targets"])
#: (name, temperature, parameters): every target, hot and cold, and some members of the families.
CASES = ([(name, tau, ()) for name in NAMES for tau in (1.0, 0.5, 2.0)]
         + [(name, 1.0, (("seed", seed),)) for name in ("random_mixture", "random_bends")
            for seed in range(1, 6)]
         + [("gmm_nd", 1.0, (("dim", 2),))])


@cache
def made(name: str, tau: float = 1.0, parameters: Parameters = ()) -> Target:
    target = load("targets", name, **dict(parameters))
    return target.tempered(tau) if tau != 1.0 else target


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


#: Where rejection keeps one proposal in 16 to 40, or a point is dear in memory.
_FEWER = {*((name, 0.5) for name in ("gmm40_fab", "grid25", "sbtm_grid10", "sbtm_grid4")),
          ("student_mix_50", 1.0)}


@cache
def points(name: str, tau: float = 1.0, parameters: Parameters = ()) -> Tensor:
    """Exact points of a case; fewer where they are dear, or a pool holds fewer."""
    target = made(name, tau, parameters)
    return target.sample(20_000 if (name, tau) in _FEWER else at_most(target, 100_000),
                         generator(1))


def at_most(target: Target, n: int) -> int:
    """n, or the size of the target's pool of points where it has one and that is smaller."""
    return min(n, len(stored(target.name).pool)) if isinstance(target, Pooled) else n


@dataclass(frozen=True)
class Chart:
    """Coordinates in which a density is tame enough for an even grid: x = of(u)."""

    of: Callable[[Tensor], Tensor]
    inverse: Callable[[Tensor], Tensor]
    log_volume: Callable[[Tensor], Tensor]


_PLAIN = Chart(lambda u: u, lambda x: x, lambda u: torch.zeros(len(u), dtype=u.dtype))
_CHARTS = {"funnel": Chart(
    lambda u: torch.stack([1.0 + u[:, 0] * torch.exp(0.5 * u[:, 1]), u[:, 1]], 1),
    lambda x: torch.stack([(x[:, 0] - 1.0) * torch.exp(-0.5 * x[:, 1]), x[:, 1]], 1),
    lambda u: 0.5 * u[:, 1])}
#: How far a window reaches beyond the points seen, in their ranges, and a factor on midpoints a
#: side: a bend squares a normal, so its tails are long and its arms thin.
_ROOM = {"random_bends": (1.2, 3)}


@dataclass(frozen=True)
class Grid:
    """Midpoints x (side^dim, dim) with masses exp(log_prob) dx, and the block each lies in."""

    x: Tensor
    mass: Tensor
    area: float
    block: Tensor
    blocks_of: Callable[[Tensor], Tensor]


@cache
def grid(name: str, tau: float = 1.0, parameters: Parameters = (),
         side: int = 800, blocks: int = 40) -> Grid:
    """The density by midpoints over a window that holds all but about 1e-8 of the mass.

    In one dimension there are as many midpoints and blocks as in the plane. Midpoints that hold
    nothing to speak of are left out.
    """
    target, chart = made(name, tau, parameters), _CHARTS.get(name, _PLAIN)
    seen = chart.inverse(points(name, tau, parameters))
    low, high = seen.amin(0), seen.amax(0)
    kind, fineness = _ROOM.get(name, (0.6, 1))
    low, high = low - kind * (high - low), high + kind * (high - low)
    side *= fineness
    if target.dim == 1:
        side, blocks = side**2, blocks**2
    width = (high - low) / side
    t = torch.arange(side, dtype=torch.float64) + 0.5
    axes = [low[i] + width[i] * t for i in range(target.dim)]
    u = torch.cartesian_prod(*axes).reshape(-1, target.dim)
    x = chart.of(u)
    log_prob = torch.cat([target.log_prob(part) for part in x.split(1 << 15)])
    mass = (log_prob + chart.log_volume(u)).exp() * width.prod()
    held = mass > 1e-20 * mass.max()
    x, mass = x[held], mass[held]

    def blocks_of(y: Tensor) -> Tensor:
        cell = ((chart.inverse(y) - low) / (high - low) * blocks).floor().long()
        return cell[:, 0] if target.dim == 1 else cell[:, 0] * blocks + cell[:, 1]

    return Grid(x, mass, float(width.prod()), blocks_of(x), blocks_of)


def z_score(values: Tensor, expected: float) -> float:
    """How many standard errors the mean of independent values lies from what is expected."""
    return float((values.mean() - expected) / values.std() * len(values) ** 0.5)


def chi_square_z(counts: Tensor, mass: Tensor) -> float:
    """Pearson's statistic of counts against masses in standard deviations; thin cells pooled."""
    expected = mass / mass.sum() * counts.sum()
    full = expected >= 10
    seen = torch.cat([counts[full], counts[~full].sum()[None]]).double()
    meant = torch.cat([expected[full], expected[~full].sum()[None]])
    keep = meant > 1
    freedom = int(keep.sum()) - 1
    statistic = ((seen - meant)[keep] ** 2 / meant[keep]).sum()
    return float((statistic - freedom) / (2 * freedom) ** 0.5)
