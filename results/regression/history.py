"""The history of a suite: its entries over commits, what changed, in a sentence and figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from results.presentation.figures import Image
from results.presentation.table import listing, plural
from results.regression.change_points import ChangePoints, Name, change_points
from results.regression.history_entries import Entry, entries
from results.regression.history_figure import panel
from results.regression.outcome import Rule
from results.regression.verdicts import Verdict


@dataclass(frozen=True)
class History:
    """A history: its entries in order of time, and what changed."""

    entries: tuple[Entry, ...]
    found: ChangePoints
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
        rest = f"; {cells_text(silent)} could not have shown a change" if silent else ""
        if same := self.found.identical:
            rest += f"; {len(same)} identical in every number"
        if not able:
            return f"Nothing can be said {span}: too few seeds, or breaks."
        if not found:
            none = "No cell" if not silent else f"None of {cells_text(able)}"
            return f"{none} is shown to have changed {span}{rest}."
        kinds = [f"{n} {v}" for v in (Verdict.WORSE, Verdict.BETTER, Verdict.LOWER)
                 if (n := sum(c.verdict == v for c in found))]
        touched = len({c.name for c in found})
        return (f"{plural(len(found), 'change')} in {touched} of {cells_text(len(self.cells))} "
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


def cells_text(amount: int) -> str:
    """So many cells."""
    return plural(amount, "cell")


def history(paths: Sequence[Path], rule: Rule | None = None) -> History:
    """Read baseline files and run folders; raises ReportError with one sentence."""
    rule = rule or Rule()
    found = entries(paths)
    return History(found, change_points([e.snapshot for e in found], rule), rule)
