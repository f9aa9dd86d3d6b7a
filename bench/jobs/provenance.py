"""What the numbers of a run come from besides its suite: code, files, packages, machine.

All of it is written into ``run.json``, compared on ``--resume``, and named where it has changed.

Of a plugin these files are hashed: its own, the modules that it imports from its folder or the
working folder (and what these import), and every file whose name stands in their text, whole
(``"data.csv"``), as a suffix (``with_suffix(".npy")``) or with gaps (``f"chain_{i}.npy"``). A file
whose name is computed otherwise is not seen.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from bench.core.entry import KINDS
from bench.core.places import ROOT
from bench.core.plugins import distribution
from bench.core.registry import find
from bench.jobs.machine import physical_memory
from bench.suite.suite import Suite

#: What the header names, and of these what no number depends on.
PACKAGES = ("torch", "numpy", "scipy", "pot", "pandas", "matplotlib")
ONLY_SHOWN = {"pandas", "matplotlib"}


def code_hash() -> str:
    """A digest of every source file of ours that a number can depend on."""
    digest = hashlib.sha256()
    for kind in (*KINDS, "bench", "results"):
        for path in sorted((ROOT / kind).rglob("*.py")):
            digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _git(*words: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True,
                              timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _gpu(device: str) -> str | None:
    """The name of a CUDA device, asked without the driver's start in this process."""
    if not device.startswith("cuda"):
        return None
    words = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader",
             f"--id={device.partition(':')[2] or 0}"]
    try:
        return subprocess.run(words, capture_output=True, text=True, timeout=20,
                              check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def provenance(suite: Suite) -> dict[str, Any]:
    """The part of the header that says where the numbers come from."""
    inputs, packages = _inputs(suite)
    return {
        "commit": _git("rev-parse", "HEAD"),
        "dirty": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "code": code_hash(),
        "versions": {"python": platform.python_version(),
                     **{p: _version(p) for p in dict.fromkeys((*PACKAGES, *sorted(packages)))}},
        "machine": {"cpu": _cpu(), "cores": os.cpu_count(), "platform": platform.platform(),
                    "memory_gib": round(physical_memory() / 2**30, 1), "gpu": _gpu(suite.device)},
        "inputs": inputs}


def changes(old: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What has changed since a header was written, or since the last change it allowed."""
    before, after = _flat((old.get("changes") or [{"now": old}])[-1]["now"]), _flat(now)
    if "inputs" not in old:  # a header of an earlier version says less
        after = {what: value for what, value in after.items() if what in before}
    return [_change(what, before.get(what), after.get(what))
            for what in dict.fromkeys((*before, *after)) if before.get(what) != after.get(what)]


def allowed(head: dict[str, Any], now: dict[str, Any], found: list[str]) -> dict[str, Any]:
    """The header with a change that the user allowed: the run is mixed from here on."""
    entry = {"when": datetime.now(UTC).isoformat(timespec="seconds"), "what": found, "now": now}
    return {**head, "changes": [*(head.get("changes") or []), entry]}


def _change(what: str, before: str | None, after: str | None) -> str:
    if what.startswith("the "):
        return f"{what} has changed"
    return f"{what} has changed ({before or 'not used'} → {after or 'not used'})"


def _flat(head: dict[str, Any]) -> dict[str, str]:
    """What is compared, by its name. A kernel's number is not: no result depends on it."""
    machine = head.get("machine") or {}
    system = re.sub(r"^(\w+)-.*-(\w+-with-.+)$", r"\1 \2", str(machine.get("platform")))
    shown = {f"package {k}": v for k, v in (head.get("versions") or {}).items()
             if k not in ONLY_SHOWN}
    return {"the code": str(head.get("code")), **shown, "processor": str(machine.get("cpu")),
            "system": system, "GPU": str(machine.get("gpu")), **(head.get("inputs") or {})}


def _inputs(suite: Suite) -> tuple[dict[str, str], set[str]]:
    """Digests of the user's files by what they are, and the packages that they import."""
    plugin = suite.plugin
    inputs: dict[str, str] = {}
    packages: set[str] = set()
    sources: dict[Path, list[Path]] = {}
    if plugin is not None:
        sources[plugin] = [plugin.parent, Path.cwd()]
    for kind in KINDS:
        for spec in getattr(suite, kind):
            entry = find(kind, spec.name, plugin)
            packages |= set(entry.attributes.get("packages") or ())
            if entry.module and not entry.path.is_relative_to(ROOT):
                sources[entry.path] = [entry.path.parents[entry.module.count(".")]]
                inputs[f"installed plugin {entry.module}"] = distribution(entry.module)
    for source, roots in sources.items():
        for path, imported in _reach(source, roots).items():
            inputs[f"file {path}"] = _digest(path)
            packages |= imported
    for label, reference in suite.references.items():
        inputs[f"reference of {label}, {reference}"] = _digest(Path(reference))
    return inputs, {installed()[p][0] for p in packages if p in installed()}


@cache
def installed() -> Mapping[str, list[str]]:
    """The distributions that each importable package comes from; listing them takes a second."""
    return importlib.metadata.packages_distributions()


def _digest(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError:
        return "missing"


def _reach(source: Path, roots: list[Path]) -> dict[Path, set[str]]:
    """A file, the modules it reaches and the files they name, each with what else it imports."""
    found: dict[Path, set[str]] = {}
    waiting = [source]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found[path] = set()
        try:
            tree = ast.parse(path.read_bytes()) if path.suffix == ".py" else ast.Module([], [])
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        for name, places in _imports(tree, path, roots):
            modules = [m for place in places for m in _modules(name, place)]
            waiting += modules
            top = name.partition(".")[0]
            if not modules and top not in sys.stdlib_module_names and top not in _OURS:
                found[path].add(top)
        waiting += _named_files(tree, path, roots)
    return found


_OURS = {*KINDS, "bench", "results"}


def _imports(tree: ast.AST, path: Path, roots: list[Path]) -> Iterator[tuple[str, list[Path]]]:
    """Dotted names that a module imports, each with the folders where it may lie."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, roots
        elif isinstance(node, ast.ImportFrom):
            places = [path.parents[node.level - 1]] if node.level else roots
            stem = f"{node.module}." if node.module else ""
            for alias in node.names:  # a name may be a module of the package
                yield stem + alias.name, places


def _modules(name: str, place: Path) -> list[Path]:
    """The files of a dotted name below a folder: packages on the way, and the module itself."""
    parts = name.split(".")
    paths = [place.joinpath(*parts[:i]) for i in range(1, len(parts) + 1)]
    files = [f for p in paths for f in (p / "__init__.py", p.with_suffix(".py"))]
    return [f for f in files if f.is_file()]


def _named_files(tree: ast.AST, path: Path, roots: list[Path]) -> list[Path]:
    """Files whose names stand in the text of a module, seen from its folder or the roots."""
    found: list[Path] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(v.value) if isinstance(v, ast.Constant) else "*"
                           for v in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            continue
        if not re.fullmatch(r"[^\n\0]*\w[^\n\0]*", text) or len(text) > 200:
            continue
        text = re.sub(r"\*+", "*", text)  # no search through all folders below
        try:
            if "*" in text:
                found += [f for root in (path.parent, *roots)
                          if "." in text and not text.startswith("/") for f in root.glob(text)]
            elif text.startswith("."):
                found.append(path.with_suffix(text))
            found += [root / text for root in (path.parent, *roots)]
        except (ValueError, NotImplementedError):
            continue  # no name of a file
    return [f for f in dict.fromkeys(found) if _is_file(f)]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
