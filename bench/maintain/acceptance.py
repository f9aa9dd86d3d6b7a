"""Holds a finished run to the acceptance criteria that were set before it.

``python -m bench.maintain acceptance DIR`` prints each criterion, what was measured, and whether
it was met.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from results.acceptance.criteria import read_criteria
from results.acceptance.figure import save_figure
from results.acceptance.judged import JudgedRun, Verdict
from results.acceptance.tables import headline, table, warnings
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
    judged = JudgedRun(load(Path(options.dir)), read_criteria(), options.sampler)
    if options.picture:
        save_figure(judged.run, judged.sampler, Path(options.picture))
    first, shown = headline(judged), table(judged)
    if options.format == "markdown":
        print("\n\n".join([first, *warnings(judged), markdown_table(shown)]), end="")
    else:
        console = open_console()
        for line in (first, *warnings(judged)):
            console.print(line, markup=False, highlight=False)
        console.print(grid(shown, below=True))
        for note in shown.notes:
            console.print(note, style="dim", markup=False, highlight=False)
    return int(options.strict and any(j.verdict == Verdict.MISSED for j in judged.judged))
