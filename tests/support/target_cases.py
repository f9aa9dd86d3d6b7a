"""Targets as the conformance kit tries them, at several temperatures and parameters."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import torch
from torch import Tensor

from bench.conformance.quadrature import PLAIN, Chart, Grid
from bench.conformance.targets import TargetCase, read_settings
from bench.core.registry import catalogue, load
from targets.base import Target

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


#: Where rejection keeps one proposal in 16 to 40.
_FEWER = {(name, 0.5) for name in ("gmm40_fab", "grid25", "sbtm_grid10", "sbtm_grid4")}
#: Coordinates that straighten the funnel's neck.
_FUNNEL = Chart(lambda u: torch.stack([1.0 + u[:, 0] * torch.exp(0.5 * u[:, 1]), u[:, 1]], 1),
                lambda x: torch.stack([(x[:, 0] - 1.0) * torch.exp(-0.5 * x[:, 1]), x[:, 1]], 1),
                lambda u: 0.5 * u[:, 1])


@cache
def case(name: str, tau: float = 1.0, parameters: Parameters = ()) -> TargetCase:
    """The kit's case of a target at a temperature."""
    target = made(name, tau, parameters)
    settings = read_settings(type(made(name, 1.0, parameters)))
    if (name, tau) in _FEWER:
        settings = replace(settings, points=20_000)
    return TargetCase(target, settings, _FUNNEL if name == "funnel" else PLAIN)


def points(name: str, tau: float = 1.0, parameters: Parameters = ()) -> Tensor:
    """Exact points of a case."""
    return case(name, tau, parameters).points


def grid(name: str) -> Grid:
    """The density of a target on a grid."""
    return case(name).grid
