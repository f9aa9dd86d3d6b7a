"""Suite files: what their keys may say, each mistake answered by file, line and advice.

A suite is a TOML file, in ``bench/suites`` or anywhere. Samplers and targets are names, or inline
tables ``{name = "...", label = "...", params = {...}}`` for a variant under its own label; a
target also takes ``temperature`` and ``scale`` (another declared scale, so another start: every
sampler begins at N(0, scale^2 I)), a sampler a ``budget`` of its own.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.budget import Budget, parse_budget
from bench.errors import UserError, nearest, unknown
from bench.registry import catalogue, check_parameters, find

HERE = Path(__file__).parent
PUBLISHED = HERE.parent / "results" / "published"
LABEL = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")
#: So long may a label be: two of them, a seed and a suffix make the name of a file.
LONGEST = 80
#: Names that some systems keep for devices, with any suffix.
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


@dataclass(frozen=True)
class Spec:
    """A registered name with its label in the suite and its hyperparameters."""

    name: str
    label: str
    params: dict[str, Any] = field(default_factory=dict)
    temperature: float = 1.0
    scale: float | None = None
    budget: str = ""


#: What a suite file may say: key -> (type, what is expected).
KEYS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "description": (str, "a sentence"),
    "targets": (list, "a list of names or {name, label, params, temperature, scale}"),
    "samplers": (list, "a list of names or {name, label, params, budget}"),
    "controls": (list, "a list of control samplers"),
    "metrics": (list, "a list of names or {name, label, params}"),
    "seeds": ((int, str), "a number of seeds, or \"first:last\" (last excluded)"),
    "budget": (str, "a budget such as \"5s\" or \"2e6evals\""),
    "n": (int, "a number of points"),
    "n_curve": (int, "a number of points"),
    "checkpoints": ((int, list), "a number of checkpoints, each at half the budget of the next, "
                    "or the list of what has been spent at each, the last being the budget"),
    "published": (list, "names of the published tables this suite reruns (results/published)"),
    "preset": ((str, dict), "the name of a preset, or a table of hyperparameters by sampler"),
    "device": (str, "cpu, cuda or cuda:1"),
    "dtype": (str, "float32 or float64"),
    "compile": (bool, "true or false: whether the inner parts of samplers are compiled"),
    "wall_limit": ((int, float), "seconds a job may take by the wall clock"),
    "ladder_cap": ((int, float), "seconds a timed draw of the break-even table may take"),
    "floor_draws": (int, "draws of a floor that is not committed"),
}


def suite_names() -> dict[str, Path]:
    """The suites that come with the program."""
    return {path.stem: path for path in sorted((HERE / "suites").glob("*.toml"))}


def describe(path: Path) -> str:
    """A suite file's description."""
    return str(parse(path).get("description", ""))


def where(path: Path, key: str) -> str:
    """``file, line N`` of a key, as well as it can be found in the text."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if re.match(rf"\s*\[?{re.escape(key)}\b", line):
            return f"{path}, line {number}"
    return str(path)


def parse(path: Path) -> dict[str, Any]:
    """The file as TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path} is not a suite: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"suite file '{path}' cannot be read: {error}") from None


def find_file(name: str) -> Path:
    """The file of a suite's name or path."""
    known = suite_names()
    if name in known:
        return known[name]
    if name.endswith(".toml") or "/" in name:
        if not Path(name).is_file():
            raise UserError(f"suite file '{name}' does not exist")
        return Path(name)
    raise unknown("suite", name, known)


def check_keys(path: Path, raw: dict[str, Any]) -> None:
    """Refuse unknown keys, wrong types and missing ones."""
    for key, value in raw.items():
        if key not in KEYS:
            raise UserError(f"{where(path, key)}: unknown key '{key}'{nearest(key, KEYS)} "
                            f"(known: {', '.join(KEYS)})")
        kind, expected = KEYS[key]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise UserError(f"{where(path, key)}: '{key}' must be {expected}")
    for key in ("targets", "samplers", "budget"):
        if key not in raw:
            raise UserError(f"{path}: '{key}' is missing; it must be {KEYS[key][1]}")


#: What an item may say beside its name, label and params.
_EXTRA = {"targets": {"temperature", "scale"}, "samplers": {"budget"}}


def _check_spec(path: Path, key: str, spec: Spec) -> None:
    for word, value in (("temperature", spec.temperature), ("scale", spec.scale)):
        if value is not None and not (isinstance(value, int | float) and value > 0):
            raise UserError(f"{where(path, key)}: {word} of '{spec.label}' must be a positive "
                            f"number, not {value!r}")
    if spec.budget:
        try:
            parse_budget(str(spec.budget))
        except UserError as error:
            raise UserError(f"{where(path, key)}: '{spec.label}': {error}") from None


def read_fractions(path: Path, count: int | list[float], budget: Budget) -> tuple[float, ...]:
    """The shares of the budget at which a run is looked at, the last being all of it."""
    if isinstance(count, int):
        if count < 1:
            raise UserError(f"{where(path, 'checkpoints')}: there must be at least 1 checkpoint")
        return tuple(2.0 ** -k for k in reversed(range(count)))
    numbers = all(isinstance(c, int | float) and not isinstance(c, bool) for c in count)
    if not count or not numbers or sorted(set(count)) != count or count[0] <= 0:
        raise UserError(f"{where(path, 'checkpoints')}: checkpoints must be positive and rising")
    if count[-1] != budget.amount:
        raise UserError(f"{where(path, 'checkpoints')}: the last checkpoint must be the whole "
                        f"budget, {budget}")
    return tuple(c / count[-1] for c in count)


def read_specs(path: Path, key: str, items: list[Any], plugin: Path | None) -> tuple[Spec, ...]:
    """The items of a list of samplers, targets, controls or metrics, each checked."""
    room = "samplers" if key == "controls" else key
    specs = []
    for item in items:
        raw = {"name": item} if isinstance(item, str) else item
        extra = _EXTRA.get(room, set())
        allowed = {"name", "label", "params"} | extra
        if not isinstance(raw, dict) or "name" not in raw or set(raw) - allowed:
            raise UserError(f"{where(path, key)}: an item of '{key}' must be a name or a table "
                            f"with {', '.join(sorted(allowed))}, not {item!r}")
        check_parameters(find(room, raw["name"], plugin), raw.get("params", {}))
        label = raw["label"] if "label" in raw else raw["name"]
        specs.append(Spec(raw["name"], label, raw.get("params", {}),
                          **{k: raw[k] for k in extra & raw.keys()}))
        _check_spec(path, key, specs[-1])
    try:
        check_labels(room, specs, plugin)
    except UserError as error:
        raise UserError(f"{where(path, key)}: {error}") from None
    return tuple(specs)


def check_labels(room: str, specs: Sequence[Spec], plugin: Path | None) -> None:
    """Refuse labels that cannot name files, that differ by case alone or mean something else."""
    seen: dict[str, str] = {}
    for spec in specs:
        label = spec.label
        if (not isinstance(label, str) or not LABEL.fullmatch(label) or len(label) > LONGEST
                or RESERVED.fullmatch(label)):
            raise UserError(
                f"label {label!r} of {room[:-1]} '{spec.name}' is not usable; write at most "
                f"{LONGEST} letters, digits, '_', '-' and '.', not beginning with '.', and no "
                f"device's name: {{name = \"{spec.name}\", label = \"...\"}}")
        if label != spec.name and label in catalogue(plugin)[room]:
            raise UserError(f"label '{label}' of {room[:-1]} '{spec.name}' is the name of another "
                            f"{room[:-1]}; choose another label")
        if (other := seen.setdefault(label.casefold(), label)) != label:
            raise UserError(f"the {room} '{other}' and '{label}' differ by case alone, which not "
                            "every file system tells apart; choose another label")
    if doubles := [x for x, count in Counter(s.label for s in specs).items() if count > 1]:
        raise UserError(f"'{doubles[0]}' stands twice in '{room}'; give the variant its own label")


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


def read_published(path: Path, raw: dict[str, Any]) -> tuple[str, ...]:
    """The published tables the suite reruns; each must have its file."""
    known = {file.stem for file in PUBLISHED.glob("*.toml")}
    for name in raw.get("published", []):
        if name not in known:
            error = unknown("published table", str(name), known)
            raise UserError(f"{where(path, 'published')}: {error}")
    return tuple(raw.get("published", []))
