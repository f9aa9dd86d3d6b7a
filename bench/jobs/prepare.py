"""Preparing targets: what the jobs and the report need of each, made once for a run.

For every target: facts (dimension, log Z, modes, fingerprint), a grid of its density for pictures,
and the floors of each metric at the run's numbers of points (``bench.jobs.floors``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import numpy as np
import torch

from bench.core.errors import MissingPackage, UserError
from bench.core.fingerprint import digest, fingerprint
from bench.harness.validation import held_points
from bench.jobs.execute import check_compiler, check_device
from bench.jobs.floors import find_floors
from bench.jobs.instances import make_metrics, make_sampler, make_target
from bench.jobs.spec import RunSettings
from bench.suite.specs import SamplerSpec, TargetSpec
from metrics.base import Metric
from metrics.fingerprint import fingerprint as behaviour
from results.records.arrays import save_arrays
from results.records.floors_file import Floors
from targets.base import Target
from targets.reference import Referenced
from targets.verification import agreement, contract

GRID = 160


def prepare_target(spec: TargetSpec, samplers: Iterable[SamplerSpec],
                   settings: RunSettings) -> dict[str, Any]:
    """Write a target's floors and density grid into the run's folder; returns its facts.

    Always on the CPU. The facts become part of the run's header.
    """
    check_device(settings.device)
    if settings.compile:
        check_compiler(settings.device)
    target = make_target(spec, settings, "cpu")
    check_contract(target, spec.name)
    metrics = make_metrics(settings)
    note = check_reference(target, settings.n) if isinstance(target, Referenced) else ""
    if target.dim == 2:
        save_arrays(settings.folder / "density" / f"{spec.label}.npz", density_grid(target))
    floors = Floors()
    if target.has_reference:
        floors = find_floors(target, spec.name, metrics, _sizes(samplers, settings),
                             settings.floor_draws, settings.compile)
        floors.save(settings.folder / "floors" / f"{spec.label}.npz")
    facts = _facts(target, metrics, floors)
    notes = [facts["reference_note"], note, *_failing(target, metrics)]
    return {**facts, "reference_note": "; ".join(filter(None, notes))}


def _failing(target: Target, metrics: dict[str, Metric]) -> list[str]:
    """Which metrics are left out though the target gives what they need, and why."""
    return [f"{label} is left out: {why}" for label, m in metrics.items()
            if not ("score" in m.needs and not target.has_score) and (why := m.fails_on(target))]


def _sizes(samplers: Iterable[SamplerSpec], settings: RunSettings) -> set[int]:
    """All numbers of points that are going to be judged: some samplers hold fewer than asked."""
    offered = (settings.n_curve, settings.n)
    sizes = set(offered)
    for spec in samplers:
        with suppress(MissingPackage):  # its jobs will say so
            sampler = make_sampler(spec, settings)
            sizes |= {held_points(sampler, n, spec.label) for n in offered}
    return sizes


def density_grid(target: Target) -> dict[str, np.ndarray]:
    """log p on a grid over the target's window: x (g,), y (g,), log_prob (g, g) by [y, x]."""
    x0, x1, y0, y1 = target.view()
    x, y = torch.linspace(x0, x1, GRID), torch.linspace(y0, y1, GRID)
    points = torch.cartesian_prod(y, x).flip(1).to(target.device, target.dtype)
    values = target.log_prob(points).reshape(GRID, GRID)
    return {"x": x.numpy(), "y": y.numpy(), "log_prob": values.float().numpy()}


def check_contract(target: Target, name: str) -> None:
    """A target that breaks its contract would give wrong numbers later on."""
    try:
        contract.check(target)
    except contract.Breach as error:
        raise UserError(f"target '{name}' breaks the contract: {error}") from error


def check_reference(target: Referenced, n: int) -> str:
    """A reference named by the user must be long enough and agree with the target.

    Blocks of different seeds are drawn from one pool: ten times the points keep them apart.
    Returns what a reader must know of it.
    """
    least = agreement.ENOUGH * n
    if len(target.pool) < least:
        raise UserError(f"a reference for {n} points must hold at least {least} rows, "
                        f"not {len(target.pool)}; run longer, or judge fewer points with --n")
    try:
        return agreement.check(target, n)
    except agreement.Disagreement as error:
        raise UserError(str(error)) from None


def _facts(target: Target, metrics: dict[str, Metric], floors: Floors) -> dict[str, Any]:
    weights, identity = target.mode_weights, fingerprint(target)
    return {"dim": target.dim, "scale": target.scale, "log_z": target.log_z,
            "has_reference": target.has_reference, "has_score": target.has_score,
            "finite_variance": target.finite_variance,
            "reference_note": target.reference_note if target.has_reference else "none",
            "mode_weights": None if weights is None else [float(w) for w in weights],
            "fingerprint": digest(identity),
            "behaviour": [v if math.isfinite(v) else None for v in identity],
            "metric_behaviour": {label: behaviour(m, target) for label, m in metrics.items()
                                 if m.applies(target)},
            "floor_draws": {k: len(v) for k, v in floors.draws.items()}}
