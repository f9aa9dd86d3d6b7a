"""Reading classes from source files without importing them, so that ``list`` takes no second.

An entry is a class with a literal ``name = "..."``. This serves this project's own folders and
installed packages; a plugin file is imported (``bench.core.plugins``).
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bench.core.entry import BASES, KINDS, Entry, Parameters
from bench.core.places import ROOT


@dataclass
class _Class:
    """What a class statement says, before its bases are resolved."""

    node: ast.ClassDef
    bases: list[str]
    attributes: dict[str, Any]
    parameters: Parameters
    arguments: Parameters | None  # of its own __init__; None where it has none
    passes_on: bool  # that __init__ takes **kwargs as well

    @property
    def is_dataclass(self) -> bool:
        """Whether ``@dataclass``, with arguments or without, stands above it."""
        return any("dataclass" in ast.unparse(d) for d in self.node.decorator_list)


@dataclass
class _Module:
    """A parsed file: its classes, and where its imported names come from."""

    path: Path
    doc: str
    classes: dict[str, _Class]
    imports: dict[str, tuple[str, str]]


def read_entries(path: Path, module_name: str) -> list[Entry]:
    """The entries of a source file; raises what ``ast.parse`` raises."""
    module = _read(path)
    found = []
    for cls, info in module.classes.items():
        name, kind = info.attributes.get("name"), _kind_of(module, cls)
        if not isinstance(name, str) or not kind:
            continue
        lineage = [c for _, c in reversed(_lineage(module, cls))]
        attributes: dict[str, Any] = {}
        for ancestor in lineage:
            attributes |= ancestor.attributes
        parameters = {k: v for k, v in _constructor(lineage).items() if k not in info.attributes}
        found.append(Entry(kind, name, cls, path, module_name, ast.get_docstring(info.node) or "",
                           module.doc, attributes, parameters))
    return found


def unreadable_names(path: Path) -> list[tuple[str, int]]:
    """Classes of a kind, with their lines, whose ``name`` is there and no literal."""
    module = _read(path)
    return [(cls, info.node.lineno) for cls, info in module.classes.items()
            if _kind_of(module, cls) and "name" in info.attributes
            and not isinstance(info.attributes["name"], str)]


@cache
def _read(path: Path) -> _Module:
    # As bytes, so that a byte-order mark and a coding cookie are what they are to Python.
    tree = ast.parse(path.read_bytes(), filename=str(path))
    classes = {n.name: _read_class(n) for n in tree.body if isinstance(n, ast.ClassDef)}
    imports = {a.asname or a.name: (n.module or "", a.name)
               for n in tree.body if isinstance(n, ast.ImportFrom) for a in n.names}
    return _Module(path, ast.get_docstring(tree) or "", classes, imports)


def _read_class(node: ast.ClassDef) -> _Class:
    attributes: dict[str, Any] = {}
    parameters: Parameters = {}
    arguments, passes_on = None, False
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            annotation = ast.unparse(item.annotation)
            if "ClassVar" in annotation:
                attributes[item.target.id] = _literal(item.value)
            elif not item.target.id.startswith("_"):
                default = ast.unparse(item.value) if item.value is not None else ""
                parameters[item.target.id] = (annotation, default)
        elif isinstance(item, ast.Assign):
            for assigned in item.targets:
                attributes |= _assigned(assigned, item.value)
        elif isinstance(item, ast.FunctionDef) and item.name == "__init__":
            arguments, passes_on = _arguments(item.args), item.args.kwarg is not None
    bases = [base.attr if isinstance(base, ast.Attribute) else base.id for base in node.bases
             if isinstance(base, ast.Name | ast.Attribute)]
    return _Class(node, bases, attributes, parameters, arguments, passes_on)


def _literal(node: ast.expr | None) -> Any:  # noqa: ANN401
    try:
        return ast.literal_eval(node) if node is not None else None
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _assigned(to: ast.expr, value: ast.expr) -> dict[str, Any]:
    """What ``to = value`` gives: a name, or a tuple of names item by item."""
    if isinstance(to, ast.Name):
        return {to.id: _literal(value)}
    if isinstance(to, ast.Tuple) and isinstance(value, ast.Tuple):
        pairs = zip(to.elts, value.elts, strict=False)
        return {k: v for one in pairs for k, v in _assigned(*one).items()}
    return {}


def _arguments(of: ast.arguments) -> Parameters:
    """The arguments of an ``__init__`` that may be given by name, ``self`` left out."""
    named = [*of.posonlyargs, *of.args][1:] + of.kwonlyargs
    given = of.defaults[-len(of.args):] if of.args else []
    defaults = [None] * (len(named) - len(of.kwonlyargs) - len(given)) + given + of.kw_defaults
    return {a.arg: (ast.unparse(a.annotation) if a.annotation else "",
                    ast.unparse(d) if d is not None else "")
            for a, d in zip(named, defaults, strict=True)}


def _lineage(module: _Module, cls: str) -> list[tuple[_Module, _Class]]:
    """The class and its bases as far as they stand in our folders, nearest first."""
    if cls in module.classes:
        found = [(module, module.classes[cls])]
        for base in module.classes[cls].bases:
            found += _lineage(module, base)
        return found
    source, name = module.imports.get(cls, ("", ""))
    if source.split(".")[0] in KINDS and cls not in BASES:
        path = ROOT.joinpath(*source.split(".")).with_suffix(".py")
        if path.exists():
            return _lineage(_read(path), name)
    return []


def _kind_of(module: _Module, cls: str) -> str:
    names = {m.imports.get(base, ("", base))[1] for m, c in _lineage(module, cls)
             for base in c.bases} & BASES.keys()
    return BASES[min(names)] if names else ""


def _constructor(lineage: list[_Class]) -> Parameters:
    """What the last class of a lineage takes: fields of a dataclass, or arguments of __init__."""
    fields: Parameters = {}
    taken: Parameters = {}
    for cls in lineage:
        if cls.is_dataclass:
            fields |= cls.parameters
        if cls.arguments is not None:
            taken = (taken if cls.passes_on else {}) | cls.arguments
        elif cls.is_dataclass:
            taken = dict(fields)
    return taken
