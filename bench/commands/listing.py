"""``list`` and ``show``: what there is, read from files without importing anything heavy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.conformance.exemptions import EXEMPTIONS
from bench.core.entry import KINDS, Entry
from bench.core.errors import UserError, nearest
from bench.core.registry import catalogue, missing
from bench.suite.schema import describe, suite_names
from results.presentation.console import grid, open_console
from results.presentation.table import Cell, Column, Table

SORTS = (*KINDS, "suites")
_SHOWN = ("kind", "family", "update", "citation", "blind", "needs", "limitations", "learned",
          "anneals")


def facts(entry: Entry) -> dict[str, Any]:
    """An entry as plain values."""
    return {"name": entry.name, "summary": entry.summary,
            **{k: entry.attributes[k] for k in _SHOWN if entry.attributes.get(k)},
            **({"missing": lack} if (lack := missing(entry)) else {}),
            **({"default": False} if entry.attributes.get("default") is False else {}),
            "parameters": {k: {"type": t, "default": d} for k, (t, d) in entry.parameters.items()}}


def _tables(what: str | None, plugin: Path | None) -> dict[str, list[dict[str, Any]]]:
    if what is not None and what not in SORTS:
        raise UserError(f"cannot list '{what}'{nearest(what, SORTS)} (there are: "
                        f"{', '.join(SORTS)})")
    tables: dict[str, list[dict[str, Any]]] = {
        kind: [facts(e) for _, e in sorted(entries.items())]
        for kind, entries in catalogue(plugin).items()}
    tables["suites"] = [{"name": name, "summary": describe(path)}
                        for name, path in suite_names().items()]
    return {sort: tables[sort] for sort in ([what] if what else SORTS)}


def print_list(what: str | None, as_json: bool, plugin: Path | None) -> None:
    """All entries of one sort, or of all."""
    tables = _tables(what, plugin)
    if as_json:
        print(json.dumps(tables[what] if what else tables, indent=1))
        return
    console = open_console()
    columns = (Column("name", numeric=False), Column("what it is", numeric=False))
    for sort, rows in tables.items():
        cells = tuple((Cell(row["name"]), Cell(row["summary"] + _remarks(row))) for row in rows)
        console.print(grid(Table(sort, sort, columns, cells)))
    if what in (None, "samplers"):
        console.print("exemptions from laws of the conformance kit: " + ("; ".join(
            f"{sampler}, {law}: {why}" for (sampler, law), why in EXEMPTIONS.items()) or "none"))


def _remarks(row: dict[str, Any]) -> str:
    named = "" if row.get("default", True) else " (only where a suite names it)"
    return named + (f" ({row['missing']})" if "missing" in row else "")


def print_entry(name: str, plugin: Path | None) -> None:
    """Everything the files say of one name."""
    entries = [e for kind in catalogue(plugin).values() for e in kind.values() if e.name == name]
    suites = suite_names()
    if not entries and name not in suites:
        known = [n for kind in catalogue(plugin).values() for n in kind] + list(suites)
        raise UserError(f"nothing is called '{name}'{nearest(name, known)} (see python -m bench "
                        "list)")
    for entry in entries:
        _print(entry)
    if name in suites:
        text = suites[name].read_text(encoding="utf-8")
        print(f"{name} (suite): {describe(suites[name])}\n\n{text}")


def _print(entry: Entry) -> None:
    told = facts(entry)
    print(f"{entry.name} ({entry.kind[:-1]}): {entry.doc}\n")
    for key in (*_SHOWN, "default", "missing"):
        if key in told:
            print(f"{key}: {told[key]}")
    if entry.parameters:
        print("\nparameters:")
        for key, (kind, default) in entry.parameters.items():
            print(f"  {key}: {kind} = {default}" if default else f"  {key}: {kind}")
    print(f"\n{entry.module_doc}\n\nfile: {entry.path}")
