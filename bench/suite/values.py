"""Values a user writes: what is a number, how large it may be, and what can be kept as it is."""

from __future__ import annotations

import math
from typing import Any

from bench.core.errors import UserError

#: More than these are a slip of the pen, and would take the memory before anything ran.
MOST_SEEDS, HIGHEST_SEED = 10_000, 10**9
MOST_POINTS, MOST_DRAWS, MOST_CHECKPOINTS = 10_000_000, 1_000_000, 100


def whole(value: object, least: int, most: int) -> str:
    """'' for a whole number within bounds, else what it must be."""
    fits = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
    return "" if fits else f"must be a whole number from {least} to {most:,}, not {_short(value)}"


def positive(value: object) -> str:
    """'' for a positive finite number, else what it must be."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = number and 0 < value < 1e15  # type: ignore[operator]
    return "" if fits else f"must be a positive finite number, not {_short(value)}"


def plain(value: object, name: str) -> None:
    """Refuse what records cannot keep: dates, and numbers that are not finite."""
    if isinstance(value, dict):
        for key, inner in value.items():
            plain(inner, f"{name}.{key}")
    elif isinstance(value, list):
        for inner in value:
            plain(inner, name)
    elif isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{name} = {value} cannot be recorded; write a finite number")
    elif not isinstance(value, str | int | float):
        raise UserError(f"{name} = {value} is a {type(value).__name__}; write a number, a string, "
                        "true or false, a list or a table")


def words(text: str, option: str) -> list[str]:
    """The names in a list separated by commas, each once; refuses an empty one."""
    found = list(dict.fromkeys(word.strip() for word in text.split(",")))
    if "" in found:
        raise UserError(f"{option} '{text}' names {'nothing' if found == [''] else 'an empty one'}"
                        "; write names separated by commas, or leave the option out")
    return found


def _short(value: Any) -> str:  # noqa: ANN401
    text = repr(value)
    return text if len(text) <= 40 else text[:39] + "…"
