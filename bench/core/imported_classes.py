"""What an imported module of a user registers: its classes, read as Python made them."""

from __future__ import annotations

import ast
import inspect
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.core.entry import BASES, Entry, Parameters
from bench.core.errors import UserError

_PLAIN = (str, int, float, bool, type(None), tuple, list, dict)


def entries_of(module: ModuleType, path: Path) -> list[Entry]:
    """The entries of a plugin file's module.

    Raises UserError where a class lacks its name, a target its dim or scale, or there is no class.
    """
    classes = [c for c in vars(module).values() if inspect.isclass(c) and _kind_of(c)
               and c.__module__ == module.__name__]
    bases = {base for c in classes for base in c.__bases__}
    named = [c for c in classes if _is_named(c)]
    for cls in classes:
        if cls not in named and cls not in bases and not cls.__name__.startswith("_"):
            raise UserError(f"{_place(path, cls)}: class {cls.__name__} has no name; add the line "
                            f"name = \"{cls.__name__.lower()}\" to it (or put an underscore in "
                            "front of the class, if it is only a part of others)")
    for cls in named:
        _check_target(path, cls)
    if not named:
        raise UserError(f"plugin file '{path}' registers nothing: give it a class derived from "
                        "Sampler, Target or Metric with a line name = \"...\"")
    return [Entry(_kind_of(c), vars(c)["name"], c.__name__, path.resolve(), "",
                  inspect.cleandoc(vars(c).get("__doc__") or ""),
                  inspect.cleandoc(module.__doc__ or ""), _attributes(c), _parameters(c))
            for c in named]


def _place(path: Path, cls: type) -> str:
    """The plugin file and the line of a class statement."""
    lines = [node.lineno for node in ast.walk(ast.parse(path.read_bytes()))
             if isinstance(node, ast.ClassDef) and node.name == cls.__name__]
    return f"plugin file '{path}'" + (f", line {lines[-1]}" if lines else "")


def _kind_of(cls: type) -> str:
    return next((kind for base in cls.__mro__ if base is not cls
                 for name, kind in BASES.items() if _is_base(base, name, kind)), "")


def _is_base(cls: type, name: str, kind: str) -> bool:
    return (cls.__module__, cls.__qualname__) == (f"{kind}.base", name)


def _is_named(cls: type) -> bool:
    name = vars(cls).get("name")
    return isinstance(name, str) and bool(name)


def _check_target(path: Path, cls: type) -> None:
    """A target has a dim and a scale on its class, or a constructor that may set them."""
    constructed = any({"__init__", "__post_init__"} & vars(c).keys() for c in _own_lineage(cls)
                      if not is_dataclass(c) or "__post_init__" in vars(c))
    declared = {f.name for f in fields(cls)} if is_dataclass(cls) else set()
    for what, example in (("dim", "2"), ("scale", "1.0")):
        if _kind_of(cls) == "targets" and not (hasattr(cls, what) or what in declared
                                               or constructed):
            raise UserError(f"{_place(path, cls)}: target {cls.__name__} has no {what}; add a "
                            f"line like {what} = {example} to it, or set self.{what} in its "
                            "__init__")


def _own_lineage(cls: type) -> list[type]:
    """The class and its bases, furthest first, without ours at the bottom and below."""
    bottom = next(i for i, base in enumerate(cls.__mro__)
                  if any(_is_base(base, n, k) for n, k in BASES.items()))
    return list(reversed(cls.__mro__[:bottom]))


def _attributes(cls: type) -> dict[str, Any]:
    """Class attributes of plain values; fields of a dataclass are parameters instead."""
    found: dict[str, Any] = {}
    for ancestor in _own_lineage(cls):
        found |= {k: v for k, v in vars(ancestor).items() if not k.startswith("_") and _plain(v)}
    declared = {f.name for f in fields(cls)} if is_dataclass(cls) else set()
    return {k: v for k, v in found.items() if k not in declared or k == "name"}


def _plain(value: object) -> bool:
    """Whether a value survives as text."""
    try:
        return type(value) in _PLAIN and bool(ast.literal_eval(repr(value)) == value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False


def _parameters(cls: type) -> Parameters:
    """What the constructor takes by name; one that takes ``**kwargs`` passes them on."""
    taken: Parameters = {}
    for ancestor in _own_lineage(cls):
        if "__init__" not in vars(ancestor):
            continue
        arguments = list(inspect.signature(ancestor).parameters.values())
        passes_on = any(a.kind is a.VAR_KEYWORD for a in arguments)
        taken = (taken if passes_on else {}) | {
            a.name: _as_text(a) for a in arguments if a.kind not in (a.VAR_KEYWORD,
                                                                     a.VAR_POSITIONAL)}
    return taken


def _as_text(argument: inspect.Parameter) -> tuple[str, str]:
    annotation, default = argument.annotation, argument.default
    empty = inspect.Parameter.empty
    kind = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return ("" if annotation is empty else kind, "" if default is empty else repr(default))
