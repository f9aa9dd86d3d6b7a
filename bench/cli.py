"""The command line: a skin over suites, runner and report."""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from bench.auditing import add_options as audit_options
from bench.auditing import audit
from bench.comparing import add_options as compare_options
from bench.comparing import compare
from bench.errors import UserError, nearest
from results.errors import ReportError
from results.store import StoreError, read_header

if TYPE_CHECKING:
    from bench.suites import Suite

EPILOG = """examples:
  python -m bench run --suite toy2d
  python -m bench run --suite toy2d --samplers mala,hmc --targets banana --budget 2e6evals
  python -m bench run --resume runs/toy2d-20260101-120000
  python -m bench list samplers
  python -m bench show drifting
  python -m bench report runs/toy2d-20260101-120000
  python -m bench compare runs/toy2d-20260101-120000 --against hmc
  python -m bench audit --metric ksd
"""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, with the nearest option or command."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message} (see {self.prog} --help)")


def _run_options(run: argparse.ArgumentParser) -> None:
    run.add_argument("--suite", help="name of a suite, or a TOML file")
    run.add_argument("--samplers", metavar="A,B", help="only these samplers (controls stay)")
    run.add_argument("--targets", metavar="X,Y", help="only these targets")
    run.add_argument("--seeds", help="number of seeds, or FIRST:LAST (last excluded)")
    run.add_argument("--budget", help="such as 10s or 2e6evals, for every job")
    run.add_argument("--device", help="cpu, cuda or cuda:1")
    run.add_argument("--dtype", help="float32 or float64")
    run.add_argument("--n", type=int, help="points judged in the final table")
    run.add_argument("--workers", type=int, help="jobs at a time (default: one a core)")
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


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = _Parser(prog="python -m bench", epilog=EPILOG,
                  description="Samplers of unnormalised densities under matched, metered budgets.",
                  formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND",
                                  parser_class=_Parser)
    _run_options(commands.add_parser("run", help="run a suite, judge it, report"))
    listing = commands.add_parser("list", help="what there is")
    listing.add_argument("what", nargs="?", metavar="samplers|targets|metrics|suites")
    listing.add_argument("--json", action="store_true", help="machine-readable")
    show = commands.add_parser("show", help="what one of them is")
    show.add_argument("name")
    for command in (listing, show):
        command.add_argument("--plugin", metavar="FILE", help="a file with entries of your own")
    report = commands.add_parser("report", help="tables here, report.html and report.md in DIR")
    report.add_argument("dir", metavar="DIR")
    compare_options(commands.add_parser("compare", help="which samplers can be told apart"))
    audit_options(commands.add_parser("audit", help="what the metrics can see"))
    export = commands.add_parser("export", help="one row a measure, for your own analysis")
    export.add_argument("dir", metavar="DIR")
    export.add_argument("--to", required=True, metavar="FILE", help=".csv, .parquet or .json")
    archive = commands.add_parser("archive", help="a finished run made small enough to commit")
    archive.add_argument("dir", metavar="DIR")
    archive.add_argument("--to", required=True, metavar="DIR", help="a new folder")
    return top


def _plugin(path: str | None) -> Path | None:
    if path is None:
        return None
    if not Path(path).is_file():
        raise UserError(f"plugin file '{path}' does not exist")
    return Path(path).resolve()


def _list(options: argparse.Namespace) -> int:
    from bench.listing import print_list

    print_list(options.what, options.json, _plugin(options.plugin))
    return 0


def _show(options: argparse.Namespace) -> int:
    from bench.listing import print_entry

    print_entry(options.name, _plugin(options.plugin))
    return 0


def _report(options: argparse.Namespace) -> int:
    from rich.console import Console

    from results.report import write
    from results.terminal import print_report

    html, markdown = write(Path(options.dir))
    console = Console()
    print_report(Path(options.dir), console)
    console.print(f"report: {html} and {markdown}", markup=False, highlight=False,
                  soft_wrap=True)
    return 0


def _export(options: argparse.Namespace) -> int:
    from results.export import export

    rows = export(Path(options.dir), Path(options.to))
    print(f"{rows} rows written to {options.to}")
    return 0


def _archive(options: argparse.Namespace) -> int:
    from results.archive import archive

    size = archive(Path(options.dir), Path(options.to))
    print(f"{options.to}: {size / 2**20:.2f} MiB")
    return 0


def _run(options: argparse.Namespace) -> int:
    from bench.runner import run_suite

    suite, folder = _resumed(options) if options.resume else _planned(options)
    workers = options.workers if options.workers is not None else (os.cpu_count() or 1)
    if workers < 1:
        raise UserError(f"--workers {workers} is impossible; give 1 or more")
    command = shlex.join(["python", "-m", "bench", *sys.argv[1:]])
    return run_suite(suite, folder, workers, command, options.allow_changed_code,
                     report=not options.no_report)


def _planned(options: argparse.Namespace) -> tuple[Suite, Path]:
    from bench.budget import parse_budget
    from bench.runner import default_folder
    from bench.suite_file import parse_seeds
    from bench.suites import check_suite, read_suite

    if not options.suite:
        raise UserError("run needs --suite NAME (see 'python -m bench list suites') or "
                        "--resume DIR")
    suite = read_suite(options.suite, _plugin(options.plugin), options.samplers, options.targets)
    changes: dict[str, object] = {k: getattr(options, k) for k in ("device", "dtype")
                                  if getattr(options, k)}
    if options.seeds:
        changes["seeds"] = parse_seeds(options.seeds)
    if options.budget:
        changes["budget"] = parse_budget(options.budget)
        changes["samplers"] = tuple(replace(s, budget="") for s in suite.samplers)
    if options.n:
        changes |= {"n": options.n, "n_curve": min(options.n, suite.n_curve)}
    changes["references"] = _references(options.reference, [t.label for t in suite.targets])
    folder = Path(options.out) if options.out else default_folder(suite.name)
    if (folder / "run.json").exists():
        raise UserError(f"'{folder}' already holds a run; continue it with --resume {folder}, or "
                        "choose another folder")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"'{folder}' is not an empty folder; choose another with --out")
    return check_suite(replace(suite, **changes)), folder  # type: ignore[arg-type]


def _references(pairs: list[str], targets: list[str]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        label, _, path = pair.partition("=")
        if label not in targets:
            raise UserError(f"--reference {pair}: no target '{label}' in this run"
                            f"{nearest(label, targets)}")
        if not Path(path).is_file():
            raise UserError(f"--reference {pair}: the file '{path}' does not exist")
        found[label] = str(Path(path).resolve())
    return found


def _resumed(options: argparse.Namespace) -> tuple[Suite, Path]:
    from bench.suites import from_facts
    folder = Path(options.resume)
    given = [f"--{k}" for k in ("suite", "samplers", "targets", "seeds", "budget", "device",
                                "dtype", "n", "plugin", "reference") if getattr(options, k)]
    if given:
        raise UserError(f"--resume goes on with the settings of the run; leave out "
                        f"{', '.join(given)}")
    return from_facts(read_header(folder)["suite"]), folder


_COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "run": _run, "list": _list, "show": _show, "report": _report, "export": _export,
    "compare": compare, "audit": audit, "archive": _archive}


def _terminated(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def main(arguments: Sequence[str]) -> int:
    """Parse and do; returns the exit code (0 done, 2 a mistake of the user, 130 interrupted)."""
    signal.signal(signal.SIGTERM, _terminated)
    try:
        options = _parse(arguments)
        return _COMMANDS[options.command](options)
    except (UserError, StoreError, ReportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        with contextlib.suppress(OSError):
            sys.stdout.close()
        return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    top = parser()
    options, rest = top.parse_known_args(arguments)
    if rest:
        known = ["--help", *(a for p in _subparsers(top) for a in p._option_string_actions)]
        raise UserError(f"unknown option '{rest[0]}'{nearest(rest[0], known)} "
                        "(see python -m bench COMMAND --help)")
    return options


def _subparsers(top: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    return [p for a in top._actions if isinstance(a, argparse._SubParsersAction)
            for p in a.choices.values()]
