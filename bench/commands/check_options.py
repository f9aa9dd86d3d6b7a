"""Options of ``baseline``, ``check``, ``run --check`` and ``history``; light to import."""

from __future__ import annotations

import argparse


def add_baseline_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``python -m bench baseline``."""
    parser.add_argument("dir", metavar="DIR", help="folder of a finished run of 40 seeds or more")
    parser.add_argument("--to", required=True, metavar="FILE", help="such as "
                        "results/data/baselines/NAME.json")
    parser.add_argument("--seeds", help="keep only these: a number, or FIRST:LAST")


def _rule_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--alpha", type=float, default=0.01,
                        help="chance of any false alarm in the check (default: .01)")
    parser.add_argument("--tolerance", type=float, default=0.25,
                        help="share by which an excess over the floor, or a cost, may rise "
                        "(default: .25)")


def add_check_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``python -m bench check``."""
    parser.add_argument("dir", metavar="DIR", help="folder of a finished run")
    parser.add_argument("--baseline", required=True, metavar="FILE")
    parser.add_argument("--samplers", metavar="A,B", help="judge only these")
    parser.add_argument("--targets", metavar="X,Y", help="judge only on these")
    parser.add_argument("--format", default="text", metavar="text|markdown|junit|json")
    _rule_options(parser)


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``python -m bench run --check``."""
    parser.add_argument("--check", metavar="FILE", help="then judge against this baseline, and "
                        "run what got worse again with fresh seeds")
    _rule_options(parser)


def add_history_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``python -m bench history``."""
    parser.add_argument("file", metavar="FILE", nargs="+",
                        help="baseline files, or folders of finished runs")
    parser.add_argument("--out", metavar="DIR", default=".",
                        help="folder for history.html and history.md (default: this one)")
