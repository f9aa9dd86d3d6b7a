"""Types of options that several programs take, for argparse."""

from __future__ import annotations

import argparse

from bench.core.registry import own


def numbers(text: str) -> list[int]:
    """Numbers separated by commas."""
    return [int(n) for n in text.split(",")]


def named_targets(text: str) -> list[str]:
    """Names of targets separated by commas, each of which must exist."""
    names = text.split(",")
    for name in names:
        if name not in own("targets"):
            raise argparse.ArgumentTypeError(f"there is no target '{name}'")
    return names
