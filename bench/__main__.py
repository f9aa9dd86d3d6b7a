"""``python -m bench``: checks that the house is whole, then hands over to the command line."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("bench", "samplers", "targets", "metrics", "results")


def clash() -> str:
    """The sentence that names a package shadowed by another one of its name; empty if none is."""
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        where = Path(spec.origin).resolve().parent if spec and spec.origin else None
        if where != ROOT / name:
            return (f"the package '{name}' is found at '{where}' instead of '{ROOT / name}': "
                    "another installed package or folder has its name; run in a fresh virtual "
                    "environment, from another folder")
    return ""


def working_folder_last() -> None:
    """Look for imports in the working folder after everything else.

    ``python -m`` looks there first: a user's ``torch.py`` or ``metrics/`` would be taken for ours.
    """
    try:
        here = os.getcwd()
    except OSError:  # it was deleted
        return
    if Path(here).resolve() != ROOT:
        sys.path[:] = [p for p in sys.path if p not in ("", here)] + [here]


def main() -> int:
    """Run the command line; its exit codes are those of ``bench.core.exits``."""
    working_folder_last()
    if sentence := clash():
        print(f"error: {sentence}", file=sys.stderr)
        return 2
    from bench.core.exits import answer

    def body() -> int:
        from bench.commands.parser import main as cli

        return cli(sys.argv[1:])

    return answer(body)


if __name__ == "__main__":
    sys.exit(main())
