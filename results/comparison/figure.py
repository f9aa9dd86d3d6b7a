"""The critical-difference figure: mean ranks over targets, and which are indistinguishable."""

from __future__ import annotations

import math
from typing import Any

from results.comparison.alignment import AlignedRuns
from results.comparison.findings import Findings
from results.presentation.drawing import Axes, Figure, drawn
from results.presentation.figures import Image, svg
from results.presentation.palette import COLOURS, GLYPHS, GREY, MARKERS, colour, marker
from results.presentation.table import listing, number, plural, slug

WIDTH = 4.6
ROW = 0.27
BAR: Any = {"color": GREY, "lw": 3.0, "solid_capstyle": "butt"}


def colour_of(aligned: AlignedRuns, label: str) -> str:
    """The sampler's colour: its own in one run's report, by its index where runs are mixed."""
    if len(aligned.runs) == 1:
        return colour(aligned.scores.run, label)
    return COLOURS[aligned.labels.index(label) % len(COLOURS)]


def marker_of(aligned: AlignedRuns, label: str) -> str:
    """The sampler's marker, chosen like its colour."""
    if len(aligned.runs) == 1:
        return marker(aligned.scores.run, label)
    index = aligned.labels.index(label)
    # Beyond twelve the colours come again, with other markers.
    return MARKERS[(index + index // len(COLOURS)) % len(MARKERS)]


def glyph_of(aligned: AlignedRuns, label: str) -> str:
    """The sampler's marker as a character."""
    return GLYPHS.get(marker_of(aligned, label), "–")


def joined(found: Findings) -> list[tuple[str, ...]]:
    """Largest runs of neighbours whose mean ranks lie within the critical difference."""
    names = [x for x in found.order if x in found.mean_ranks]
    runs: list[tuple[str, ...]] = []
    reach = found.critical_difference + 1e-9
    for i, first in enumerate(names):
        run = tuple(x for x in names[i:] if found.mean_ranks[x] - found.mean_ranks[first] <= reach)
        if len(run) > 1 and not (runs and runs[-1][-1] == run[-1]):
            runs.append(run)
    return runs


def mean_rank_figure(aligned: AlignedRuns, found: Findings, key: str, title: str) -> Image | None:
    """A row a sampler: mean rank with half a critical difference to each side.

    Vertical bars join samplers whose mean ranks differ by no more than the critical difference.
    None below two targets or three samplers.
    """
    names = [x for x in found.order if x in found.mean_ranks]
    if len(names) < 3 or not math.isfinite(found.critical_difference):
        return None
    alt = _alt(found, names, title)
    with drawn():
        figure = Figure(figsize=(WIDTH, ROW * len(names) + 0.95), layout="constrained")
        axes = figure.add_subplot()
        for y, name in enumerate(names):
            x, half = found.mean_ranks[name], found.critical_difference / 2
            own, sign = colour_of(aligned, name), marker_of(aligned, name)
            axes.plot([x - half, x + half], [y, y], color=own, lw=1.2, alpha=0.55)
            axes.plot(x, y, marker=sign, color=own, ms=6.5, mec="none")
        _groups(axes, found, names)
        _axes(axes, found, names)
        return Image(svg(figure, slug("cd", key), alt), alt, title)


def _groups(axes: Axes, found: Findings, names: list[str]) -> None:
    runs, width = joined(found), found.critical_difference
    right = len(names) + width / 2 + 0.3
    step = min(0.035, 0.3 / max(len(runs), 1)) * (len(names) + width)
    for i, run in enumerate(runs):
        ends = [names.index(run[0]) - 0.25, names.index(run[-1]) + 0.25]
        axes.plot([right + i * step] * 2, ends, **BAR)
    axes.set_xlim(1 - width / 2 - 0.2, right + step * max(len(runs) - 0.5, 0.5))


def _axes(axes: Axes, found: Findings, names: list[str]) -> None:
    axes.set_ylim(len(names) - 0.4, -1.5)
    axes.set_yticks(range(len(names)), names)
    axes.set_xticks(range(1, len(names) + 1, math.ceil(len(names) / 10)))
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel(f"mean rank over {plural(len(found.targets), 'target')} (1 is best)")
    axes.tick_params(axis="y", length=0)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.spines["top"].set_visible(True)
    axes.spines["top"].set_bounds(1, len(names))
    axes.grid(True, axis="x", color=GREY, alpha=0.18, lw=0.6)
    # The scale stands in a row of its own above the first sampler.
    width = found.critical_difference
    axes.plot([1, 1 + width], [-0.95, -0.95], color=GREY, lw=1.2, marker="|", ms=6)
    axes.text(1 + width / 2, -0.72, f"critical difference {number(width, 2)}", ha="center",
              va="top", fontsize=8)


def _alt(found: Findings, names: list[str], title: str) -> str:
    ranks = ", ".join(f"{x} {number(found.mean_ranks[x], 2)}" for x in names)
    groups = "; ".join(listing(run) for run in joined(found)) or "none"
    return (f"Mean ranks by {title} over {plural(len(found.targets), 'target')}, 1 is best: "
            f"{ranks}. Critical difference {number(found.critical_difference, 2)}. "
            f"Statistically indistinguishable: {groups}.")
