"""Suites: which samplers meet which targets, under which budget, judged how.

A suite is a TOML file, in ``bench/suites`` or anywhere. Samplers and targets are names, or inline
tables ``{name = "...", label = "...", params = {...}}`` for a variant under its own label; a
target also takes ``temperature``. A preset is a file in ``bench/presets`` (or a table
``[preset.SAMPLER]`` in the suite) with hyperparameters by sampler; the report names it.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from bench.budget import Budget, parse_budget
from bench.errors import UserError, nearest, unknown
from bench.registry import catalogue, check_parameters, find

HERE = Path(__file__).parent
LABEL = re.compile(r"[A-Za-z0-9_.-]+")
DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class Spec:
    """A registered name with its label in the suite and its hyperparameters."""

    name: str
    label: str
    params: dict[str, Any] = field(default_factory=dict)
    temperature: float = 1.0


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
    wall_limit: float = 600.0
    ladder_cap: float = 0.25
    floor_draws: int = 200
    plugin: str = ""
    references: dict[str, str] = field(default_factory=dict)


#: What a suite file may say: key -> (type, what is expected).
_KEYS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "description": (str, "a sentence"),
    "targets": (list, "a list of names or {name, label, params, temperature}"),
    "samplers": (list, "a list of names or {name, label, params}"),
    "controls": (list, "a list of control samplers"),
    "metrics": (list, "a list of names or {name, params}"),
    "seeds": ((int, str), "a number of seeds, or \"first:last\" (last excluded)"),
    "budget": (str, "a budget such as \"5s\" or \"2e6evals\""),
    "n": (int, "a number of points"),
    "n_curve": (int, "a number of points"),
    "checkpoints": (int, "a number of checkpoints, each at half the budget of the next"),
    "preset": ((str, dict), "the name of a preset, or a table of hyperparameters by sampler"),
    "device": (str, "cpu, cuda or cuda:1"),
    "dtype": (str, "float32 or float64"),
    "wall_limit": ((int, float), "seconds a job may take by the wall clock"),
    "ladder_cap": ((int, float), "seconds a timed draw of the break-even table may take"),
    "floor_draws": (int, "draws of a floor that is not committed"),
}


def suite_names() -> dict[str, Path]:
    """The suites that come with the program."""
    return {path.stem: path for path in sorted((HERE / "suites").glob("*.toml"))}


def describe(path: Path) -> str:
    """A suite file's description."""
    return str(_parse(path).get("description", ""))


def _where(path: Path, key: str) -> str:
    """``file, line N`` of a key, as well as it can be found in the text."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if re.match(rf"\s*\[?{re.escape(key)}\b", line):
            return f"{path}, line {number}"
    return str(path)


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path} is not a suite: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"suite file '{path}' cannot be read: {error}") from None


def _find_file(name: str) -> Path:
    known = suite_names()
    if name in known:
        return known[name]
    if name.endswith(".toml") or "/" in name:
        if not Path(name).is_file():
            raise UserError(f"suite file '{name}' does not exist")
        return Path(name)
    raise unknown("suite", name, known)


def _check(path: Path, raw: dict[str, Any]) -> None:
    for key, value in raw.items():
        if key not in _KEYS:
            raise UserError(f"{_where(path, key)}: unknown key '{key}'{nearest(key, _KEYS)} "
                            f"(known: {', '.join(_KEYS)})")
        kind, expected = _KEYS[key]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise UserError(f"{_where(path, key)}: '{key}' must be {expected}")
    for key in ("targets", "samplers", "budget"):
        if key not in raw:
            raise UserError(f"{path}: '{key}' is missing; it must be {_KEYS[key][1]}")


def _specs(path: Path, key: str, items: list[Any], plugin: Path | None) -> tuple[Spec, ...]:
    room = "samplers" if key == "controls" else key
    specs = []
    for item in items:
        raw = {"name": item} if isinstance(item, str) else item
        extra = {"temperature"} if room == "targets" else set()
        allowed = {"name", "label", "params"} | extra
        if not isinstance(raw, dict) or "name" not in raw or set(raw) - allowed:
            raise UserError(f"{_where(path, key)}: an item of '{key}' must be a name or a table "
                            f"with {', '.join(sorted(allowed))}, not {item!r}")
        label = raw.get("label", raw["name"])
        if not isinstance(label, str) or not LABEL.fullmatch(label):
            raise UserError(f"{_where(path, key)}: label {label!r} must be of letters, digits, "
                            "'_', '.' and '-'")
        check_parameters(find(room, raw["name"], plugin), raw.get("params", {}))
        specs.append(Spec(raw["name"], label, raw.get("params", {}), raw.get("temperature", 1.0)))
    doubles = {s.label for s in specs if [t.label for t in specs].count(s.label) > 1}
    if doubles:
        raise UserError(f"{_where(path, key)}: '{min(doubles)}' stands twice in '{key}'; give the "
                        "variant its own label")
    return tuple(specs)


def parse_seeds(value: int | str) -> tuple[int, ...]:
    """``5`` is seeds 0-4; ``"10:15"`` is seeds 10-14."""
    try:
        first, last = ([0, int(value)] if ":" not in str(value)
                       else [int(part) for part in str(value).split(":")])
    except ValueError:
        raise UserError(f"seeds '{value}' are not understood; write 5 or 10:15") from None
    if not 0 <= first < last:
        raise UserError(f"seeds '{value}' are none; write a number from 1 on, or first:last")
    return tuple(range(first, last))


def read_preset(name: str) -> dict[str, Any]:
    """A preset that comes with the program: hyperparameters by sampler, and how it was chosen."""
    known = {path.stem: path for path in (HERE / "presets").glob("*.toml")}
    if name not in known:
        raise unknown("preset", name, known)
    return _parse(known[name])


def _with_preset(path: Path, samplers: tuple[Spec, ...], preset: str | dict[str, Any],
                 plugin: Path | None) -> tuple[tuple[Spec, ...], str, str]:
    """Samplers with the preset's hyperparameters under their own; the preset's name and note."""
    table = read_preset(preset) if isinstance(preset, str) else preset
    name = preset if isinstance(preset, str) else path.stem
    for sampler, params in table.items():
        if isinstance(params, dict):
            check_parameters(find("samplers", sampler, plugin), params)
    note = " ".join(str(table[k]) for k in ("description", "chosen_on") if k in table)
    merged = (replace(s, params={**table.get(s.name, {}), **s.params}) for s in samplers)
    return tuple(merged), name, note


def read_suite(name: str, plugin: Path | None = None, only_samplers: str | None = None,
               only_targets: str | None = None) -> Suite:
    """The suite of that name or file, with everything checked and resolved.

    ``only_samplers`` and ``only_targets`` are comma-separated labels or names; controls stay.
    """
    path = _find_file(name)
    raw = _parse(path)
    _check(path, raw)
    samplers = _choose("samplers", _specs(path, "samplers", raw["samplers"], plugin),
                       only_samplers, plugin)
    controls = _specs(path, "controls", raw.get("controls", ["exact", "prior", "idle"]), plugin)
    controls = tuple(c for c in controls if c.label not in {s.label for s in samplers})
    samplers, preset, note = _with_preset(path, samplers, raw.get("preset", {}), plugin)
    metrics = raw.get("metrics", sorted(catalogue(plugin)["metrics"]))
    try:
        seeds, budget = parse_seeds(raw.get("seeds", 5)), parse_budget(raw["budget"])
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    plain = {k: raw[k] for k in ("n", "n_curve", "device", "dtype", "wall_limit", "ladder_cap",
                                 "floor_draws") if k in raw}
    count = raw.get("checkpoints", 5)
    if count < 1:
        raise UserError(f"{_where(path, 'checkpoints')}: there must be at least 1 checkpoint")
    fractions = tuple(2.0 ** -k for k in reversed(range(count)))
    suite = Suite(path.stem, raw.get("description", ""),
                  _choose("targets", _specs(path, "targets", raw["targets"], plugin),
                          only_targets, plugin), controls + samplers,
                  _specs(path, "metrics", metrics, plugin), seeds, budget,
                  preset=preset if raw.get("preset") else "", preset_note=note,
                  fractions=fractions, plugin=str(plugin or ""), **plain)
    return check_suite(suite)


def check_suite(suite: Suite) -> Suite:
    """The suite itself, if its numbers make sense."""
    if suite.dtype not in DTYPES:
        raise UserError(f"dtype '{suite.dtype}' is not one of {', '.join(DTYPES)}")
    if not re.fullmatch(r"cpu|cuda(:\d+)?", suite.device):
        raise UserError(f"device '{suite.device}' is not cpu, cuda or cuda:NUMBER")
    if not 10 <= suite.n_curve <= suite.n:
        raise UserError(f"n_curve = {suite.n_curve} must be from 10 to n = {suite.n}")
    if suite.wall_limit <= 0:
        raise UserError("wall_limit must be positive")
    return suite


def _choose(room: str, have: tuple[Spec, ...], wanted: str | None,
            plugin: Path | None) -> tuple[Spec, ...]:
    """The items named on the command line; names outside the suite are added to it."""
    if not wanted:
        return have
    by_label = {spec.label: spec for spec in have}
    chosen: dict[str, Spec] = {}
    for label in (word.strip() for word in wanted.split(",")):
        if label not in by_label:
            find(room, label, plugin)
        chosen[label] = by_label.get(label, Spec(label, label))
    return tuple(chosen.values())


def from_facts(facts: dict[str, Any]) -> Suite:
    """The suite of a run's header, so that a run can be resumed without its suite file."""
    items = {room: tuple(Spec(**spec) for spec in specs)
             for room, specs in facts["items"].items()}
    plain: dict[str, Any] = {f.name: facts[f.name] for f in fields(Suite)
                             if f.name in facts and f.name not in ("seeds", "budget", "fractions")}
    return Suite(**{**plain, **items}, seeds=tuple(facts["seed_list"]),
                 budget=Budget(facts["currency"], facts["amount"]),
                 fractions=tuple(facts["fractions"]))
