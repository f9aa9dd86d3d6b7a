"""The page of a history, its Markdown twin, and its tables for a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rich.console import Console
from rich.text import Text

from results.presentation.console import grid
from results.presentation.figures import Image
from results.presentation.rendering import page_and_markdown, save_pages
from results.presentation.table import Cell, Column, Table, count, listing, number, plural
from results.regression.history import Change, Movement, Name, changes
from results.regression.history_entries import Entry, entries
from results.regression.history_figure import ARROWS, panel
from results.regression.scores import COST, Rule

MARKS = {"worse": "fail", "better": "good", "lower": ""}


@dataclass(frozen=True)
class Made:
    """A history: its entries in order of time, and what changed."""

    entries: tuple[Entry, ...]
    found: Movement
    rule: Rule

    @property
    def suite(self) -> str:
        """The suite that all entries are of."""
        return self.entries[-1].snapshot.suite

    @cached_property
    def cells(self) -> tuple[Name, ...]:
        """Every cell, those of the newest entry first."""
        return tuple(dict.fromkeys(
            c.name for e in reversed(self.entries) for c in e.snapshot.cells))

    @property
    def sentence(self) -> str:
        """Whether anything changed; cells that could not show it are not called unchanged."""
        first, last = self.entries[0].date, self.entries[-1].date
        span = f"over {len(self.entries)} entries ({first} to {last})"
        found, silent = self.found.changes, len(self.found.unable)
        able = len(self.cells) - silent
        rest = f"; {_cells(silent)} could not have shown a change" if silent else ""
        if same := self.found.identical:
            rest += f"; {len(same)} identical in every number"
        if not able:
            return f"Nothing can be said {span}: too few seeds, or breaks."
        if not found:
            none = "No cell" if not silent else f"None of {_cells(able)}"
            return f"{none} is shown to have changed {span}{rest}."
        kinds = [f"{n} {v}" for v in ("worse", "better", "lower")
                 if (n := sum(c.verdict == v for c in found))]
        touched = len({c.name for c in found})
        return (f"{plural(len(found), 'change')} in {touched} of {_cells(len(self.cells))} "
                f"{span}: {listing(kinds)}{rest}.")

    @property
    def warnings(self) -> list[str]:
        """Cells that no change could have shown in."""
        if not self.found.unable:
            return []
        names = [f"{s} on {t}" for s, t in self.found.unable]
        shown = names if len(names) <= 8 else [*names[:8], f"{len(names) - 8} more"]
        return ["Too few seeds that can be compared to show any change, however large: "
                f"{listing(shown)}."]

    def images(self) -> list[tuple[str, list[Image]]]:
        """Panels by target."""
        targets = dict.fromkeys(t for _, t in self.cells)
        drawn = [(t, [image for name in self.cells if name[1] == t
                      and (image := self._panel(name)) is not None]) for t in targets]
        return [(t, images) for t, images in drawn if images]

    def _panel(self, name: Name) -> Image | None:
        return panel(self.entries, name, [c for c in self.found.changes if c.name == name],
                     [b for b in self.found.breaks if b.name == name])

    def tables(self) -> list[Table]:
        """Change points, and breaks; only those that there are."""
        return [t for t in (self._changes_table(), self._breaks_table()) if t.rows]

    def _place(self, i: int) -> Cell:
        entry = self.entries[i]
        return Cell(entry.commit, float(i), entry.date.replace("-", "\u2011"))

    def _changes_table(self) -> Table:
        columns = (Column("sampler", numeric=False), Column("target", numeric=False),
                   Column("changed at", "commit", False), Column("after", "commit", False),
                   Column("what", numeric=False), Column("metric", "that moved most", False),
                   Column("median before"), Column("median after"),
                   Column("seeds", "before, after"), Column("p", "corrected"))
        rows = [(Cell(c.sampler, c.sampler), Cell(c.target, c.target), self._place(c.at),
                 self._place(c.after),
                 Cell(f"{ARROWS[c.verdict]}\u00a0{c.what}\u00a0{c.verdict}", c.verdict,
                      mark=MARKS[c.verdict]),
                 Cell(c.metric, c.metric), _median(c, c.old), _median(c, c.new),
                 Cell(f"{c.seeds[0]}, {c.seeds[1]}", float(sum(c.seeds))),
                 Cell(_chance(c.corrected), c.corrected))
                for c in sorted(self.found.changes, key=lambda c: (c.at, c.corrected))]
        return Table("changes", "Change points", columns, tuple(rows), notes=(CHANGES_NOTE,))

    def _breaks_table(self) -> Table:
        reasons: dict[tuple[int, int, str], list[Name]] = {}
        for b in self.found.breaks:
            reasons.setdefault((b.at, b.after, b.reason), []).append(b.name)
        rows = [(self._place(at), self._place(after), Cell(reason, reason),
                 Cell(_cells(len(names)), float(len(names)),
                      _named(names)))
                for (at, after, reason), names in sorted(reasons.items())]
        return Table("breaks", "Where entries cannot be compared",
                     (Column("from", "commit", False), Column("after", "commit", False),
                      Column("why", numeric=False), Column("cells", numeric=False)), tuple(rows))

    def entries_table(self) -> Table:
        """What was read, in order."""
        rows = [(Cell(e.commit, float(i), code=True),
                 Cell(f"{e.started:%Y-%m-%d %H:%M}", float(i)),
                 Cell(str(len(e.snapshot.cells)), float(len(e.snapshot.cells))),
                 Cell(_seeds(e), float(len(e.snapshot.seeds))), Cell(e.path.name, e.path.name))
                for i, e in enumerate(self.entries)]
        return Table("entries", "Entries in order of time",
                     (Column("commit", numeric=False), Column("started", "universal time", False),
                      Column("cells"), Column("seeds", "a cell"), Column("file", numeric=False)),
                     tuple(rows), notes=("A + marks uncommitted changes.",))


def _cells(amount: int) -> str:
    return plural(amount, "cell")


def _seeds(entry: Entry) -> str:
    sizes = sorted({len(c.seeds) for c in entry.snapshot.cells})
    return str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"


def _named(names: Sequence[Name]) -> str:
    return listing([f"{s} on {t}" for s, t in names]) if len(names) <= 4 else ""


def _median(change: Change, value: float) -> Cell:
    if not math.isfinite(value):
        return Cell("never reached" if change.what == COST else "failed", value, mark="fail")
    return Cell(count(value) if change.what == COST else number(value), value)


def _chance(p: float) -> str:
    return number(p, 2) if p >= 1e-6 else "< 10⁻⁶"


def history(paths: Sequence[Path], rule: Rule | None = None) -> Made:
    """Read baseline files and run folders; raises ReportError with one sentence."""
    rule = rule or Rule()
    found = entries(paths)
    return Made(found, changes([e.snapshot for e in found], rule), rule)


def render(made: Made) -> tuple[str, str]:
    """The page and its twin."""
    shown = {
        "title": made.suite or "history", "sentence": made.sentence, "warnings": made.warnings,
        "panels": made.images(), "tables": made.tables(), "entries": made.entries_table(),
        "alpha": f"{100 * made.rule.alpha:g} %", "tolerance": f"{100 * made.rule.tolerance:g} %",
        "tests": f"{made.found.tests:,}", "inner": f"{made.found.inner:,}"}
    return page_and_markdown("history", shown)


def save(made: Made, out: Path) -> tuple[Path, Path]:
    """Write history.html and history.md into a folder; raises ReportError where it cannot."""
    return save_pages(render(made), out, "history")


def print_history(made: Made, console: Console) -> None:
    """Warnings, change points, breaks and the sentence."""
    for text in made.warnings:
        console.print(Text("! " + text, style="yellow"))
    for table in made.tables():
        console.print(grid(table, below=True))
    console.print(Text(made.sentence, style="bold"))


CHANGES_NOTE = (
    "Medians: from the change point before to this one, and from this one to the next. Cost: "
    "evaluations to reach a quality that half of these seeds reach. p is multiplied by the number "
    "of splits that were tried on the page; the commit is an estimate, nearby ones are possible.")
