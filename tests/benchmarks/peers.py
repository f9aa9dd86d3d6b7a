"""Our speed beside other libraries', in one interleaved run on one machine.

    pip install -c constraints.txt -e '.[peers]'
    python -m tests.benchmarks.peers [--rounds 7] [--only hmc] [--to FILE.json]

Every contender does its work once a round, in an order drawn anew; a ratio is formed within each
round (their time over ours, so above 1 we are quicker), and its median, least and largest are
printed beside the bar. The peers: BlackJAX (vmap of chains, scan of steps, jit; positions kept,
as ours are), sgmcmcjax and stein-thinning for KSD, scikit-learn for MMD (one Gaussian kernel, no
standard error; ours has three and one), POT for sliced W2. Compilation and the first call are left
out on both sides. All use as many threads as they like.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import statistics
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.benchmarks.work import UNCOMPILED, WORK, Once

#: work -> (bar of the uncompiled, bar of the compiled), as multiples of the best peer's speed.
BARS = {
    **{f"{name}, 2-D": (1.0, 2.5) for name in ("hmc", "mala", "ula")},
    **{f"{name}, 50-D": (1.8, 4.5) for name in ("hmc", "mala", "ula")},
    "svgd, fixed bandwidth": (5.0, 15.0), "svgd, median heuristic": (10.0, 40.0),
    "ksd, n = 5,000": (3.5, 40.0), "mmd, n = 5,000": (5.0, 20.0),
    "sliced W2, n = 5,000": (4.0, 4.0),
}
PACKAGES = ("torch", "jax", "blackjax", "sgmcmcjax", "stein_thinning", "scikit-learn", "pot")


def contenders(name: str) -> dict[str, tuple[Once, float]]:
    """All that do one piece of work: label -> (work, units)."""
    from tests.benchmarks import rivals

    _, make = WORK[name]
    found = {"ours": make(False)}
    if name not in UNCOMPILED:
        found["ours, compiled"] = make(True)
    return found | rivals.of(name)


def rates(entries: dict[str, tuple[Once, float]], rounds: int) -> dict[str, list[float]]:
    """Units a second, one for each round."""
    for once, _ in entries.values():  # compiles, and meets its memory
        once()
        once()
    found: dict[str, list[float]] = {label: [] for label in entries}
    order = list(entries)
    for _ in range(rounds):
        random.shuffle(order)
        for label in order:
            once, units = entries[label]
            start = time.perf_counter()
            once()
            found[label].append(units / (time.perf_counter() - start))
    return found


def ratios(found: dict[str, list[float]], ours: str) -> tuple[str, list[float]]:
    """The best peer by its median, and our speed over its, round by round."""
    peers = [label for label in found if not label.startswith("ours")]
    best = max(peers, key=lambda label: statistics.median(found[label]))
    return best, [a / b for a, b in zip(found[ours], found[best], strict=True)]


def line(name: str, found: dict[str, list[float]], ours: str, bar: float) -> str:
    """A row of the table."""
    best, seen = ratios(found, ours)
    middle = statistics.median(seen)
    verdict = "reached" if middle >= bar else "missed"
    return (f"| {name} | {'compiled' if 'compiled' in ours else 'eager'} "
            f"| {statistics.median(found[ours]):.2e} "
            f"| {best} {statistics.median(found[best]):.2e} "
            f"| {middle:.2f} ({min(seen):.2f} to {max(seen):.2f}) | {bar:g} | {verdict} |")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 0 whatever it says, since speeds gate nothing."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.peers", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="", metavar="WORD", help="work whose name holds it")
    parser.add_argument("--to", type=Path, metavar="FILE.json", help="all rates, for later")
    options = parser.parse_args(arguments)
    chosen = [name for name in WORK if options.only in name]
    if not chosen or options.rounds < 1:
        print(f"error: nothing to do; work is {', '.join(WORK)}", file=sys.stderr)
        return 2
    print(f"# {platform.processor() or platform.machine()}, "
          + ", ".join(f"{p} {version(p)}" for p in PACKAGES))
    print("| work | ours | units/s | best peer | times the peer (least to largest) | bar | |\n"
          "|---|---|---|---|---|---|---|")
    every: dict[str, Any] = {}
    for name in chosen:
        every[name] = found = rates(contenders(name), options.rounds)
        for ours, bar in zip(("ours", "ours, compiled"), BARS[name], strict=True):
            if ours in found:
                print(line(name, found, ours, bar), flush=True)
    if options.to:
        options.to.write_text(json.dumps(every, indent=1))
    return 0


if __name__ == "__main__":
    try:
        code = main()
    except ImportError as error:
        print(f"error: {error.name} is not installed; pip install -c constraints.txt "
              "-e '.[peers]'", file=sys.stderr)
        code = 2
    sys.exit(code)
