"""``export``: the measures of a run as a table for other programs."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "one row a measure, for your own analysis"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``python -m bench export``."""
    parser.add_argument("dir", metavar="DIR")
    parser.add_argument("--to", required=True, metavar="FILE", help=".csv, .parquet or .json")


def main(options: argparse.Namespace) -> int:
    """Write the table."""
    from bench.core.exits import printable
    from results.records.export import export

    rows = export(Path(options.dir), Path(options.to))
    print(printable(f"{rows} rows written to {options.to}"))
    return 0
