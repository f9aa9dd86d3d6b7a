"""One panel of a history: a cell's leading metric over commits, with change points and breaks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.core.types import Array
from results.presentation.drawing import (
    Axes,
    Figure,
    FuncFormatter,
    LogLocator,
    NullFormatter,
    drawn,
)
from results.presentation.figures import Image, svg
from results.presentation.palette import COLOURS, GREY
from results.presentation.table import number, plural, power, slug
from results.regression.baseline import FloorSummary
from results.regression.change_points import ChangePoint, Name
from results.regression.history_entries import Entry
from results.regression.segments import Break
from results.regression.verdicts import Verdict

SIZE = (4.3, 2.75)
POINTS = COLOURS[0]
TINTS = {Verdict.WORSE: COLOURS[1], Verdict.BETTER: COLOURS[2], Verdict.LOWER: COLOURS[2]}
ARROWS = {Verdict.WORSE: "▲", Verdict.BETTER: "▼", Verdict.LOWER: "▽"}
#: Labels below the axis that have room, and that have room side by side.
MOST_LABELS, FEW_LABELS = 14, 5


@dataclass(frozen=True)
class _Series:
    """A cell's values by one metric: (index, values of its seeds) an entry, and the floor."""

    metric: str
    values: tuple[tuple[int, Array], ...]
    floor: FloorSummary | None

    @property
    def finite(self) -> Array:
        """All finite values."""
        every = np.concatenate([v for _, v in self.values])
        return every[np.isfinite(every)]

    @property
    def exponent(self) -> int:
        """The power of ten that values are multiplied by, so that the floor becomes about 1."""
        size = abs(self.floor.upper) if self.floor else float(np.median(np.abs(self.finite)))
        return -math.floor(math.log10(size)) if 0 < size < 0.01 else 0


def _series(entries: Sequence[Entry], name: Name) -> _Series | None:
    cells = [(i, e.snapshot, e.snapshot.by_name[name]) for i, e in enumerate(entries)
             if name in e.snapshot.by_name]
    newest, metrics = cells[-1][1], [m for *_, c in cells for m in c.metrics]
    if not metrics:
        return None
    metric = newest.curve_metric if newest.curve_metric in metrics else metrics[-1]
    values = tuple((i, c.values[c.metrics.index(metric)] if metric in c.metrics
                    else np.full(len(c.seeds), np.inf)) for i, _, c in cells)
    floors = [f for _, s, c in cells for m, f in zip(c.metrics, s.floors_of(c), strict=True)
              if m == metric and f is not None]
    made = _Series(metric, values, floors[-1] if floors else None)
    return made if len(made.finite) else None


def panel(entries: Sequence[Entry], name: Name, changes: Sequence[ChangePoint],
          breaks: Sequence[Break]) -> Image | None:
    """The panel of a cell; None where no seed ever had a value."""
    series = _series(entries, name)
    if series is None:
        return None
    with drawn({"path.simplify": False}):
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.add_subplot()
        _floor(axes, series)
        for cut in breaks:
            axes.axvline((cut.after + cut.at) / 2, color=GREY, lw=1.1, ls=(0, (1, 2)))
        _seeds(axes, series)
        _medians(axes, series, breaks)
        _scale(axes, series)
        _failed(axes, series)
        _changes(axes, changes)
        _ticks(axes, entries)
        alt = _alt(entries, name, series, changes, breaks)
        return Image(svg(figure, slug("h", *name), alt), alt, name[0])


def _floor(axes: Axes, series: _Series) -> None:
    if series.floor is not None:
        axes.axhspan(series.floor.median, series.floor.upper, color=GREY, alpha=0.22, lw=0)
        axes.axhline(series.floor.median, color=GREY, lw=0.8)


def _seeds(axes: Axes, series: _Series) -> None:
    """A short dash a seed, all of them one path: a marker each would make a heavy page."""
    parts = []
    for index, values in series.values:
        kept = np.sort(values[np.isfinite(values)])
        # Neighbours in value stand next to each other, so that they do not hide one another.
        shifted = index + 0.12 * np.resize([0, 2, -2, 1, -1], len(kept))
        parts += [np.array([[x - 0.035, y], [x + 0.035, y], [np.nan, np.nan]])
                  for x, y in zip(shifted, kept, strict=True)]
    line = np.concatenate(parts)
    axes.plot(*line.T, color=POINTS, lw=1.6, alpha=0.5, solid_capstyle="round")


def _medians(axes: Axes, series: _Series, breaks: Sequence[Break]) -> None:
    """The median of each entry; failed seeds count as the worst. No line crosses a break."""
    cuts = {b.at for b in breaks}
    xs, ys = [], []
    for index, values in series.values:
        if index in cuts:
            xs.append(math.nan)
            ys.append(math.nan)
        xs.append(float(index))
        ys.append(float(np.median(values)))
    shown = [y if math.isfinite(y) else math.nan for y in ys]
    axes.plot(xs, shown, color=POINTS, lw=1.7, marker="o", ms=4.4, mec="none")


def _scale(axes: Axes, series: _Series) -> None:
    low, high = float(series.finite.min()), float(series.finite.max())
    if series.floor is not None:
        low, high = min(low, series.floor.median), max(high, series.floor.upper)
    factor = 10.0 ** series.exponent
    if low > 0 and high > 8 * low:
        axes.set_yscale("log")
        if high < 100 * low:
            axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    elif low <= 0 and series.floor is not None and high > 20 * series.floor.upper > 0:
        axes.set_yscale("symlog", linthresh=series.floor.upper, linscale=0.8)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: number(y * factor, 2)))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(True, axis="y", color=GREY, alpha=0.18, lw=0.6)
    scale = f" × {power(series.exponent)}" if series.exponent else ""
    axes.set_ylabel(series.metric + scale)


def _failed(axes: Axes, series: _Series) -> None:
    """A cross at the upper edge with the number of seeds that failed."""
    for index, values in series.values:
        if lost := int(np.sum(~np.isfinite(values))):
            axes.text(index, 0.99, f"✕{lost}", transform=axes.get_xaxis_transform(), ha="center",
                      va="top", fontsize=7.5, color=TINTS[Verdict.WORSE])


def _changes(axes: Axes, changes: Sequence[ChangePoint]) -> None:
    at: dict[float, list[ChangePoint]] = {}
    for change in changes:
        at.setdefault((change.after + change.at) / 2, []).append(change)
    for x, some in at.items():
        axes.axvline(x, color=TINTS[some[0].verdict], lw=1.5)
        words = [f"{ARROWS[c.verdict]} {c.verdict} ({c.what})" if c.what == "cost" else
                 f"{ARROWS[c.verdict]} {c.verdict}" for c in some]
        for row, (word, change) in enumerate(zip(words, some, strict=True)):
            axes.annotate(word, (x, 1.0), (0, 3 + 10 * row), xycoords=axes.get_xaxis_transform(),
                          textcoords="offset points", ha="center", va="bottom", fontsize=8,
                          color=TINTS[change.verdict], annotation_clip=False)


def _ticks(axes: Axes, entries: Sequence[Entry]) -> None:
    axes.set_xlim(-0.5, len(entries) - 0.5)
    few = len(entries) <= FEW_LABELS
    shown = range(0, len(entries), math.ceil(len(entries) / MOST_LABELS))
    words = [f"{entries[i].commit}\n{entries[i].date}" if few else
             f"{entries[i].commit} {entries[i].date[5:]}" for i in shown]
    axes.set_xticks(list(shown), words, rotation=0 if few else 55, fontsize=7.5,
                    ha="center" if few else "right", rotation_mode="anchor")
    if few:
        axes.tick_params(axis="x", pad=10)


def _alt(entries: Sequence[Entry], name: Name, series: _Series, changes: Sequence[ChangePoint],
         breaks: Sequence[Break]) -> str:
    factor = 10.0 ** series.exponent
    scale = f" times {power(series.exponent)}" if series.exponent else ""
    medians = ", ".join(number(float(np.median(v)) * factor, 2) for _, v in series.values)
    said = [f"{c.what} {c.verdict} at {entries[c.at].commit}" for c in changes]
    said += [f"not comparable across {entries[b.at].commit}" for b in breaks]
    return (f"{name[0]} on {name[1]}: median {series.metric}{scale} over "
            f"{plural(len(series.values), 'entry').replace('entrys', 'entries')}: {medians}. "
            f"{'; '.join(said) or 'No change point'}.")
