"""Suite files: what their keys may say, each mistake answered by file, line and advice.

A suite is a TOML file, in ``bench/suite`` or anywhere. Samplers and targets are names, or inline
tables ``{name = "...", label = "...", params = {...}}`` for a variant under its own label; a
target also takes ``temperature`` and ``scale`` (another declared scale, so another start: every
sampler begins at N(0, scale^2 I)), a sampler a ``budget`` of its own.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from bench.core.errors import UserError, nearest, unknown
from bench.core.places import PUBLISHED, SUITES
from bench.core.registry import check_parameters, find
from bench.harness.budget import Budget, parse_budget
from bench.suite.labels import check_labels
from bench.suite.specs import ItemSpec
from bench.suite.values import HIGHEST_SEED, MOST_CHECKPOINTS, MOST_SEEDS, plain, positive, whole

Item = TypeVar("Item", bound=ItemSpec)

#: What a suite file may say: key -> (type, what is expected).
KEYS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "description": (str, "a sentence"),
    "targets": (list, "a list of names or {name, label, params, temperature, scale}"),
    "samplers": (list, "a list of names or {name, label, params, budget}"),
    "baselines": (list, "a list of baseline samplers"),
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
    "referee": (bool, "true or false: whether samplers run apart from what judges them"),
    "wall_limit": ((int, float), "seconds a job may take by the wall clock"),
    "ladder_cap": ((int, float), "seconds a timed draw of the break-even table may take"),
    "floor_draws": (int, "draws of a floor that is not committed"),
}

#: Keys of earlier versions, and what they are called now.
RENAMED = {"controls": "baselines"}


def suite_names() -> dict[str, Path]:
    """The suites that come with the program."""
    return {path.stem: path for path in sorted(SUITES.glob("*.toml"))}


def describe(path: Path) -> str:
    """A suite file's description."""
    return str(parse(path).get("description", ""))


def where(path: Path, key: str) -> str:
    """``file, line N`` of a key, as well as it can be found in the text."""
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if re.match(rf"\s*\[?{re.escape(key)}\b", line):
            return f"{path}, line {number}"
    return str(path)


@contextmanager
def at(path: Path, key: str) -> Iterator[None]:
    """A mistake in what a key says is told with its file and line."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{where(path, key)}: {error}") from None


def read_text(path: Path) -> str:
    """A file of a user's as text: UTF-8, with or without a byte-order mark."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"'{path}' is not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise UserError(f"'{path}' cannot be read: {error.strerror or error}") from None


def parse(path: Path) -> dict[str, Any]:
    """The file as TOML."""
    try:
        return tomllib.loads(read_text(path))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UserError(f"{path} is not a suite: {error}") from None


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
        if key in RENAMED:
            raise UserError(f"{where(path, key)}: '{key}' is now called '{RENAMED[key]}'; rename "
                            "it in the suite")
        if key not in KEYS:
            raise UserError(f"{where(path, key)}: unknown key '{key}'{nearest(key, KEYS)} "
                            f"(known: {', '.join(KEYS)})")
        kind, expected = KEYS[key]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise UserError(f"{where(path, key)}: '{key}' must be {expected}")
    for key in ("targets", "samplers", "budget"):
        if key not in raw:
            raise UserError(f"{path}: '{key}' is missing; it must be {KEYS[key][1]}")
    for key in ("targets", "samplers", "metrics"):
        if raw.get(key) == []:
            raise UserError(f"{where(path, key)}: '{key}' is empty; it must be {KEYS[key][1]}")


#: What an item may say beside its name, label and params.
_EXTRA = {"targets": {"temperature", "scale"}, "samplers": {"budget"}}


def _read_item(cls: type[Item], key: str, item: Any, plugin: Path | None) -> Item:  # noqa: ANN401
    """One item of a list; what is wrong with it is said without its place in the file."""
    raw = {"name": item} if isinstance(item, str) else item
    extra = _EXTRA.get(cls.registry, set())
    allowed = {"name", "label", "params"} | extra
    if not isinstance(raw, dict) or not isinstance(raw.get("name"), str) or set(raw) - allowed:
        raise UserError(f"an item of '{key}' must be a name or a table with "
                        f"{', '.join(sorted(allowed))}, not {item!r}")
    name, params = raw["name"], raw.get("params", {})
    if not isinstance(params, dict):
        raise UserError(f"params of '{name}' must be a table {{key = value}}, not {params!r}")
    check_parameters(find(cls.registry, name, plugin), params)
    plain(params, "params")
    for word in ("temperature", "scale"):
        if word in raw and (wrong := positive(raw[word])):
            raise UserError(f"{word} of '{raw.get('label', name)}' {wrong}")
    if "budget" in raw:
        if not isinstance(raw["budget"], str):
            raise UserError(f"budget of '{raw.get('label', name)}' must be {KEYS['budget'][1]}, "
                            f"not {raw['budget']!r}")
        try:
            parse_budget(raw["budget"])
        except UserError as error:
            raise UserError(f"'{raw.get('label', name)}': {error}") from None
    return cls(name, raw["label"] if "label" in raw else name, params,
               **{k: raw[k] for k in extra & raw.keys()})


def read_fractions(path: Path, count: int | list[float], budget: Budget) -> tuple[float, ...]:
    """The shares of the budget at the checkpoints that a suite file asks for."""
    with at(path, "checkpoints"):
        return fractions_of(count, budget)


def fractions_of(checkpoints: int | Sequence[float], budget: Budget) -> tuple[float, ...]:
    """The shares of the budget at checkpoints, rising to 1.

    ``checkpoints`` is how many, each at half the budget of the next, or what is spent at each.
    """
    if isinstance(checkpoints, int):
        if wrong := whole(checkpoints, 1, MOST_CHECKPOINTS):
            raise UserError(f"there must be at least 1 checkpoint: checkpoints {wrong}")
        return tuple(2.0 ** -k for k in reversed(range(checkpoints)))
    spent = list(checkpoints)
    if (not 0 < len(spent) <= MOST_CHECKPOINTS or any(map(positive, spent))
            or sorted(set(spent)) != spent):
        raise UserError("checkpoints must be positive and rising, at most "
                        f"{MOST_CHECKPOINTS}")
    if spent[-1] != budget.amount:
        raise UserError(f"the last checkpoint must be the whole budget, {budget}")
    return tuple(c / spent[-1] for c in spent)


def read_items(cls: type[Item], path: Path, key: str, items: list[Any],
               plugin: Path | None) -> tuple[Item, ...]:
    """The items of a list of samplers, targets, baselines or metrics, each checked."""
    with at(path, key):
        specs = tuple(_read_item(cls, key, item, plugin) for item in items)
        check_labels(cls.registry, specs, plugin)
    return specs


def parse_seeds(value: int | str) -> tuple[int, ...]:
    """``5`` is seeds 0-4; ``"10:15"`` is seeds 10-14."""
    try:
        first, last = ([0, int(value)] if ":" not in str(value)
                       else [int(part) for part in str(value).split(":")])
    except ValueError:
        raise UserError(f"seeds '{value}' are not understood; write 5 or 10:15") from None
    if not 0 <= first < last:
        raise UserError(f"seeds '{value}' are none; write a number from 1 on, or first:last")
    if last - first > MOST_SEEDS or last > HIGHEST_SEED:
        raise UserError(f"seeds '{value}' are too many; write at most {MOST_SEEDS:,}, numbered "
                        f"below {HIGHEST_SEED:,}")
    return tuple(range(first, last))


def read_published(path: Path, raw: dict[str, Any]) -> tuple[str, ...]:
    """The published tables the suite reruns; each must have its file."""
    known = {file.stem for file in PUBLISHED.glob("*.toml")}
    with at(path, "published"):
        for name in raw.get("published", []):
            if str(name) not in known:
                raise unknown("published table", str(name), known)
    return tuple(raw.get("published", []))
