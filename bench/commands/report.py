"""``report``: the tables of a run here, and its page in its folder."""

from __future__ import annotations

import argparse

HELP = "tables here, report.html and report.md in DIR"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``python -m bench report``."""
    parser.add_argument("dir", metavar="DIR")


def main(options: argparse.Namespace) -> int:
    """Write the page, print the tables."""
    from bench.core.exits import printable
    from bench.interface.suites import load
    from results.presentation.console import open_console

    run = load(options.dir)
    page = run.report()
    run.print_report()
    open_console().print(printable(f"report: {page} and {page.with_suffix('.md')}"),
                         soft_wrap=True)
    return 0
