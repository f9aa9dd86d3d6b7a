"""The registry: what samplers, targets and metrics there are, and instances of them by name.

An entry is a class in a file of ``samplers/``, ``targets/`` or ``metrics/``, in a module that an
installed package names under the entry-point group ``sampler_bench``, or in a ``--plugin`` file.
Our own files are read, not imported: ``list`` and ``show`` are quick, and a broken file cannot
break the others.
"""

from __future__ import annotations

import importlib
import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.core.class_reader import read_entries
from bench.core.entry import KINDS, Entry
from bench.core.errors import MissingPackage, UserError, nearest, unknown
from bench.core.places import ROOT
from bench.core.plugins import (
    import_plugin,
    imported_entries,
    installed_entries,
    read_plugin,
    said,
)

Catalogue = dict[str, dict[str, Entry]]


@cache
def catalogue(plugin: Path | None = None) -> Catalogue:
    """All entries, kind by kind and by name; two classes of one name are a user's mistake."""
    files = [(path, ".".join(path.relative_to(ROOT).with_suffix("").parts)) for kind in KINDS
             for path in sorted((ROOT / kind).rglob("*.py")) if path.stem != "__init__"]
    entries = [e for path, module in files for e in read_entries(path, module)]
    entries += installed_entries()
    return _by_name(entries + (read_plugin(plugin) if plugin is not None else []))


def _by_name(entries: list[Entry]) -> Catalogue:
    kinds: Catalogue = {kind: {} for kind in KINDS}
    for entry in entries:
        other = kinds[entry.kind].setdefault(entry.name, entry)
        if other is not entry:
            raise UserError(f"two {entry.kind} are called '{entry.name}': {other.path} and "
                            f"{entry.path}; rename one")
    return kinds


def own(kind: str) -> list[str]:
    """Names of what stands in this project's own folder of a kind, in order."""
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


def exemptions(plugin: Path | None = None) -> dict[str, str]:
    """Laws of the conformance kit that entries do not keep: ``"entry: law"`` to the reason."""
    return {f"{entry.name}: {law}": why for kind in catalogue(plugin).values()
            for entry in kind.values()
            for law, why in (entry.attributes.get("exempt") or {}).items()}


def check_parameters(entry: Entry, parameters: dict[str, Any]) -> None:
    """Refuse a hyperparameter the class does not have, without importing it."""
    for key in parameters:
        if key not in entry.parameters:
            raise UserError(f"{entry.kind[:-1]} '{entry.name}' has no parameter '{key}'"
                            f"{nearest(key, entry.parameters)} (it has: "
                            f"{', '.join(entry.parameters) or 'none'})")


# ---- instances ----------------------------------------------------------------------------------


def load(kind: str, name: str, plugin: Path | None = None, **parameters: Any) -> Any:  # noqa: ANN401
    """An instance of a registered class with the given hyperparameters (this imports its file)."""
    entry = _loadable(kind, name, plugin)
    if lack := missing(entry):
        raise MissingPackage(f"{kind[:-1]} '{name}' {lack}")
    cls = getattr(_module(entry), entry.cls)
    check_parameters(entry, parameters)
    try:
        return cls(**parameters)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{kind[:-1]} '{name}' cannot be made: {said(error)}") from error


def _loadable(kind: str, name: str, plugin: Path | None) -> Entry:
    """The entry; a plugin file is imported only for a name that is not known without it."""
    known = catalogue()[kind]
    if name not in known and plugin is not None:
        known = known | {e.name: e for e in imported_entries(plugin) if e.kind == kind}
    if name not in known:
        raise unknown(kind[:-1], name, known)
    return known[name]


def _module(entry: Entry) -> ModuleType:
    if not entry.module:
        return import_plugin(entry.path)
    try:
        return importlib.import_module(entry.module)
    except Exception as error:
        raise UserError(f"'{entry.path}' fails to import: {said(error)}") from error
