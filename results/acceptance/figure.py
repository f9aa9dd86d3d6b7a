"""One figure of a run: quality against total cost, and what n points cost, target by target.

Two panels a target. Above: quality against the cost of training and draw at every checkpoint,
each seed and the median, with the floor as a band and the ceiling dotted. Below: total cost of n
fresh points. Rivals that are no worse than the sampler are drawn solid, from their first
checkpoint that is as good as its end; worse ones dotted, their whole run. Where the sampler
becomes the cheapest of the solid lines is its break-even, marked and written above
(``results.comparison.break_even``).
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from bench.core.errors import ReportError
from results.comparison.break_even import GRID, Case, case, whole_price
from results.presentation.curves import draw_curves
from results.presentation.drawing import (
    Axes,
    Figure,
    FuncFormatter,
    Line2D,
    LogLocator,
    NullFormatter,
    drawn,
    salted,
)
from results.presentation.palette import GREY, colour, marker
from results.records.frames import Scores
from results.records.leading import primary
from results.records.prices import SECONDS
from results.records.run_folder import Run

COLUMNS = 4
#: Inches of a target's two panels.
WIDTH, HEIGHT = 2.9, 4.5
FORMATS = (".png", ".svg", ".pdf")


def save_figure(run: Run, sampler: str, path: Path) -> None:
    """Write the figure to a file; ReportError for an unknown kind of file."""
    if path.suffix not in FORMATS:
        raise ReportError(f"a figure ends in {', '.join(FORMATS)}, not '{path.name}'")
    if not path.parent.is_dir():
        raise ReportError(f"'{path}' cannot be written: there is no folder '{path.parent}'")
    with drawn(), salted("acceptance"):
        undated = {"Date": None} if path.suffix == ".svg" else None
        figure_of(run, sampler).savefig(path, dpi=100, facecolor="white", metadata=undated)


def figure_of(run: Run, sampler: str) -> Figure:
    """The sampler and all others of the run; ReportError where nothing can be drawn."""
    scores = Scores(run)
    metric = primary(scores)
    shown = [t for t in run.targets if scores.curve(sampler, t, metric)]
    if not shown:
        raise ReportError(f"the run has no {metric} of {sampler} to draw")
    bands = math.ceil((len(shown) + 1) / COLUMNS)  # a place more, for the legend
    with drawn():
        figure = Figure(figsize=(COLUMNS * WIDTH, bands * HEIGHT), layout="constrained")
        grid = figure.subplots(2 * bands, COLUMNS, squeeze=False)
        for i in range(bands * COLUMNS):
            above, below = grid[2 * (i // COLUMNS):, i % COLUMNS][:2]
            if i >= len(shown):
                above.set_axis_off()
                below.set_axis_off()
                continue
            draw_curves(above, scores, shown[i], metric, SECONDS)
            above.set_title(shown[i], weight="bold", fontsize=10)
            _prices(below, scores, case(scores, sampler, shown[i], metric, SECONDS, True))
        figure.legend(handles=_legend(run), loc="lower right", frameon=False, fontsize=10)
    return figure


def _prices(axes: Axes, scores: Scores, found: Case) -> None:
    """Cost of n points from each sampler of the run, and the break-even."""
    for label in scores.run.ranked:
        tint, equal = colour(scores.run, label), label in found.rivals or label == found.label
        price = (found.mine if label == found.label else found.rivals.get(label)
                 or whole_price(scores, label, found.target, found.unit))
        if price is not None:
            axes.loglog(GRID, price.cost(GRID), color=tint, lw=1.7 if equal else 1.0,
                        ls="solid" if equal else (0, (1, 2)))
    if found.found.kind == "n" and found.mine is not None:
        at = GRID[GRID == found.found.n]
        axes.plot(at, found.mine.cost(at), "o", ms=7, mfc="none", mew=1.5,
                  color=colour(scores.run, found.label))
    axes.set_title(caption(found), fontsize=8.5)
    axes.set_ylabel("seconds for n points")
    axes.set_xlabel("n")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(True, axis="y", color=GREY, alpha=0.18, lw=0.6)


def caption(found: Case) -> str:
    """The break-even in two lines."""
    words = replace(found.found, extrapolated=False).words()
    first = f"break-even: {words}" + (" points" if found.found.kind == "n" else "")
    if not found.rivals:
        return first
    return (f"{first}\nagainst {found.best_rival()}"
            + (" (extrapolated)" if found.found.extrapolated else ""))


def _legend(run: Run) -> list[Line2D]:
    lines = [Line2D([], [], color=colour(run, x), marker=marker(run, x), lw=1.7, label=x)
             for x in run.ranked]
    return [*lines, Line2D([], [], color=GREY, lw=6, alpha=0.3, label="exact samples, 95 %"),
            Line2D([], [], color=GREY, lw=1, ls=(0, (1, 2)), label="ceiling; a worse rival")]
