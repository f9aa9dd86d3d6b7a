"""Published tables as data: ``results/data/published/*.toml``, one small file a table.

    title, source                  what it is and where it stands
    metric, n, repeats, spread     our metric's name; points a value; repeats behind a mean (1: one
                                   run, no spread); what the printed spread means
    problems = ["...", ...]        what is known to be wrong or unstated; the report prints it
    [[columns]]                    name; targets: our candidates, the likeliest first;
                                   optional: metric, group (columns of one published target),
                                   suspect (a known defect; counted apart), not_comparable
    [[rows]]                       name; samplers: our candidates (a scan in its order), [] where
                                   only the published figure exists; optional: family, n, repeats,
                                   steps (absent: end of the run), not_comparable
    [rows.cells]                   column = "0.107 ± 0.025", as printed, or a table of value and,
                                   as wanted, note and not_comparable; a missing column is empty
    [[mode_counts]]                optional: row, group, metric, counts, weights

``not_comparable = "a sentence why"`` takes a row, column or cell out of every verdict.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from scipy import stats

from bench.core.errors import ReportError, nearest
from bench.core.places import PUBLISHED
from bench.core.toml_fields import Fields

_FIGURE = re.compile(r"\s*([-+]?\d*\.?\d+(?:[eE][-+]?\d+)?)(?:\s*±\s*(\d*\.?\d+))?\s*")


@dataclass(frozen=True)
class Figure:
    """One published figure: its value, its spread (None: none was printed), and its own text."""

    text: str
    value: float
    sd: float | None = None
    note: str = ""
    not_comparable: str = ""


@dataclass(frozen=True)
class PublishedColumn:
    """A target of the paper under one metric, and what it may be among ours."""

    name: str
    targets: tuple[str, ...]
    metric: str
    group: str
    suspect: str = ""
    not_comparable: str = ""


@dataclass(frozen=True)
class PublishedRow:
    """A sampler of the paper at one length, and what it may be among ours."""

    name: str
    samplers: tuple[str, ...]
    family: str
    n: int
    repeats: int
    steps: int | None = None
    not_comparable: str = ""
    cells: dict[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True)
class ModeCounts:
    """How many points fell to each mode, as printed, and the weights they should have."""

    row: PublishedRow
    group: str
    metric: str
    counts: tuple[int, ...]
    weights: tuple[float, ...]

    @cached_property
    def chi2(self) -> float:
        """Pearson's chi-square of the counts against the weights."""
        total = sum(self.counts)
        return sum((c - total * w) ** 2 / (total * w)
                   for c, w in zip(self.counts, self.weights, strict=True))

    def p(self, value: float) -> float:
        """p-value: how probable is one at least as large from independent exact points."""
        return float(stats.chi2.sf(value, len(self.counts) - 1))


@dataclass(frozen=True)
class PublishedTable:
    """A published table; ``key`` is the name of its file."""

    key: str
    title: str
    source: str
    spread: str
    problems: tuple[str, ...]
    columns: tuple[PublishedColumn, ...]
    rows: tuple[PublishedRow, ...]
    mode_counts: tuple[ModeCounts, ...] = ()
    left_out: tuple[str, ...] = ()  # names of columns that a run has no candidate for

    def group(self, name: str) -> tuple[PublishedColumn, ...]:
        """The columns of one published target."""
        return tuple(c for c in self.columns if c.group == name)

    def of(self, targets: Collection[str]) -> PublishedTable:
        """The table's columns of which a run has a candidate; all where it has none at all.

        A suite may rerun a part of a table: what it never meant to run is no missing record.
        """
        kept = tuple(c for c in self.columns if set(c.targets) & set(targets))
        if kept in ((), self.columns):
            return self
        left = tuple(c.name for c in self.columns if c not in kept)
        counts = tuple(m for m in self.mode_counts if m.group in {c.group for c in kept})
        return replace(self, columns=kept, mode_counts=counts, left_out=left)

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the published targets, in order."""
        return tuple(dict.fromkeys(c.group for c in self.columns))


def why_not_comparable(row: PublishedRow, column: PublishedColumn, figure: Figure) -> str:
    """The sentence why a figure cannot be compared; empty where it can."""
    return figure.not_comparable or row.not_comparable or column.not_comparable


def known(folder: Path = PUBLISHED) -> list[str]:
    """Names of the tables that exist."""
    return sorted(path.stem for path in folder.glob("*.toml"))


def published_table(name: str, folder: Path = PUBLISHED) -> PublishedTable:
    """The table of that name; ReportError where there is none or its file is not well formed."""
    if name not in known(folder):
        raise ReportError(f"no published table '{name}'{nearest(name, known(folder))} (there are: "
                          f"{', '.join(known(folder))})")
    return read_table(folder / f"{name}.toml")


def read_table(path: Path) -> PublishedTable:
    """Read and check one file; ReportError names the file, the place and what is wrong there."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ReportError(f"{path.name}: not readable as TOML ({error})") from None
    top = Fields(path.name, raw)
    metric, n, repeats = top.text("metric"), top.whole("n"), top.whole("repeats")
    columns = tuple(_column(part, metric) for part in top.parts("columns"))
    _unique(top, "columns", [c.name for c in columns])
    for c in columns:
        if any(c.targets != other.targets for other in columns if other.group == c.group):
            top.fail(f"columns of the group '{c.group}' must name the same targets")
    rows = tuple(_row(part, n, repeats, columns) for part in top.parts("rows"))
    _unique(top, "rows", [r.name for r in rows])
    counts = tuple(_counts(part, rows, columns)
                   for part in top.parts("mode_counts", optional=True))
    made = PublishedTable(path.stem, top.text("title"), top.text("source"), top.text("spread"),
                          top.texts("problems"), columns, rows, counts)
    top.done()
    return made


def _unique(top: Fields, name: str, names: list[str]) -> None:
    for one in names:
        if names.count(one) > 1:
            top.fail(f"two {name} are named '{one}'")


def _column(part: Fields, metric: str) -> PublishedColumn:
    name = part.text("name")
    made = PublishedColumn(name, part.texts("targets"), part.text("metric", metric),
                           part.text("group", name), part.text("suspect", ""),
                           part.text("not_comparable", ""))
    if not made.targets:
        part.fail("'targets' is empty: name at least one of ours, or leave the column out")
    part.done()
    return made


def _row(part: Fields, n: int, repeats: int,
         columns: tuple[PublishedColumn, ...]) -> PublishedRow:
    name = part.text("name")
    part.where += f" ({name})"
    repeats = part.whole("repeats", repeats)
    names = [c.name for c in columns]
    cells = {}
    for column, raw in part.table("cells").items():
        if column not in names:
            part.fail(f"no column '{column}'; there are: {', '.join(names)}")
        cells[column] = _figure(part, column, raw, repeats)
    made = PublishedRow(name, part.texts("samplers"), part.text("family", name),
                        part.whole("n", n), repeats, part.whole("steps", None),
                        part.text("not_comparable", ""), cells)
    part.done()
    return made


def _figure(part: Fields, column: str, raw: object, repeats: int) -> Figure:
    where = f"{part.where}, cell '{column}'"
    cell = Fields(where, raw if isinstance(raw, dict) else {"value": raw})
    text = cell.text("value").strip()
    found = _FIGURE.fullmatch(text)
    if found is None:
        cell.fail(f"'{text}' is no figure; write it as printed, '0.107' or '0.107 ± 0.025'")
    value, sd = float(found[1]), None if found[2] is None else float(found[2])
    if not math.isfinite(value):
        cell.fail(f"'{text}' is not finite")
    if sd is not None and repeats < 2:
        cell.fail("a spread needs 'repeats' of at least 2: over what was it taken?")
    made = Figure(text, value, sd, cell.text("note", ""), cell.text("not_comparable", ""))
    cell.done()
    return made


def _counts(part: Fields, rows: tuple[PublishedRow, ...],
            columns: tuple[PublishedColumn, ...]) -> ModeCounts:
    name, group = part.text("row"), part.text("group")
    row = next((r for r in rows if r.name == name), None)
    if row is None or group not in {c.group for c in columns}:
        part.fail(f"no row '{name}' with a group of columns '{group}'")
    counts, weights = part.numbers("counts"), part.numbers("weights")
    if len(counts) != len(weights) or abs(sum(weights) - 1) > 1e-9 or min(weights) <= 0:
        part.fail("'weights' must be positive, one for each count, and sum to 1")
    if any(c != int(c) or c < 0 for c in counts) or sum(counts) != row.n:
        part.fail(f"'counts' must be whole and sum to the row's n, {row.n}; "
                  f"they sum to {sum(counts):g}")
    made = ModeCounts(row, group, part.text("metric"), tuple(int(c) for c in counts), weights)
    part.done()
    return made
