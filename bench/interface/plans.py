"""The suite that a user asks for: a suite's name or file, and what is to be otherwise."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.core.errors import UserError, nearest

if TYPE_CHECKING:
    from bench.suite.suite import Suite


def plan(suite: str | Path, *, samplers: Sequence[str] | None = None,
         targets: Sequence[str] | None = None, seeds: int | str | None = None,
         budget: str | None = None, n: int | None = None, plugin: str | Path | None = None,
         references: Mapping[str, str | Path] | None = None, **settings: object) -> Suite:
    """The suite with everything checked and resolved; UserError for what cannot be.

    ``settings`` are ``device``, ``dtype``, ``compile`` and ``referee``; None leaves the suite's.
    ``references`` are files of points by target (``read_references``).
    """
    from bench.harness.budget import parse_budget
    from bench.suite.schema import parse_seeds
    from bench.suite.suite import check_suite, read_suite

    made = read_suite(str(suite), plugin_file(plugin), _listed(samplers), _listed(targets))
    changes: dict[str, Any] = {k: v for k, v in settings.items() if v is not None}
    if seeds is not None:
        changes["seeds"] = parse_seeds(seeds)
    if budget is not None:
        changes["budget"] = parse_budget(budget)
        changes["samplers"] = tuple(replace(s, budget="") for s in made.samplers)
    if n is not None:
        changes |= {"n": n, "n_curve": min(n, made.n_curve)}
    changes["references"] = read_references(references or {}, [t.label for t in made.targets])
    return check_suite(replace(made, **changes))


def plugin_file(path: str | Path | None) -> Path | None:
    """The plugin's path, made absolute; UserError where there is no such file."""
    if path is None:
        return None
    if not Path(path).is_file():
        raise UserError(f"plugin file '{path}' does not exist")
    return Path(path).resolve()


def new_folder(out: str | Path | None, suite: str) -> Path:
    """The folder of a new run: empty or not there yet; ``runs/SUITE-DATE-TIME`` by default."""
    from bench.jobs.complete import default_folder

    if out == "":
        raise UserError("out = '' names no folder; write one, or leave it out")
    folder = default_folder(suite) if out is None else Path(out)
    if (folder / "run.json").exists():
        raise UserError(f"'{folder}' already holds a run; resume it, or choose another folder")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"'{folder}' is not an empty folder; choose another")
    return folder


def workers_of(workers: int | None) -> int:
    """How many jobs at a time: one for each processor that this process may use by default."""
    from bench.jobs.machine import processors

    if workers is None:
        return processors()
    if workers < 1:
        raise UserError(f"workers = {workers} is impossible; give 1 or more")
    return workers


def read_references(files: Mapping[str, str | Path], targets: Sequence[str]) -> dict[str, str]:
    """Absolute paths of arrays of points (n, dim) by target; UserError where one is no such."""
    found: dict[str, str] = {}
    for label, path in files.items():
        where = f"the reference {label}={path}"
        if label not in targets:
            raise UserError(f"{where}: no target '{label}' in this run{nearest(label, targets)}")
        if not Path(path).is_file():
            raise UserError(f"{where}: the file '{path}' does not exist")
        if wrong := _no_reference(Path(path)):
            raise UserError(f"{where}: '{path}' {wrong}; write one with numpy.save, "
                            "floating-point numbers of shape (n, dim)")
        found[label] = str(Path(path).resolve())
    return found


def _no_reference(path: Path) -> str:
    """What a file is instead of an array of points; '' where it is one."""
    import numpy as np

    try:
        points = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        return f"cannot be read ({error})"
    if not isinstance(points, np.ndarray):
        return "is an archive of arrays, not one array"
    if points.dtype.kind != "f" or points.ndim != 2 or not points.size:
        return f"holds {points.dtype} of shape {points.shape}"
    return ""


def _listed(names: Sequence[str] | None) -> str | None:
    """Names as the suite's reader takes them: separated by commas."""
    return names if names is None or isinstance(names, str) else ",".join(names)
