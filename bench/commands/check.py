"""``check``: whether samples got worse since a baseline was frozen."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from bench.commands.options import add_rule, names_of
from bench.core.errors import UserError, nearest

if TYPE_CHECKING:
    from bench.interface.checking import Check

HELP = "did samples get worse?"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``python -m bench check``."""
    parser.add_argument("dir", metavar="DIR", help="folder of a finished run")
    parser.add_argument("--baseline", required=True, metavar="FILE")
    parser.add_argument("--samplers", metavar="A,B", help="judge only these")
    parser.add_argument("--targets", metavar="X,Y", help="judge only on these")
    parser.add_argument("--format", default="text", metavar="text|markdown|junit|json")
    add_rule(parser)


def main(options: argparse.Namespace) -> int:
    """Judge a finished run: 0 no regression, 1 regression, 2 not judged."""
    from bench.interface.checking import check
    from results.regression.formats import FORMATS, as_json, junit, markdown

    if options.format not in FORMATS:
        raise UserError(f"unknown --format '{options.format}'{nearest(options.format, FORMATS)} "
                        f"(known: {', '.join(FORMATS)})")
    made = check(options.dir, options.baseline, alpha=options.alpha, tolerance=options.tolerance,
                 samplers=names_of(options.samplers, "--samplers"),
                 targets=names_of(options.targets, "--targets"))
    if options.format == "text":
        made.print_report()
    else:
        print({"markdown": markdown, "junit": junit, "json": as_json}[options.format](made.made),
              end="")
    tell_github(made)
    return made.code


def tell_github(check: Check) -> None:
    """In a job of GitHub Actions: the Markdown in its summary, and annotations."""
    from results.regression.formats import github

    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        try:
            with open(summary, "a", encoding="utf-8") as file:
                file.write(check.markdown())
        except OSError as error:
            print(f"warning: no step summary: {error}", file=sys.stderr)
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in github(check.made):
            print(line, file=sys.stderr)  # standard output may hold JSON or XML
