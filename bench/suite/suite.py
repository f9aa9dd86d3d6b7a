"""Suites: which samplers meet which targets, under which budget, judged how.

``bench.suite.schema`` says what a file may hold. A preset is a file in ``bench/presets`` (or a
table ``[preset.SAMPLER]`` in the suite) with hyperparameters by sampler; the report names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from bench.core.errors import UserError, unknown
from bench.core.places import PRESETS
from bench.core.registry import catalogue, check_parameters, default_metrics, find
from bench.harness.budget import Budget, parse_budget
from bench.suite.labels import check_labels
from bench.suite.schema import (
    Spec,
    at,
    check_keys,
    find_file,
    parse,
    parse_seeds,
    read_fractions,
    read_published,
    read_specs,
)
from bench.suite.values import MOST_DRAWS, MOST_POINTS, plain, positive, whole, words

DTYPES = ("float32", "float64")
#: What a preset says of itself, beside a table for each sampler.
ABOUT = ("description", "chosen_on")


@dataclass(frozen=True)
class Suite:
    """A suite with everything resolved."""

    name: str
    description: str
    targets: tuple[Spec, ...]
    samplers: tuple[Spec, ...]
    metrics: tuple[Spec, ...]
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
    plugin: str = ""
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


def _with_preset(path: Path, samplers: tuple[Spec, ...], preset: str | dict[str, Any],
                 plugin: Path | None) -> tuple[tuple[Spec, ...], str, str]:
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

    ``only_samplers`` and ``only_targets`` are comma-separated labels or names; controls stay.
    """
    path = find_file(name)
    raw = parse(path)
    check_keys(path, raw)
    catalogue(plugin)  # first of all: what is wrong with a plugin is no mistake in the suite
    samplers = _choose("samplers", read_specs(path, "samplers", raw["samplers"], plugin),
                       only_samplers, plugin)
    named = raw.get("controls", ["exact", "initial", "overhead"])
    controls = read_specs(path, "controls", named, plugin)
    controls = tuple(c for c in controls if c.label not in {s.label for s in samplers})
    check_labels("samplers", controls + samplers, plugin)
    samplers, preset, note = _with_preset(path, samplers, raw.get("preset", {}), plugin)
    metrics = raw.get("metrics", default_metrics(plugin))
    with at(path, "seeds"):
        seeds = parse_seeds(raw.get("seeds", 5))
    with at(path, "budget"):
        budget = parse_budget(raw["budget"])
    plain = {k: raw[k] for k in ("n", "n_curve", "device", "dtype", "compile", "referee",
                                 "wall_limit", "ladder_cap", "floor_draws") if k in raw}
    fractions = read_fractions(path, raw.get("checkpoints", 5), budget)
    suite = Suite(path.stem, raw.get("description", ""),
                  _choose("targets", read_specs(path, "targets", raw["targets"], plugin),
                          only_targets, plugin), controls + samplers,
                  read_specs(path, "metrics", metrics, plugin), seeds, budget,
                  preset=preset if raw.get("preset") else "", preset_note=note,
                  fractions=fractions, published=read_published(path, raw),
                  plugin=str(plugin or ""), **plain)
    for key, fault in _faults(suite):
        with at(path, key):
            raise UserError(fault)
    return suite


def check_suite(suite: Suite) -> Suite:
    """The suite itself, if its numbers make sense."""
    for _, fault in _faults(suite):
        raise UserError(fault)
    return suite


def _faults(suite: Suite) -> Iterator[tuple[str, str]]:
    """Keys whose values make no sense, each with a sentence."""
    if suite.dtype not in DTYPES:
        yield "dtype", f"dtype '{suite.dtype}' is not one of {', '.join(DTYPES)}"
    if not re.fullmatch(r"cpu|cuda(:[0-9]{1,3})?", suite.device):
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


def _choose(kind: str, have: tuple[Spec, ...], wanted: str | None,
            plugin: Path | None) -> tuple[Spec, ...]:
    """The items named on the command line; names outside the suite are added to it."""
    if wanted is None:
        return have
    by_label = {spec.label: spec for spec in have}
    chosen: dict[str, Spec] = {}
    for label in words(wanted, f"--{kind}"):
        if label not in by_label:
            find(kind, label, plugin)
        chosen[label] = by_label.get(label, Spec(label, label))
    check_labels(kind, list(chosen.values()), plugin)
    return tuple(chosen.values())


def from_facts(facts: dict[str, Any]) -> Suite:
    """The suite of a run's header, so that a run can be resumed without its suite file."""
    try:
        return _from_facts(facts)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"the header of the run does not say what was asked ({_said(error)}); "
                        "restore its run.json or run anew") from None


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _from_facts(facts: dict[str, Any]) -> Suite:
    items = {kind: tuple(Spec(**spec) for spec in specs)
             for kind, specs in facts["items"].items()}
    plain: dict[str, Any] = {f.name: facts[f.name] for f in fields(Suite)
                             if f.name in facts
                             and f.name not in ("seeds", "budget", "fractions", "published")}
    return Suite(**{**plain, **items}, seeds=tuple(facts["seed_list"]),
                 budget=Budget(facts["currency"], facts["amount"]),
                 fractions=tuple(facts["fractions"]), published=tuple(facts["published"]))
