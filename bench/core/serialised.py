"""Frozen dataclasses as JSON values and back: what crosses from one process to another, or a file.

The type of each field decides how its value is read, so that nothing has to be said twice. Known
are numbers, text, booleans, paths, ``None``, tuples of one type, dicts with text as keys, unions
with ``None``, literals, and dataclasses made of these; ``Any`` is handed on as it is.
"""

from __future__ import annotations

import dataclasses
import types
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
#: JSON has whole numbers beyond all floats; no count of ours comes near this one.
_MOST = 2**63


def encode(value: Any) -> Any:  # noqa: ANN401
    """A value of JSON: dataclasses become tables, tuples lists, paths text."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: encode(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [encode(held) for held in value]
    return str(value) if isinstance(value, Path) else value


def decode(kind: type[T], value: Any) -> T:  # noqa: ANN401
    """The value that ``encode`` made of one of this type; TypeError where it is none.

    Fields that the class does not have are left out, so that what an older version wrote is read.
    """
    read: T = _decode(kind, value)
    return read


def _decode(kind: Any, value: Any) -> Any:  # noqa: ANN401
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin in (types.UnionType, Union):
        return None if value is None else _decode(_but_none(inner), value)
    if origin is Literal:
        return _one_of(value, inner)
    if origin is tuple:
        return tuple(_decode(inner[0], held) for held in _of(list, value))
    if origin is dict:
        return {_of(str, key): _decode(inner[1], held) for key, held in _of(dict, value).items()}
    if dataclasses.is_dataclass(kind):
        return _fields(kind, _of(dict, value))
    if kind is Path:
        return Path(_of(str, value))
    return _number(kind, value) if kind in (int, float) else _of(kind, value)


def _fields(kind: Any, value: dict[str, Any]) -> Any:  # noqa: ANN401
    hints = _hints(kind)
    return kind(**{name: _decode(hints[name], held) for name, held in value.items()
                   if name in hints})


@cache
def _hints(kind: Any) -> dict[str, Any]:  # noqa: ANN401
    return get_type_hints(kind)


def _but_none(kinds: tuple[Any, ...]) -> Any:  # noqa: ANN401
    (kind,) = [k for k in kinds if k is not types.NoneType]
    return kind


def _number(kind: type, value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, bool) or not isinstance(value, int if kind is int else int | float):
        raise TypeError(f"{value!r} is no {kind.__name__}")
    if isinstance(value, int) and abs(value) >= _MOST:
        raise TypeError("a whole number that is too large")
    return value


def _one_of(value: Any, known: tuple[Any, ...]) -> Any:  # noqa: ANN401
    if value not in known:
        raise TypeError(f"{value!r} is none of {known}")
    return value


def _of(kind: Any, value: Any) -> Any:  # noqa: ANN401
    if not isinstance(value, kind):
        raise TypeError(f"{value!r} is no {kind.__name__}")
    return value
