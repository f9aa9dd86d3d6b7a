"""Holds a finished run to the acceptance criteria that were set before it.

``python -m bench.maintain acceptance DIR`` prints each criterion, what was measured, and whether
it was met.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from results.acceptance.criteria import read_bars
from results.acceptance.picture import picture
from results.acceptance.tables import headline, table, warnings
from results.acceptance.verdicts import MISSED, Judge
from results.presentation.console import grid, open_console
from results.presentation.rendering import markdown_table
from results.records.run_folder import load


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m bench.maintain acceptance",
                                   description=__doc__,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("dir", metavar="DIR", help="the folder of a run")
    made.add_argument("--sampler", default="", metavar="LABEL", help="another sampler of the run "
                      "than the one the criteria are set for, such as the baseline exact")
    made.add_argument("--format", choices=("text", "markdown"), default="text")
    made.add_argument("--picture", metavar="FILE.png", help="also draw quality against cost and "
                      "the price of n points, target by target (.png, .svg or .pdf)")
    made.add_argument("--strict", action="store_true",
                      help="exit with 1 where a criterion is missed")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 where ``--strict`` is given and a criterion is missed.

    Raises ReportError or StoreError where the run cannot be judged.
    """
    options = _parser().parse_args(arguments)
    judge = Judge(load(Path(options.dir)), read_bars(), options.sampler)
    if options.picture:
        picture(judge.run, judge.sampler, Path(options.picture))
    judged = judge.all()
    first, shown = headline(judge, judged), table(judge, judged)
    if options.format == "markdown":
        print("\n\n".join([first, *warnings(judge), markdown_table(shown)]), end="")
    else:
        console = open_console()
        for line in (first, *warnings(judge)):
            console.print(line, markup=False, highlight=False)
        console.print(grid(shown, below=True))
        for note in shown.notes:
            console.print(note, style="dim", markup=False, highlight=False)
    return int(options.strict and any(j.verdict == MISSED for j in judged))
