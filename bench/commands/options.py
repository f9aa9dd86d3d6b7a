"""Options that several commands take; light to import."""

from __future__ import annotations

import argparse


def add_plugin(parser: argparse.ArgumentParser) -> None:
    """``--plugin FILE``."""
    parser.add_argument("--plugin", metavar="FILE", help="a Python file with your own sampler, "
                        "target or metric")


def add_rule(parser: argparse.ArgumentParser) -> None:
    """``--alpha`` and ``--tolerance`` of a check."""
    parser.add_argument("--alpha", type=float, default=0.01,
                        help="probability of any false alarm in the check (default: .01)")
    parser.add_argument("--tolerance", type=float, default=0.25,
                        help="share by which an excess over the floor, or a cost, may rise "
                        "(default: .25)")


def names_of(text: str | None, option: str) -> list[str]:
    """The names separated by commas that an option holds; none where it is not given."""
    from bench.suite.values import words

    return words(text, option) if text is not None else []
