"""``python -m bench``: checks that the house is whole, then hands over to the command line."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

HOUSE = ("bench", "samplers", "targets", "metrics", "results")


def clash() -> str:
    """The sentence that names a package shadowed by another one of its name; empty if none is."""
    root = Path(__file__).resolve().parent.parent
    for name in HOUSE:
        spec = importlib.util.find_spec(name)
        where = Path(spec.origin).resolve().parent if spec and spec.origin else None
        if where != root / name:
            return (f"the package '{name}' is found at '{where}' instead of '{root / name}': "
                    "another installed package or folder has its name; run in a fresh virtual "
                    "environment, from another folder")
    return ""


def main() -> int:
    """Run the command line; a user's mistake is one sentence and exit code 2."""
    if sentence := clash():
        print(f"error: {sentence}", file=sys.stderr)
        return 2
    from bench.cli import main as cli

    return cli(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
