"""``list``: what there is."""

from __future__ import annotations

import argparse
import json
from typing import Any

from bench.commands.options import add_plugin
from bench.core.registry import exemptions
from bench.interface.listing import LISTED, rows
from bench.interface.plans import plugin_file
from results.presentation.console import grid, open_console
from results.presentation.table import Cell, Column, Table

HELP = "what there is"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``python -m bench list``."""
    parser.add_argument("what", nargs="?", metavar="|".join(LISTED))
    parser.add_argument("--json", action="store_true", help="machine-readable")
    add_plugin(parser)


def main(options: argparse.Namespace) -> int:
    """Print all entries of one kind, or of all."""
    plugin = plugin_file(options.plugin)
    tables = {kind: rows(kind, plugin) for kind in ([options.what] if options.what else LISTED)}
    if options.json:
        print(json.dumps(tables[options.what] if options.what else tables, indent=1))
        return 0
    console = open_console()
    columns = (Column("name", numeric=False), Column("what it is", numeric=False))
    for kind, found in tables.items():
        cells = tuple((Cell(row["name"]), Cell(row["summary"] + _remarks(row))) for row in found)
        console.print(grid(Table(kind, kind, columns, cells)))
    if options.what in (None, "samplers"):
        console.print("exemptions from laws of the conformance kit: " + ("; ".join(
            f"{law}: {why}" for law, why in exemptions(plugin).items()) or "none"))
    return 0


def _remarks(row: dict[str, Any]) -> str:
    named = "" if row.get("default", True) else " (only where a suite names it)"
    return named + (f" ({row['missing']})" if "missing" in row else "")
