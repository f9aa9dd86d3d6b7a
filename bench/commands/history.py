"""``history``: the quality of every sampler over commits, and where it changed."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "quality over commits"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``python -m bench history``."""
    parser.add_argument("file", metavar="FILE", nargs="+",
                        help="baseline files, or folders of finished runs")
    parser.add_argument("--out", metavar="DIR", default=".",
                        help="folder for history.html and history.md (default: this one)")


def main(options: argparse.Namespace) -> int:
    """Draw every sampler on every target over the baselines' commits."""
    from bench.core.exits import printable
    from results.presentation.console import open_console
    from results.regression import history_page as page
    from results.regression.history import history

    made = history([Path(f) for f in options.file])
    paths = page.save(made, Path(options.out))
    console = open_console()
    page.print_history(made, console)
    console.print(printable(f"history: {paths[0]} and {paths[1]}"), soft_wrap=True)
    return 0
