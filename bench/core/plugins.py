"""Classes of users: files given by ``--plugin``, and modules of installed packages.

A plugin file is imported to be run, so its classes are read after the import: a computed name is a
name. The process of the run itself stays free of the user's code (which may print, change global
state, or be what a referee must not trust): it has the file read by a process of its own. A
process that makes instances imports the file itself.
"""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import os
import subprocess
import sys
import tempfile
import zlib
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.core.class_reader import read_entries, unreadable_names
from bench.core.entry import Entry
from bench.core.errors import UserError
from bench.core.imported_classes import entries_of

GROUP = "sampler_bench"
PATIENCE = 300.0  # seconds that the import of a plugin file may take
_READER = ("import sys; sys.path[:] = {!a}; from bench.core.plugins import _tell; "
           "_tell({!a}, {!a})")


# ---- plugin files -------------------------------------------------------------------------------


def read_plugin(path: Path) -> list[Entry]:
    """The entries of a plugin file, which this process does not import.

    Raises UserError, a sentence with the line, where the file cannot be read or imported, where it
    registers nothing, and where a class lacks its name or a target its dim or scale.
    """
    path = path.resolve()
    if _module_name(path) in sys.modules:
        return imported_entries(path)
    _check_source(path)
    return _read_apart(path)


def imported_entries(path: Path) -> list[Entry]:
    """The entries of a plugin file that is imported here; raises as ``read_plugin`` does."""
    path = path.resolve()
    return entries_of(import_plugin(path), path)


def import_plugin(path: Path) -> ModuleType:
    """The module of a plugin file, imported once; UserError where that fails."""
    path = path.resolve()
    name = _module_name(path)
    if name in sys.modules:
        return sys.modules[name]
    _check_source(path)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserError(f"plugin file '{path}' is no Python file; its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise UserError(f"plugin file '{path}' fails to import: {said(error)}") from error
    return module


def said(error: BaseException) -> str:
    """What an exception says; a ValueError is a sentence about a value already."""
    return str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"


def _module_name(path: Path) -> str:
    """One name for one file: two plugins in two folders may be called alike."""
    return f"sampler_bench_plugin_{path.stem}_{zlib.crc32(os.fsencode(path)):08x}"


def _check_source(path: Path) -> None:
    """Parse the file, so that what is wrong with its text is one sentence."""
    try:
        ast.parse(path.read_bytes(), filename=str(path))
    except FileNotFoundError:
        raise UserError(f"plugin file '{path}' does not exist") from None
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        raise UserError(f"plugin file '{path}'{line}: {error.msg}") from None
    except (OSError, ValueError, MemoryError, RecursionError) as error:
        raise UserError(f"plugin file '{path}' cannot be read: {error}; save it as UTF-8 text, or "
                        "name its coding in the first line") from None


# ---- a process that reads -----------------------------------------------------------------------


def _read_apart(path: Path) -> list[Entry]:
    """The entries as another process says them, in literals: nothing of the user's runs here."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "entries"
        code = _READER.format(sys.path, str(path), str(out))
        try:
            done = subprocess.run([sys.executable, "-P", "-c", code], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                  timeout=PATIENCE, check=False)
        except subprocess.TimeoutExpired:
            raise UserError(f"plugin file '{path}' takes more than {PATIENCE:.0f} s to import; "
                            "move its work into functions") from None
        if not out.exists():
            raise UserError(f"plugin file '{path}' ends the process that imports it (exit code "
                            f"{done.returncode}); move what it does into functions")
        told = ast.literal_eval(out.read_text(encoding="utf-8"))
    if "error" in told:
        raise UserError(told["error"])
    return [Entry(**{**entry, "path": path}) for entry in told["entries"]]


def _tell(path: str, out: str) -> None:
    """In that process: leave the entries of a plugin file, or what is wrong with it."""
    told: dict[str, Any]
    try:
        told = {"entries": [{**asdict(e), "path": ""} for e in imported_entries(Path(path))]}
    except UserError as error:
        told = {"error": str(error)}
    Path(out).write_text(ascii(told), encoding="utf-8")


# ---- installed packages -------------------------------------------------------------------------


def installed_entries() -> list[Entry]:
    """The entries of modules that installed packages name; read without importing them."""
    found = []
    for point in importlib.metadata.entry_points(group=GROUP):
        try:
            spec = importlib.util.find_spec(point.module)
        except Exception as error:  # of the package it lies in
            raise UserError(f"installed plugin '{point.value}' cannot be imported "
                            f"({said(error)}); repair or uninstall it") from None
        if spec is None or not spec.origin:
            continue
        path = Path(spec.origin)
        for cls, line in unreadable_names(path):
            raise UserError(f"installed plugin '{point.value}', line {line} of '{path}': the name "
                            f"of class {cls} cannot be read without importing it; write name = "
                            "\"...\" as plain text")
        found += read_entries(path, point.module)
    return found


def distribution(module: str) -> str:
    """Name and version of the distribution whose plugin a module is."""
    dists = {p.module: p.dist for p in importlib.metadata.entry_points(group=GROUP)}
    dist = dists.get(module)
    return f"{dist.name} {dist.version}" if dist is not None else "unknown"
