"""Preparing targets: what the jobs and the report need of each, made once for a run.

For every target: facts (dimension, log Z, modes, fingerprint), a grid of its density for pictures,
and the floors of each metric at the run's numbers of points. Committed floors are used where the
target's fingerprint and the metric's version still match; others are drawn here.
"""

from __future__ import annotations

import json
import math
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.core.compilation import compiling
from bench.core.errors import MissingPackage, UserError
from bench.core.fingerprint import digest, fingerprint, same
from bench.core.places import FLOORS
from bench.core.seeds import global_stream
from bench.harness.judge import LEFT_OUT, floors_of
from bench.harness.validation import held_points
from bench.jobs.execute import (
    check_compiler,
    check_device,
    load_plugged,
    make_metrics,
    make_target,
)
from metrics.base import Metric
from metrics.fingerprint import fingerprint as behaviour
from metrics.floors import null_draws
from results.records.arrays import read_arrays, save_arrays
from results.records.store import StoreError
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
    floors: dict[str, np.ndarray] = {}
    if target.has_reference:
        floors, left_out = find_floors(target, spec["target"]["name"], metrics, common)
        save_arrays(folder / "floors" / f"{label}.npz",
                    {**floors, LEFT_OUT: np.array(json.dumps(left_out))})
    facts = _facts(target, metrics, floors)
    notes = [facts["reference_note"], note, *_failing(target, metrics)]
    return {**facts, "reference_note": "; ".join(filter(None, notes))}


def _failing(target: Target, metrics: dict[str, Metric]) -> list[str]:
    """Which metrics are left out though the target gives what they need, and why."""
    return [f"{label} is left out: {why}" for label, m in metrics.items()
            if not ("score" in m.needs and not target.has_score) and (why := m.fails_on(target))]


def find_floors(target: Target, name: str, metrics: dict[str, Metric],
                common: dict[str, Any]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Null draws of each metric, by ``label/n``, at each number of points of the run.

    And, where there are none, why: a metric that has no finite value on exact points has no floor.
    """
    known = _committed(target, name, metrics)
    floors: dict[str, np.ndarray] = {}
    left_out: dict[str, str] = {}
    for label, metric in metrics.items():
        if not metric.applies(target):
            continue
        for n in sorted({metric.points(n) for n in _sizes(common)}):
            key = f"{label}/{n}"
            draws = min(common["floor_draws"], metric.floor_draws)
            with compiling(common["compile"]):
                floor = (known[key] if key in known
                         else _drawn(target, name, label, metric, n, draws))
            if isinstance(floor, str):
                left_out[key] = floor
            else:
                floors[key] = floor
    return floors, left_out


def _drawn(target: Target, name: str, label: str, metric: Metric, n: int,
           draws: int) -> np.ndarray | str:
    """The floor, or why there is none; UserError for a metric that is wrong rather than unable."""
    try:
        with global_stream("floor", name, 0, n):
            floor = null_draws(target, metric, n, draws, 0)
    except (ValueError, ArithmeticError, RuntimeError) as error:
        return (f"no floor: the metric cannot be computed on exact points "
                f"({type(error).__name__}: {error})")
    except Exception as error:
        raise UserError(f"metric '{label}' raised {type(error).__name__}: {error} on exact points "
                        f"of target '{name}'; mend it, or leave it out of the suite") from error
    if not np.isfinite(floor).all():
        return "no floor: the metric is not finite on exact points"
    return floor


def _sizes(common: dict[str, Any]) -> set[int]:
    """All numbers of points that are going to be judged: some samplers hold fewer than asked."""
    offered = (common["n_curve"], common["n"])
    sizes = set(offered)
    for spec in common["samplers"]:
        with suppress(MissingPackage):  # its jobs will say so
            sampler = load_plugged("samplers", spec, common)
            sizes |= {held_points(sampler, n, spec["label"]) for n in offered}
    return sizes


def _committed(target: Target, name: str, metrics: dict[str, Metric]) -> dict[str, np.ndarray]:
    """Committed floors by ``label/n``: of metrics at their defaults, which is all they hold."""
    path = FLOORS / f"{name}.npz"
    if not path.exists() or isinstance(target, Referenced):
        return {}
    try:
        stored = read_arrays(path)
    except StoreError:
        raise UserError(f"the committed floors '{path}' are damaged; restore that file, or delete "
                        "it, so that runs draw floors of their own") from None
    if not same(stored["fingerprint"].tolist(), fingerprint(target)):
        return {}
    versions, known = json.loads(str(stored["versions"])), floors_of(stored)
    return {f"{label}/{k.partition('/')[2]}": draws for label, m in metrics.items()
            if versions.get(m.name) == m.version and m == type(m)()
            for k, draws in known.items() if k.partition("/")[0] == m.name}


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


def _facts(target: Target, metrics: dict[str, Metric],
           floors: dict[str, np.ndarray]) -> dict[str, Any]:
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
            "floor_draws": {k: len(v) for k, v in floors.items()}}
