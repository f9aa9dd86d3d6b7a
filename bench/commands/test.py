"""``test``: the laws of the conformance kit on samplers, targets and metrics."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from bench.commands.options import add_plugin
from bench.core.entry import KINDS
from bench.core.errors import MissingPackage, UserError, nearest
from bench.core.exits import printable
from bench.core.plugins import imported_entries
from bench.core.registry import catalogue
from bench.interface.plans import plugin_file

FAILED = 1


HELP = "does a sampler, target or metric keep the laws of its kind?"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``python -m bench test``."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="samplers, targets, metrics; "
                        "with --plugin and no name, all that the file registers")
    add_plugin(parser)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="at which a sampler must "
                        "recover the distributions (default 0)")


def main(options: argparse.Namespace) -> int:
    """Print law by law what came of it; 1 where one failed."""
    plugin = plugin_file(options.plugin)
    failed = [what for what in _chosen(options.names, plugin)
              if not _keeps_all(*what, plugin, options.seed)]
    if failed:
        print(printable("failed: " + ", ".join(name for _, name in failed)))
    return FAILED if failed else 0


def _chosen(names: list[str], plugin: Path | None) -> list[tuple[str, str]]:
    """(kind, name) of all that is asked for; a name that two kinds have is both."""
    if not names and plugin is None:
        raise UserError("name what to test, or a plugin file (python -m bench test hmc; "
                        "python -m bench test --plugin FILE)")
    registered = [(e.kind, e.name) for e in imported_entries(plugin)] if plugin else []
    if not names:
        return registered
    known = [(kind, n) for kind in KINDS for n in catalogue(plugin)[kind]]
    for name in names:
        if name not in {n for _, n in known}:
            raise UserError(f"nothing is called '{name}'{nearest(name, [n for _, n in known])} "
                            "(see python -m bench list)")
    return [(kind, n) for name in dict.fromkeys(names) for kind, n in known if n == name]


def _keeps_all(kind: str, name: str, plugin: Path | None, seed: int) -> bool:
    """Run the laws on one of them and print what comes of each."""
    from bench.conformance.kit import examine

    print(printable(f"{kind[:-1]} {name}"))
    start, kept = time.monotonic(), True
    try:
        for outcome in examine(kind, name, plugin, seed):
            said = f" ({outcome.said})" if outcome.status == "not applicable" else ""
            print(printable(f"  {outcome.status:<14}  {outcome.law}{said}"))
            if outcome.status == "failed":
                kept = False
                print(printable(f"      expected: {outcome.expected}"))
                print(printable(f"      measured: {outcome.said}"))
            sys.stdout.flush()
    except MissingPackage as error:
        print(printable(f"  not tested: {error}"))
    print(f"  {time.monotonic() - start:.1f} s")
    return kept
