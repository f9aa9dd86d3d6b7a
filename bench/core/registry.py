"""The registry: what samplers, targets and metrics there are, found by reading files.

An entry is a class with a literal ``name = "..."`` in a file of its room, in a module that an
installed package names under the entry-point group ``sampler_bench``, or in a ``--plugin`` file.
Files are parsed, not imported: ``list`` and ``show`` stay fast, and a broken file cannot break the
others.
"""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import importlib.util
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.core.errors import MissingPackage, UserError, nearest, unknown
from bench.core.places import ROOT

KINDS = ("samplers", "targets", "metrics")
GROUP = "sampler_bench"
Parameters = dict[str, tuple[str, str]]  # name: (type, default)
_BASES = {"Sampler": "samplers", "Target": "targets", "Metric": "metrics"}


@dataclass(frozen=True)
class Entry:
    """One registered class, as read from its file."""

    kind: str
    name: str
    cls: str
    path: Path
    module: str  # dotted name, or "" for a plugin file
    doc: str
    module_doc: str
    attributes: dict[str, Any] = field(default_factory=dict)
    parameters: Parameters = field(default_factory=dict)

    @property
    def ours(self) -> bool:
        """Whether it comes from this project's own rooms, and not from a user's code."""
        return bool(self.module) and self.path.is_relative_to(ROOT / self.kind)

    @property
    def summary(self) -> str:
        """First line of the class docstring."""
        return self.doc.strip().splitlines()[0] if self.doc.strip() else ""


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


def _literal(node: ast.expr | None) -> Any:  # noqa: ANN401
    try:
        return ast.literal_eval(node) if node is not None else None
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


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


@cache
def _read(path: Path) -> _Module:
    # As bytes, so that a byte-order mark and a coding cookie are what they are to Python.
    tree = ast.parse(path.read_bytes(), filename=str(path))
    classes = {n.name: _read_class(n) for n in tree.body if isinstance(n, ast.ClassDef)}
    imports = {a.asname or a.name: (n.module or "", a.name)
               for n in tree.body if isinstance(n, ast.ImportFrom) for a in n.names}
    return _Module(path, ast.get_docstring(tree) or "", classes, imports)


def _lineage(module: _Module, cls: str) -> list[tuple[_Module, _Class]]:
    """The class and its bases as far as they can be read inside our rooms, nearest first."""
    if cls in module.classes:
        found = [(module, module.classes[cls])]
        for base in module.classes[cls].bases:
            found += _lineage(module, base)
        return found
    source, name = module.imports.get(cls, ("", ""))
    if source.split(".")[0] in KINDS and cls not in _BASES:
        path = ROOT.joinpath(*source.split(".")).with_suffix(".py")
        if path.exists():
            return _lineage(_read(path), name)
    return []


def _kind_of(module: _Module, cls: str) -> str:
    names = {m.imports.get(base, ("", base))[1] for m, c in _lineage(module, cls)
             for base in c.bases} & _BASES.keys()
    return _BASES[min(names)] if names else ""


def _entries(path: Path, module_name: str) -> list[Entry]:
    module = _read(path)
    found = []
    for cls, info in module.classes.items():
        name = info.attributes.get("name")
        kind = _kind_of(module, cls)
        if not isinstance(name, str) or not kind:
            continue
        attributes: dict[str, Any] = {}
        lineage = [c for _, c in reversed(_lineage(module, cls))]
        for ancestor in lineage:
            attributes |= ancestor.attributes
        parameters = _constructor(lineage)
        parameters = {k: v for k, v in parameters.items() if k not in info.attributes}
        found.append(Entry(kind, name, cls, path, module_name, ast.get_docstring(info.node) or "",
                           module.doc, attributes, parameters))
    return found


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


def _installed_plugins() -> list[tuple[Path, str]]:
    found = []
    for point in importlib.metadata.entry_points(group=GROUP):
        try:
            spec = importlib.util.find_spec(point.module)
        except Exception as error:  # of the package it lies in
            raise UserError(f"installed plugin '{point.value}' cannot be imported "
                            f"({_said(error)}); repair or uninstall it") from None
        if spec is not None and spec.origin:
            found.append((Path(spec.origin), point.module))
    return found


def distribution(module: str) -> str:
    """Name and version of the distribution whose plugin a module is."""
    dists = {p.module: p.dist for p in importlib.metadata.entry_points(group=GROUP)}
    dist = dists.get(module)
    return f"{dist.name} {dist.version}" if dist is not None else "unknown"


def unnamed(path: Path) -> list[tuple[str, int]]:
    """Classes of a room, with their lines, that have no readable name and serve no other class."""
    module = _read(path)
    bases = {base for c in module.classes.values() for base in c.bases}
    return [(cls, info.node.lineno) for cls, info in module.classes.items()
            if _kind_of(module, cls) and cls not in bases and not cls.startswith("_")
            and not isinstance(info.attributes.get("name"), str)]


def read_plugin(path: Path) -> list[Entry]:
    """The entries of a plugin file; a file without any is a user's mistake."""
    try:
        entries = _entries(path.resolve(), "")
        lost = unnamed(path.resolve())
    except FileNotFoundError:
        raise UserError(f"plugin file '{path}' does not exist") from None
    except SyntaxError as error:
        place = f", line {error.lineno}" if error.lineno else ""
        raise UserError(f"plugin file '{path}'{place}: {error.msg}") from None
    except (OSError, ValueError, MemoryError, RecursionError) as error:
        raise UserError(f"plugin file '{path}' cannot be read: {error}; save it as UTF-8 text, or "
                        "name its coding in the first line") from None
    if lost:
        cls, line = lost[0]
        raise UserError(f"plugin file '{path}', line {line}: class {cls} has no name that can be "
                        "read; give it a literal name = \"...\" (or an underscore in front, if "
                        "it is only a part of others)")
    if not entries:
        raise UserError(
            f"plugin file '{path}' registers nothing: give it a class derived from Sampler, "
            "Target or Metric with a literal name = \"...\"")
    return entries


@cache
def catalogue(plugin: Path | None = None) -> dict[str, dict[str, Entry]]:
    """All entries, room by room and by name; two files with one name are a user's mistake."""
    files = [(path, ".".join(path.relative_to(ROOT).with_suffix("").parts)) for kind in KINDS
             for path in sorted((ROOT / kind).rglob("*.py")) if path.stem != "__init__"]
    entries = [e for path, module in files + _installed_plugins() for e in _entries(path, module)]
    entries += read_plugin(plugin) if plugin is not None else []
    kinds: dict[str, dict[str, Entry]] = {kind: {} for kind in KINDS}
    for entry in entries:
        other = kinds[entry.kind].setdefault(entry.name, entry)
        if other is not entry:
            raise UserError(f"two {entry.kind} are called '{entry.name}': {other.path} and "
                            f"{entry.path}; rename one")
    return kinds


def own(kind: str) -> list[str]:
    """Names of what stands in this project's own room, in order."""
    return sorted(name for name, entry in catalogue()[kind].items() if entry.ours)


def find(kind: str, name: str, plugin: Path | None = None) -> Entry:
    """The entry of that name, or an error that suggests the nearest one."""
    known = catalogue(plugin)[kind]
    if name not in known:
        raise unknown(kind[:-1], name, known)
    return known[name]


def missing(entry: Entry) -> str:
    """'needs pip install ...' where an optional package of the entry is not installed, else ''."""
    lacking = [p for p in entry.attributes.get("packages") or ()
               if importlib.util.find_spec(p) is None]
    return f"needs pip install {' '.join(lacking)}" if lacking else ""


def default_metrics(plugin: Path | None = None) -> list[str]:
    """Names of the metrics that serve where none are named: all but ``default = False``."""
    return sorted(name for name, entry in catalogue(plugin)["metrics"].items()
                  if entry.attributes.get("default", True))


def _import(entry: Entry) -> ModuleType:
    if entry.module:
        try:
            return importlib.import_module(entry.module)
        except Exception as error:
            raise UserError(f"'{entry.path}' fails to import: {_said(error)}") from error
    name = f"sampler_bench_plugin_{entry.path.stem}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, entry.path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise UserError(f"plugin file '{entry.path}' fails to import: {_said(error)}") from error
    return module


def _said(error: BaseException) -> str:
    """What an exception says; a ValueError is a sentence about a value already."""
    return str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"


def load(kind: str, name: str, plugin: Path | None = None, **parameters: Any) -> Any:  # noqa: ANN401
    """An instance of a registered class with the given hyperparameters (this imports its file)."""
    entry = find(kind, name, plugin)
    if lack := missing(entry):
        raise MissingPackage(f"{kind[:-1]} '{name}' {lack}")
    cls = getattr(_import(entry), entry.cls)
    if parameters:
        check_parameters(entry, parameters)
    try:
        return cls(**parameters)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{kind[:-1]} '{name}' cannot be made: {_said(error)}") from error


def check_parameters(entry: Entry, parameters: dict[str, Any]) -> None:
    """Refuse a hyperparameter the class does not have, without importing it."""
    for key in parameters:
        if key not in entry.parameters:
            raise UserError(f"{entry.kind[:-1]} '{entry.name}' has no parameter '{key}'"
                            f"{nearest(key, entry.parameters)} (it has: "
                            f"{', '.join(entry.parameters) or 'none'})")
