"""``show``: everything the files say of one name."""

from __future__ import annotations

import argparse

from bench.commands.options import add_plugin
from bench.core.entry import Entry
from bench.core.errors import UserError, nearest
from bench.core.registry import catalogue
from bench.interface.listing import SHOWN, facts
from bench.interface.plans import plugin_file
from bench.suite.schema import describe, suite_names

HELP = "what one of them is"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``python -m bench show``."""
    parser.add_argument("name")
    add_plugin(parser)


def main(options: argparse.Namespace) -> int:
    """Print the entries of that name, whatever their kind."""
    name, known = options.name, catalogue(plugin_file(options.plugin))
    entries = [entry for kind in known.values() for entry in kind.values() if entry.name == name]
    suites = suite_names()
    if not entries and name not in suites:
        names = [other for kind in known.values() for other in kind] + list(suites)
        raise UserError(f"nothing is called '{name}'{nearest(name, names)} (see python -m bench "
                        "list)")
    for entry in entries:
        _print(entry)
    if name in suites:
        text = suites[name].read_text(encoding="utf-8")
        print(f"{name} (suite): {describe(suites[name])}\n\n{text}")
    return 0


def _print(entry: Entry) -> None:
    told = facts(entry)
    print(f"{entry.name} ({entry.kind[:-1]}): {entry.doc}\n")
    for key in (*SHOWN, "default", "missing"):
        if key in told:
            print(f"{key}: {told[key]}")
    if entry.parameters:
        print("\nparameters:")
        for key, (kind, default) in entry.parameters.items():
            print(f"  {key}: {kind} = {default}" if default else f"  {key}: {kind}")
    print(f"\n{entry.module_doc}\n\nfile: {entry.path}")
