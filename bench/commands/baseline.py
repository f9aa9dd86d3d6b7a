"""``baseline``: a run frozen, to judge later ones by."""

from __future__ import annotations

import argparse

HELP = "freeze a run to judge later ones"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``python -m bench baseline``."""
    parser.add_argument("dir", metavar="DIR", help="folder of a finished run of 40 seeds or more")
    parser.add_argument("--to", required=True, metavar="FILE", help="such as "
                        "results/data/baselines/NAME.json")
    parser.add_argument("--seeds", help="keep only these: a number, or FIRST:LAST")


def main(options: argparse.Namespace) -> int:
    """Freeze a run; a mistake where it is too small or not finished."""
    from bench.core.exits import printable
    from bench.interface.checking import freeze
    from results.regression.baseline_file import read

    path = freeze(options.dir, options.to, seeds=options.seeds)
    made = read(path)
    print(printable(f"{options.to}: {len(made.cells)} cells, {len(made.seeds)} seeds, "
                    f"{path.stat().st_size / 1024:.0f} KiB"))
    return 0
