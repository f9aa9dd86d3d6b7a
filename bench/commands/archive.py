"""``archive``: a finished run made small enough to commit."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "a finished run made small enough to commit"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``python -m bench archive``."""
    parser.add_argument("dir", metavar="DIR")
    parser.add_argument("--to", required=True, metavar="DIR", help="a new folder")


def main(options: argparse.Namespace) -> int:
    """Write the archive."""
    from bench.core.exits import printable
    from results.records.archive import archive

    size = archive(Path(options.dir), Path(options.to))
    print(printable(f"{options.to}: {size / 2**20:.2f} MiB"))
    return 0
