"""``compare``: which samplers of one or more runs are shown to be better."""

from __future__ import annotations

import argparse

HELP = "which samplers differ significantly"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``python -m bench compare``."""
    parser.add_argument("dir", metavar="DIR", nargs="+", help="folders of finished runs")
    parser.add_argument("--against", metavar="NAME", help="compare every sampler with this one")
    parser.add_argument("--metric", metavar="NAME", help="the metric that ranks (default: MMD)")
    parser.add_argument("--out", metavar="DIR",
                        help="folder for comparison.html and comparison.md (default: first DIR)")


def main(options: argparse.Namespace) -> int:
    """Print the comparison and write its page."""
    from bench.core.exits import printable
    from bench.interface.comparing import compare
    from results.presentation.console import open_console

    made = compare(*options.dir, against=options.against, metric=options.metric)
    page = made.report(options.out)
    made.print_report()
    open_console().print(printable(f"comparison: {page} and {page.with_suffix('.md')}"),
                         soft_wrap=True)
    return 0
