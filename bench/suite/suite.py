"""Suites: which samplers meet which targets, under which budget, judged how.

``bench.suite.schema`` says what a file may hold. A preset is a file in ``bench/presets`` (or a
table ``[preset.SAMPLER]`` in the suite) with hyperparameters by sampler; the report names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from bench.core.errors import UserError, unknown
from bench.core.places import PRESETS
from bench.core.registry import catalogue, check_parameters, default_metrics, find
from bench.harness.budget import Budget, parse_budget
from bench.suite.labels import check_labels
from bench.suite.schema import (
    at,
    check_keys,
    find_file,
    parse,
    parse_seeds,
    read_fractions,
    read_items,
    read_published,
)
from bench.suite.specs import MetricSpec, SamplerSpec, TargetSpec
from bench.suite.values import MOST_DRAWS, MOST_POINTS, plain, positive, whole, words

Item = TypeVar("Item", TargetSpec, SamplerSpec)
DTYPES = ("float32", "float64")
DEVICES = r"cpu|cuda(:[0-9]{1,3})?"
#: The baseline samplers of a suite that names none: floor, ceiling and overhead.
BASELINES = ["exact", "initial", "overhead"]
#: What a preset says of itself, beside a table for each sampler.
ABOUT = ("description", "chosen_on")


@dataclass(frozen=True)
class Suite:
    """A suite with everything resolved."""

    name: str
    description: str
    targets: tuple[TargetSpec, ...]
    samplers: tuple[SamplerSpec, ...]
    metrics: tuple[MetricSpec, ...]
    seeds: tuple[int, ...]
    budget: Budget
    n: int = 5000
    n_curve: int = 1000
    fractions: tuple[float, ...] = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
    preset: str = ""
    preset_note: str = ""
    device: str = "cpu"
    dtype: str = "float32"
    compile: bool = False
    referee: bool = False
    wall_limit: float = 600.0
    ladder_cap: float = 0.25
    floor_draws: int = 200
    published: tuple[str, ...] = ()
    plugin: Path | None = None  # a file with samplers, targets or metrics of the user's
    references: dict[str, str] = field(default_factory=dict)
    check: dict[str, Any] = field(default_factory=dict)  # options of a check that follows the run


def read_preset(name: str) -> dict[str, Any]:
    """A preset that comes with the program: hyperparameters by sampler, and how it was chosen."""
    known = {path.stem: path for path in PRESETS.glob("*.toml")}
    if name not in known:
        raise unknown("preset", name, known)
    return parse(known[name])


def _check_preset(table: dict[str, Any], plugin: Path | None) -> None:
    for sampler, params in table.items():
        if isinstance(params, dict):
            check_parameters(find("samplers", sampler, plugin), params)
            plain(params, f"preset.{sampler}")
        elif sampler not in ABOUT:
            raise UserError(f"'{sampler}' of a preset must be a table {{key = value}} of a "
                            f"sampler's parameters, not {params!r}")


def _with_preset(path: Path, samplers: tuple[SamplerSpec, ...], preset: str | dict[str, Any],
                 plugin: Path | None) -> tuple[tuple[SamplerSpec, ...], str, str]:
    """Samplers with the preset's hyperparameters under their own; the preset's name and note."""
    with at(path, "preset"):
        table = read_preset(preset) if isinstance(preset, str) else preset
        _check_preset(table, plugin)
    name = preset if isinstance(preset, str) else path.stem
    note = " ".join(str(table[k]) for k in ABOUT if k in table)
    merged = (replace(s, params={**table.get(s.name, {}), **s.params}) for s in samplers)
    return tuple(merged), name, note


def read_suite(name: str, plugin: Path | None = None, only_samplers: str | None = None,
               only_targets: str | None = None) -> Suite:
    """The suite of that name or file, with everything checked and resolved.

    ``only_samplers`` and ``only_targets`` are comma-separated labels or names; baselines stay.
    """
    path = find_file(name)
    raw = parse(path)
    check_keys(path, raw)
    catalogue(plugin)  # first of all: what is wrong with a plugin is no mistake in the suite
    samplers, preset, note = _samplers(path, raw, plugin, only_samplers)
    targets = read_items(TargetSpec, path, "targets", raw["targets"], plugin)
    metrics = read_items(MetricSpec, path, "metrics",
                         raw.get("metrics", default_metrics(plugin)), plugin)
    with at(path, "seeds"):
        seeds = parse_seeds(raw.get("seeds", 5))
    with at(path, "budget"):
        budget = parse_budget(raw["budget"])
    as_written = {k: raw[k] for k in ("n", "n_curve", "device", "dtype", "compile", "referee",
                                      "wall_limit", "ladder_cap", "floor_draws") if k in raw}
    suite = Suite(path.stem, raw.get("description", ""),
                  _choose(TargetSpec, targets, only_targets, plugin), samplers, metrics, seeds,
                  budget, preset=preset, preset_note=note,
                  fractions=read_fractions(path, raw.get("checkpoints", 5), budget),
                  published=read_published(path, raw), plugin=plugin, **as_written)
    for key, fault in _faults(suite):
        with at(path, key):
            raise UserError(fault)
    return suite


def _samplers(path: Path, raw: dict[str, Any], plugin: Path | None,
              only: str | None) -> tuple[tuple[SamplerSpec, ...], str, str]:
    """Baselines, then samplers with their preset's parameters; the preset's name and note."""
    named = read_items(SamplerSpec, path, "samplers", raw["samplers"], plugin)
    samplers = _choose(SamplerSpec, named, only, plugin)
    baselines = read_items(SamplerSpec, path, "baselines", raw.get("baselines", BASELINES), plugin)
    asked = {s.label for s in samplers}
    baselines = tuple(b for b in baselines if b.label not in asked)
    check_labels("samplers", baselines + samplers, plugin)
    samplers, preset, note = _with_preset(path, samplers, raw.get("preset", {}), plugin)
    return baselines + samplers, preset if raw.get("preset") else "", note


def check_suite(suite: Suite) -> Suite:
    """The suite itself, if its numbers make sense."""
    for _, fault in _faults(suite):
        raise UserError(fault)
    return suite


def _faults(suite: Suite) -> Iterator[tuple[str, str]]:
    """Keys whose values make no sense, each with a sentence."""
    if suite.dtype not in DTYPES:
        yield "dtype", f"dtype '{suite.dtype}' is not one of {', '.join(DTYPES)}"
    if not re.fullmatch(DEVICES, suite.device):
        yield "device", f"device '{suite.device}' is not cpu, cuda or cuda:NUMBER"
    if wrong := whole(suite.n, 1, MOST_POINTS):
        yield "n", f"n {wrong}"
    if not 10 <= suite.n_curve <= suite.n:
        yield "n_curve", f"n_curve = {suite.n_curve} must be from 10 to n = {suite.n}"
    if wrong := whole(suite.floor_draws, 1, MOST_DRAWS):
        yield "floor_draws", f"floor_draws {wrong}"
    for key in ("wall_limit", "ladder_cap"):
        if wrong := positive(getattr(suite, key)):
            yield key, f"{key} {wrong}"


def _choose(cls: type[Item], have: tuple[Item, ...], wanted: str | None,
            plugin: Path | None) -> tuple[Item, ...]:
    """The items named on the command line; names outside the suite are added to it."""
    if wanted is None:
        return have
    by_label = {spec.label: spec for spec in have}
    chosen: dict[str, Item] = {}
    for label in words(wanted, f"--{cls.registry}"):
        if label not in by_label:
            find(cls.registry, label, plugin)
        chosen[label] = by_label.get(label, cls(label, label))
    check_labels(cls.registry, list(chosen.values()), plugin)
    return tuple(chosen.values())
