"""The command that made a run, as its header keeps it."""

from __future__ import annotations

import shlex


def without_options(command: str, options: tuple[str, ...]) -> list[str]:
    """The words of a command without some options and their values; none if it has no words."""
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    kept: list[str] = []
    skip = False
    for word in words:
        name, has_value, _ = word.partition("=")
        if not skip and name not in options:
            kept.append(word)
        skip = not skip and name in options and not has_value
    return kept
