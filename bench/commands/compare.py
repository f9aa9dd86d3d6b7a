"""``compare``: samplers of one or more runs, told apart where they can be."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``python -m bench compare``."""
    parser.add_argument("dir", metavar="DIR", nargs="+", help="folders of finished runs")
    parser.add_argument("--against", metavar="NAME", help="compare every sampler with this one")
    parser.add_argument("--metric", metavar="NAME", help="the metric that ranks (default: MMD)")
    parser.add_argument("--out", metavar="DIR",
                        help="folder for comparison.html and comparison.md (default: first DIR)")


def compare(options: argparse.Namespace) -> int:
    """Print the comparison and write its page; raises ReportError or StoreError."""
    from bench.core.exits import printable
    from results.comparison import page
    from results.presentation.console import open_console

    folders = [Path(d) for d in options.dir]
    made = page.compare(folders, options.against, options.metric)
    paths = page.save(made, Path(options.out or folders[0]))
    console = open_console()
    page.print_comparison(made, console)
    console.print(printable(f"comparison: {paths[0]} and {paths[1]}"), soft_wrap=True)
    return 0
