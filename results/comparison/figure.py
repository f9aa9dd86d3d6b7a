"""The critical-difference figure: mean ranks over targets, and which cannot be told apart."""

from __future__ import annotations

import math
from typing import Any

from results.comparison.alignment import Field
from results.comparison.findings import Judgement
from results.presentation.drawing import Axes, Figure, drawn
from results.presentation.figures import Image, svg
from results.presentation.palette import COLOURS, GLYPHS, GREY, MARKERS, colour, marker
from results.presentation.table import listing, number, plural, slug

WIDTH = 4.6
ROW = 0.27
BAR: Any = {"color": GREY, "lw": 3.0, "solid_capstyle": "butt"}


def tint(field: Field, label: str) -> str:
    """The sampler's colour: its own in one run's report, by its place where runs are mixed."""
    if len(field.runs) == 1:
        return colour(field.scores.run, label)
    return COLOURS[field.labels.index(label) % len(COLOURS)]


def shape(field: Field, label: str) -> str:
    """The sampler's marker, chosen like its colour."""
    if len(field.runs) == 1:
        return marker(field.scores.run, label)
    place = field.labels.index(label)
    # Beyond twelve the colours come again, with other markers.
    return MARKERS[(place + place // len(COLOURS)) % len(MARKERS)]


def sign(field: Field, label: str) -> str:
    """The sampler's marker as a character."""
    return GLYPHS.get(shape(field, label), "–")


def joined(found: Judgement) -> list[tuple[str, ...]]:
    """Largest runs of neighbours whose mean ranks lie within the critical difference."""
    names = [x for x in found.order if x in found.mean_ranks]
    runs: list[tuple[str, ...]] = []
    for i, first in enumerate(names):
        run = tuple(x for x in names[i:]
                    if found.mean_ranks[x] - found.mean_ranks[first] <= found.distance + 1e-9)
        if len(run) > 1 and not (runs and runs[-1][-1] == run[-1]):
            runs.append(run)
    return runs


def mean_rank_figure(field: Field, found: Judgement, key: str, title: str) -> Image | None:
    """A row a sampler: mean rank with half a critical difference to each side.

    Vertical bars join samplers whose mean ranks differ by no more than the critical difference.
    None below two targets or three samplers.
    """
    names = [x for x in found.order if x in found.mean_ranks]
    if len(names) < 3 or not math.isfinite(found.distance):
        return None
    alt = _alt(found, names, title)
    with drawn():
        figure = Figure(figsize=(WIDTH, ROW * len(names) + 0.95), layout="constrained")
        axes = figure.add_subplot()
        for y, name in enumerate(names):
            x, half = found.mean_ranks[name], found.distance / 2
            axes.plot([x - half, x + half], [y, y], color=tint(field, name), lw=1.2, alpha=0.55)
            axes.plot(x, y, marker=shape(field, name), color=tint(field, name), ms=6.5, mec="none")
        _groups(axes, found, names)
        _axes(axes, found, names)
        return Image(svg(figure, slug("cd", key), alt), alt, title)


def _groups(axes: Axes, found: Judgement, names: list[str]) -> None:
    runs = joined(found)
    right = len(names) + found.distance / 2 + 0.3
    step = min(0.035, 0.3 / max(len(runs), 1)) * (len(names) + found.distance)
    for i, run in enumerate(runs):
        ends = [names.index(run[0]) - 0.25, names.index(run[-1]) + 0.25]
        axes.plot([right + i * step] * 2, ends, **BAR)
    axes.set_xlim(1 - found.distance / 2 - 0.2, right + step * max(len(runs) - 0.5, 0.5))


def _axes(axes: Axes, found: Judgement, names: list[str]) -> None:
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
    axes.plot([1, 1 + found.distance], [-0.95, -0.95], color=GREY, lw=1.2, marker="|", ms=6)
    axes.text(1 + found.distance / 2, -0.72, f"critical difference {number(found.distance, 2)}",
              ha="center", va="top", fontsize=8)


def _alt(found: Judgement, names: list[str], title: str) -> str:
    ranks = ", ".join(f"{x} {number(found.mean_ranks[x], 2)}" for x in names)
    groups = "; ".join(listing(run) for run in joined(found)) or "none"
    return (f"Mean ranks by {title} over {plural(len(found.targets), 'target')}, 1 is best: "
            f"{ranks}. Critical difference {number(found.distance, 2)}. "
            f"Not told apart: {groups}.")
