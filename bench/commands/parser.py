"""The command line: the commands put together, each a file of this package."""

from __future__ import annotations

import argparse
import importlib
import signal
from collections.abc import Sequence
from typing import NoReturn

from bench.core.errors import BenchError, UserError, nearest
from bench.core.exits import MISTAKE, say_error

#: Every command is a module of this name with ``HELP``, ``add_options`` and ``main``.
COMMANDS = ("run", "list", "show", "report", "compare", "audit", "test", "export", "baseline",
            "check", "history", "archive")

EPILOG = """examples:
  python -m bench run --suite toy2d
  python -m bench run --suite toy2d --samplers mala,hmc --targets banana --budget 2e6evals
  python -m bench run --resume runs/toy2d-20260101-120000
  python -m bench list samplers
  python -m bench show drifting
  python -m bench report runs/toy2d-20260101-120000
  python -m bench compare runs/toy2d-20260101-120000 --against hmc
  python -m bench audit --metric ksd
  python -m bench test hmc
  python -m bench run --suite smoke --check results/data/baselines/smoke.json

exit codes: 0 done, 1 a regression or a broken law, 2 a mistake or nothing to judge by, 3 a mistake
of this program, 130 interrupted; from Python: import bench (docs/python.md)
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
    for name in COMMANDS:
        module = importlib.import_module(f"bench.commands.{name}")
        command = commands.add_parser(name, help=module.HELP)
        module.add_options(command)
        command.set_defaults(main=module.main)
    return top


def _terminated(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def main(arguments: Sequence[str]) -> int:
    """Parse and do; returns the exit code.

    0 done, 1 a regression or a broken law, 2 a mistake of the user or nothing to judge by; what
    else may end a command is ``bench.core.exits.answer``'s.
    """
    signal.signal(signal.SIGTERM, _terminated)
    try:
        options = _parse(arguments)
        code: int = options.main(options)
        return code
    except BenchError as error:
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
