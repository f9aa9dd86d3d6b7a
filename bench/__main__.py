"""``python -m bench``: checks that it can run here, then hands over to the command line."""

from __future__ import annotations

import sys

from bench.core.shadowing import clash, working_folder_last
from bench.core.system import unsupported


def main() -> int:
    """Run the command line; its exit codes are those of ``bench.core.exits``."""
    working_folder_last()
    if sentence := unsupported() or clash():
        print(f"error: {sentence}", file=sys.stderr)
        return 2
    from bench.core.exits import answer

    def body() -> int:
        from bench.commands.parser import main as cli

        return cli(sys.argv[1:])

    return answer(body)


if __name__ == "__main__":
    sys.exit(main())
