"""``python -m results.acceptance DIR``: what a finished run reached of the bars set before it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.core.errors import ReportError
from bench.core.exits import MISTAKE, answer, say_error
from results.acceptance.criteria import read_bars
from results.acceptance.picture import picture
from results.acceptance.tables import headline, table, warnings
from results.acceptance.verdicts import MISSED, Judge
from results.presentation.console import grid, open_console
from results.presentation.rendering import markdown_table
from results.records.run_folder import load
from results.records.store import StoreError


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m results.acceptance", description=__doc__)
    made.add_argument("dir", metavar="DIR", help="the folder of a run")
    made.add_argument("--sampler", default="", metavar="LABEL", help="another sampler of the run "
                      "than the one the bars are set for, such as the control exact")
    made.add_argument("--format", choices=("text", "markdown"), default="text")
    made.add_argument("--picture", metavar="FILE.png", help="also draw quality against cost and "
                      "the price of n points, target by target (.png, .svg or .pdf)")
    made.add_argument("--strict", action="store_true", help="exit with 1 where a bar is missed")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 0 where it could be read (a missed bar is news, no error), else 2."""
    options = _parser().parse_args(arguments)
    try:
        judge = Judge(load(Path(options.dir)), read_bars(), options.sampler)
        if options.picture:
            picture(judge.run, judge.sampler, Path(options.picture))
    except (ReportError, StoreError) as error:
        say_error(str(error))
        return MISTAKE
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


if __name__ == "__main__":
    sys.exit(answer(main))
