"""Preparing targets: what the jobs and the report need of each, made once for a run.

For every target: facts (dimension, log Z, modes, fingerprint), a grid of its density for pictures,
and the floors of each metric at the run's numbers of points (``bench.jobs.floors``).
"""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.core.errors import MissingPackage, UserError
from bench.core.fingerprint import digest, fingerprint
from bench.harness.validation import held_points
from bench.jobs.execute import (
    check_compiler,
    check_device,
    load_plugged,
    make_metrics,
    make_target,
)
from bench.jobs.floors import find_floors
from metrics.base import Metric
from metrics.fingerprint import fingerprint as behaviour
from results.records.arrays import save_arrays
from results.records.floors_file import Floors
from targets.base import Target
from targets.reference import Referenced
from targets.verification import agreement, contract

GRID = 160


def prepare_target(spec: dict[str, Any]) -> dict[str, Any]:
    """Write a target's floors and density grid into the run's folder; returns its facts."""
    common, label = spec["common"], spec["target"]["label"]
    folder = Path(common["folder"])
    check_device(common["device"])
    if common["compile"]:
        check_compiler(common["device"])
    target = make_target(spec["target"], {**common, "device": "cpu"})
    _check_contract(target, spec["target"]["name"])
    metrics = make_metrics(common)
    note = _check_reference(target, common) if isinstance(target, Referenced) else ""
    if target.dim == 2:
        save_arrays(folder / "density" / f"{label}.npz", density_grid(target))
    floors = Floors()
    if target.has_reference:
        floors = find_floors(target, spec["target"]["name"], metrics, _sizes(common),
                             common["floor_draws"], common["compile"])
        floors.save(folder / "floors" / f"{label}.npz")
    facts = _facts(target, metrics, floors)
    notes = [facts["reference_note"], note, *_failing(target, metrics)]
    return {**facts, "reference_note": "; ".join(filter(None, notes))}


def _failing(target: Target, metrics: dict[str, Metric]) -> list[str]:
    """Which metrics are left out though the target gives what they need, and why."""
    return [f"{label} is left out: {why}" for label, m in metrics.items()
            if not ("score" in m.needs and not target.has_score) and (why := m.fails_on(target))]


def _sizes(common: dict[str, Any]) -> set[int]:
    """All numbers of points that are going to be judged: some samplers hold fewer than asked."""
    offered = (common["n_curve"], common["n"])
    sizes = set(offered)
    for spec in common["samplers"]:
        with suppress(MissingPackage):  # its jobs will say so
            sampler = load_plugged("samplers", spec, common)
            sizes |= {held_points(sampler, n, spec["label"]) for n in offered}
    return sizes


def density_grid(target: Target) -> dict[str, np.ndarray]:
    """log p on a grid over the target's window: x (g,), y (g,), log_prob (g, g) by [y, x]."""
    x0, x1, y0, y1 = target.view()
    x, y = torch.linspace(x0, x1, GRID), torch.linspace(y0, y1, GRID)
    points = torch.cartesian_prod(y, x).flip(1).to(target.device, target.dtype)
    values = target.log_prob(points).reshape(GRID, GRID)
    return {"x": x.numpy(), "y": y.numpy(), "log_prob": values.float().numpy()}


def _check_contract(target: Target, name: str) -> None:
    """A target that breaks its contract would give wrong numbers later on."""
    try:
        contract.check(target)
    except contract.Breach as error:
        raise UserError(f"target '{name}' breaks the contract: {error}") from error


def _check_reference(target: Referenced, common: dict[str, Any]) -> str:
    """A reference named by the user must be long enough and agree with the target.

    Blocks of different seeds are drawn from one pool: ten times the points keep them apart.
    Returns what a reader must know of it.
    """
    least = agreement.ENOUGH * common["n"]
    if len(target.pool) < least:
        raise UserError(f"a reference for {common['n']} points must hold at least {least} rows, "
                        f"not {len(target.pool)}; run longer, or judge fewer points with --n")
    try:
        return agreement.check(target, common["n"])
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
