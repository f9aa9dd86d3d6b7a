"""What a terminal shows: one console, and tables that keep numbers and words whole.

A table that is too wide for the terminal (CI logs have 80 columns) is cut into several by groups
of columns, each with the columns that name its rows; where not even two columns fit side by side,
each row becomes a block of lines.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TextIO

from rich.box import Box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from bench.core.exits import printable
from results.presentation.table import Cell, Column, Table

#: The least and the most columns a terminal is taken to have.
LEAST, MOST = 20, 2000
#: A line up to this long is never broken; a longer one breaks at blanks.
SHORT = 10
#: What stands between two columns: a padding to each side of a divider.
GAP = 3
#: A rule below the heading. It is called ASCII for rich to leave it alone: what a terminal cannot
#: show is replaced by ``bench.core.exits``.
RULED = Box("    \n    \n ── \n    \n    \n    \n    \n    \n", ascii=True)

_STYLES = {"floor": "green", "below": "magenta", "good": "green", "warn": "yellow", "fail": "red"}
_SIGNS = {"floor": " ≈", "below": " ↓"}


def open_console() -> Console:
    """The console of a command: what users name things is text, never markup."""
    width = height = None
    if {"COLUMNS", "LINES"} & os.environ.keys():  # rich takes 0 and 1 as said, and fails at '²'
        size = shutil.get_terminal_size()
        width, height = min(max(size.columns, LEAST), MOST), size.lines
    return Console(markup=False, emoji=False, highlight=False, width=width, height=height)


def text_console(file: TextIO, width: int) -> Console:
    """A console that writes plain text of at most so many columns to a file."""
    return Console(file=file, width=width, markup=False, emoji=False, highlight=False)


def quiet_console() -> Console:
    """A console that shows nothing."""
    return Console(quiet=True)


def error_console() -> Console:
    """A console on standard error, for what is no result."""
    return Console(stderr=True)


def is_live(console: Console) -> bool:
    """Whether a display can be redrawn: a person's terminal, not a log that asked for colours."""
    return console.is_interactive and console.file.isatty() and not console.is_dumb_terminal


def shown(text: str) -> str:
    """A user's text with its line breaks, and without what would move the cursor."""
    return "\n".join(printable(line) for line in text.split("\n"))


def _least(text: str) -> int:
    """The width below which a word or a number of the text would be broken."""
    return max((cell_len(line) if cell_len(line) <= SHORT else max(map(cell_len, line.split()))
                for line in text.split("\n") if line.strip()), default=1)


def _most(text: str) -> int:
    return max((cell_len(line) for line in text.split("\n")), default=1)


def _cell(cell: Cell, below: bool, numeric: bool) -> Text:
    # In a column of numbers the word of a failure costs width; the column of jobs spells it out.
    short = numeric and cell.mark == "fail" and not below and not cell.text[:1].isdigit()
    text = Text("✗" if short else shown(cell.text) + _SIGNS.get(cell.mark, ""),
                style=_STYLES.get(cell.mark, ""))
    if below and cell.seeds:
        text.append("\n" + shown(cell.seeds.replace("\n", ", ")), style="dim")
    return text


def _head(column: Column) -> Text:
    head = Text(shown(column.title))
    if column.sub:
        head.append("\n" + shown(column.sub).replace(", ", "\n"), style="dim")
    return head


@dataclass(frozen=True)
class Sheet:
    """A table laid out for the width that it is given."""

    caption: str
    heads: tuple[Text, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[Text, ...], ...]
    dim: tuple[bool, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        least, most = self._widths(_least), self._widths(_most)
        groups = self._groups(least, options.max_width)
        for i, group in enumerate(groups):
            part = f" ({i + 1} of {len(groups)})" if len(groups) > 1 else ""
            yield Text(shown(self.caption) + part, style="bold")
            yield self._table(group, _fitted([least[c] for c in group], [most[c] for c in group],
                                             options.max_width))
        if not groups:
            yield Text(shown(self.caption), style="bold")
            yield from self._blocks()

    def _widths(self, measure: Callable[[str], int]) -> list[int]:
        return [max(measure(t.plain) for t in (head, *(row[c] for row in self.rows)))
                for c, head in enumerate(self.heads)]

    def _names(self) -> int:
        """How many of the first columns say which row it is."""
        texts = 0
        while texts < len(self.numeric) and not self.numeric[texts]:
            texts += 1
        for count in range(1, texts):
            if len({tuple(t.plain for t in row[:count]) for row in self.rows}) == len(self.rows):
                return count
        return max(texts, 1)

    def _groups(self, least: list[int], width: int) -> list[list[int]]:
        """The columns of each part; none where the names and one column do not fit."""
        if _total(least) <= width:
            return [list(range(len(least)))]
        names = list(range(self._names()))
        groups: list[list[int]] = []
        for column in range(len(names), len(least)):
            if groups and _total([least[c] for c in (*groups[-1], column)]) <= width:
                groups[-1].append(column)
            else:
                groups.append([*names, column])
        fits = all(_total([least[c] for c in group]) <= width for group in groups)
        return groups if fits else []

    def _table(self, columns: list[int], widths: list[int]) -> Grid:
        made = Grid(box=RULED, pad_edge=False)
        for column, width in zip(columns, widths, strict=True):
            made.add_column(self.heads[column], width=width, overflow="fold",
                            justify="right" if self.numeric[column] else "left")
        for row, dim in zip(self.rows, self.dim, strict=True):
            made.add_row(*(row[c] for c in columns), style="dim" if dim else "")
        return made

    def _blocks(self) -> Iterator[Text | Padding]:
        """Each row as a line a cell, those after the first indented."""
        yield Text()
        for row in self.rows:
            for i, (head, cell) in enumerate(zip(self.heads, row, strict=True)):
                line = Text(" ").join(head.split("\n")) + Text(": ")
                line += Text(", ").join(cell.split("\n"))
                yield Padding(line, (0, 0, 0, 2 if i else 0))
            yield Text()


def _total(widths: list[int]) -> int:
    return sum(widths) + GAP * len(widths) - 1


def _fitted(least: list[int], most: list[int], width: int) -> list[int]:
    """Widths as they would be without limit, the widest cut until all fit."""
    widths, cap = list(most), max(most)
    while _total(widths) > width and cap > 1:
        cap -= 1
        widths = [min(m, max(few, cap)) for few, m in zip(least, most, strict=True)]
    return widths


def grid(table: Table, below: bool = False) -> Sheet:
    """A table for a console; ``below`` adds the second line of each cell."""
    numeric = tuple(column.numeric for column in table.columns)
    rows = tuple(tuple(_cell(c, below, n) for c, n in zip(row, numeric, strict=True))
                 for *_, row in table.lines)
    return Sheet(table.caption, tuple(_head(c) for c in table.columns), numeric, rows,
                 tuple(bool(kind) for kind, *_ in table.lines))
