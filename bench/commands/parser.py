"""The command line: a skin over suites, runner and report."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from bench.commands.audit import add_options as audit_options
from bench.commands.audit import audit
from bench.commands.check_options import (
    add_baseline_options,
    add_check_options,
    add_history_options,
)
from bench.commands.compare import add_options as compare_options
from bench.commands.compare import compare
from bench.commands.run import add_options as run_options
from bench.commands.run import plugin_file, run
from bench.core.errors import ReportError, UserError, nearest
from bench.core.exits import MISTAKE, printable, say_error
from results.records.store import StoreError

EPILOG = """examples:
  python -m bench run --suite toy2d
  python -m bench run --suite toy2d --samplers mala,hmc --targets banana --budget 2e6evals
  python -m bench run --resume runs/toy2d-20260101-120000
  python -m bench list samplers
  python -m bench show drifting
  python -m bench report runs/toy2d-20260101-120000
  python -m bench compare runs/toy2d-20260101-120000 --against hmc
  python -m bench audit --metric ksd
  python -m bench run --suite smoke --check results/data/baselines/smoke.json

exit codes: 0 done, 1 a regression, 2 a mistake or nothing to judge by, 3 a mistake of this
program, 130 interrupted
"""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, with the nearest option or command."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message} (see {self.prog} --help)")


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = _Parser(prog="python -m bench", epilog=EPILOG,
                  description="Samplers of unnormalised densities under matched, metered budgets.",
                  formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND",
                                  parser_class=_Parser)
    run_options(commands.add_parser("run", help="run a suite, judge it, report"))
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
    add_baseline_options(commands.add_parser("baseline", help="freeze a run to judge later ones"))
    add_check_options(commands.add_parser("check", help="did samples get worse?"))
    add_history_options(commands.add_parser("history", help="quality over commits"))
    archive = commands.add_parser("archive", help="a finished run made small enough to commit")
    archive.add_argument("dir", metavar="DIR")
    archive.add_argument("--to", required=True, metavar="DIR", help="a new folder")
    return top


def _list(options: argparse.Namespace) -> int:
    from bench.commands.listing import print_list

    print_list(options.what, options.json, plugin_file(options.plugin))
    return 0


def _show(options: argparse.Namespace) -> int:
    from bench.commands.listing import print_entry

    print_entry(options.name, plugin_file(options.plugin))
    return 0


def _report(options: argparse.Namespace) -> int:
    from results.presentation.console import open_console
    from results.report.page import write
    from results.report.terminal import print_report

    html, markdown = write(Path(options.dir))
    console = open_console()
    print_report(Path(options.dir), console)
    console.print(printable(f"report: {html} and {markdown}"), soft_wrap=True)
    return 0


def _export(options: argparse.Namespace) -> int:
    from results.records.export import export

    rows = export(Path(options.dir), Path(options.to))
    print(printable(f"{rows} rows written to {options.to}"))
    return 0


def _archive(options: argparse.Namespace) -> int:
    from results.records.archive import archive

    size = archive(Path(options.dir), Path(options.to))
    print(printable(f"{options.to}: {size / 2**20:.2f} MiB"))
    return 0


def _tracking(options: argparse.Namespace) -> int:
    from bench.commands import check

    does = {"baseline": check.baseline, "check": check.check, "history": check.history}
    return does[options.command](options)


_COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "run": run, "list": _list, "show": _show, "report": _report, "export": _export,
    "compare": compare, "audit": audit, "archive": _archive,
    "baseline": _tracking, "check": _tracking, "history": _tracking}


def _terminated(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def main(arguments: Sequence[str]) -> int:
    """Parse and do; returns the exit code.

    0 done, 1 a regression, 2 a mistake of the user or nothing to judge by; what else may end a
    command is ``bench.core.exits.answer``'s.
    """
    signal.signal(signal.SIGTERM, _terminated)
    try:
        options = _parse(arguments)
        return _COMMANDS[options.command](options)
    except (UserError, StoreError, ReportError) as error:
        say_error(str(error))
        return MISTAKE


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
