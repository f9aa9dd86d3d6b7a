"""``run``: its options, the suite they ask for, and what follows the run."""

from __future__ import annotations

import argparse
import shlex
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.commands.check_options import add_run_options
from bench.core.errors import UserError, nearest
from bench.jobs.machine import processors
from results.records.store import read_header

if TYPE_CHECKING:
    from bench.suite.suite import Suite


def add_options(run: argparse.ArgumentParser) -> None:
    """Options of ``python -m bench run``."""
    run.add_argument("--suite", help="name of a suite, or a TOML file")
    run.add_argument("--samplers", metavar="A,B", help="only these samplers (controls stay)")
    run.add_argument("--targets", metavar="X,Y", help="only these targets")
    run.add_argument("--seeds", help="number of seeds, or FIRST:LAST (last excluded)")
    run.add_argument("--budget", help="such as 10s or 2e6evals, for every job")
    run.add_argument("--device", help="cpu, cuda or cuda:1")
    run.add_argument("--dtype", help="float32 or float64")
    run.add_argument("--compile", action="store_true", default=None,
                     help="compile the inner parts of samplers; compiling is not charged")
    run.add_argument("--referee", action="store_true", default=None,
                     help="run samplers in processes that hold a density alone, judge in others")
    run.add_argument("--n", type=int, help="points judged in the final table")
    run.add_argument("--workers", type=int, help="jobs at a time (default: one for each processor"
                     " that this process may use")
    place = run.add_mutually_exclusive_group()
    place.add_argument("--out", metavar="DIR", help="a new folder for the run")
    place.add_argument("--resume", metavar="DIR", help="go on with an unfinished run")
    run.add_argument("--plugin", metavar="FILE", help="a Python file with your own sampler, "
                     "target or metric")
    run.add_argument("--reference", metavar="TARGET=FILE.npy", action="append", default=[],
                     help="a long verified run (n, dim) as the reference of your own target")
    run.add_argument("--allow-changed-code", action="store_true",
                     help="resume although the code has changed since")
    run.add_argument("--no-report", action="store_true", help="leave the report out")
    add_run_options(run)


def plugin_file(path: str | None) -> Path | None:
    """The plugin's path, made absolute; raises UserError where there is no such file."""
    if path is None:
        return None
    if not Path(path).is_file():
        raise UserError(f"plugin file '{path}' does not exist")
    return Path(path).resolve()


def run(options: argparse.Namespace) -> int:
    """Run a suite, and judge it where a baseline is named; returns the exit code."""
    from bench.jobs.suite_run import run_suite

    suite, folder = _planned(options) if options.resume is None else _resumed(options)
    _recall(suite, options)
    if options.check is not None:
        from bench.commands.check import for_check

        suite = for_check(suite, options)
    workers = options.workers if options.workers is not None else processors()
    if workers < 1:
        raise UserError(f"--workers {workers} is impossible; give 1 or more")
    command = shlex.join(["python", "-m", "bench", *sys.argv[1:]])
    code = run_suite(suite, folder, workers, command, options.allow_changed_code,
                     report=not options.no_report)
    if code or options.check is None:
        return code
    from bench.commands.check import run_checked

    return run_checked(options, folder, workers, command)


def _recall(suite: Suite, options: argparse.Namespace) -> None:
    """A resumed run goes on with its check; a check named anew judges what the run was for."""
    named = options.check is not None
    for key, value in suite.check.items():
        if not named or key in ("samplers", "targets"):
            setattr(options, key, value)


def _planned(options: argparse.Namespace) -> tuple[Suite, Path]:
    from bench.harness.budget import parse_budget
    from bench.jobs.suite_run import default_folder
    from bench.suite.schema import parse_seeds
    from bench.suite.suite import check_suite, read_suite

    if not options.suite:
        raise UserError("run needs --suite NAME (see 'python -m bench list suites') or "
                        "--resume DIR")
    suite = read_suite(options.suite, plugin_file(options.plugin), options.samplers,
                       options.targets)
    changes: dict[str, object] = {k: getattr(options, k)
                                  for k in ("device", "dtype", "compile", "referee")
                                  if getattr(options, k) is not None}
    if options.seeds is not None:
        changes["seeds"] = parse_seeds(options.seeds)
    if options.budget is not None:
        changes["budget"] = parse_budget(options.budget)
        changes["samplers"] = tuple(replace(s, budget="") for s in suite.samplers)
    if options.n is not None:
        changes |= {"n": options.n, "n_curve": min(options.n, suite.n_curve)}
    changes["references"] = _references(options.reference, [t.label for t in suite.targets])
    if options.out == "":
        raise UserError("--out '' names no folder; write one, or leave the option out")
    folder = default_folder(suite.name) if options.out is None else Path(options.out)
    if (folder / "run.json").exists():
        raise UserError(f"'{folder}' already holds a run; continue it with --resume {folder}, or "
                        "choose another folder")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"'{folder}' is not an empty folder; choose another with --out")
    return check_suite(replace(suite, **changes)), folder  # type: ignore[arg-type]


def _references(pairs: list[str], targets: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        label, is_pair, path = pair.partition("=")
        if not is_pair:
            raise UserError(f"--reference {pair}: write TARGET=FILE.npy")
        if label not in targets:
            raise UserError(f"--reference {pair}: no target '{label}' in this run"
                            f"{nearest(label, targets)}")
        if label in found:
            raise UserError(f"--reference {pair}: '{label}' has a reference already; name one")
        if not Path(path).is_file():
            raise UserError(f"--reference {pair}: the file '{path}' does not exist")
        if wrong := _no_reference(Path(path)):
            raise UserError(f"--reference {pair}: '{path}' {wrong}; write one with numpy.save, "
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


def _resumed(options: argparse.Namespace) -> tuple[Suite, Path]:
    from bench.suite.suite import from_facts
    folder = Path(options.resume)
    words = ("suite", "samplers", "targets", "seeds", "budget", "device", "dtype", "compile",
             "referee", "n", "plugin", "reference")
    given = [f"--{k}" for k in words if getattr(options, k) not in (None, [])]
    if given:
        raise UserError(f"--resume goes on with the settings of the run; leave out "
                        f"{', '.join(given)}")
    return from_facts(read_header(folder)["suite"]), folder
