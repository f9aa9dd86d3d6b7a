"""Distributions drawn: pair plots of marginals, histograms, and the values of a metric over seeds.

Grey is the reference throughout: exact samples, or the null distribution of a metric.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bench.core.types import Array
from results.presentation.drawing import Axes, Figure, FuncFormatter, drawn, seaborn
from results.presentation.figures import Image, png, svg
from results.presentation.palette import GREY
from results.presentation.table import number, slug
from results.statistics.null_distribution import band

#: Points a pair plot shows, coordinates it shows, and bins of every histogram.
SHOWN, COORDINATES, BINS = 400, 3, 40
#: Up to so many seeds each is a point; more are their median and the interval that holds nine in
#: ten, which no scale of the axis distorts (the density of a violin would depend on it).
POINTS_TO = 12


@dataclass(frozen=True)
class Drawn:
    """What one sampler left: numbers, shape (n,) or (n, d), and the colour they are drawn in."""

    values: Array
    colour: str


def pair_plot(cloud: Drawn, reference: Array | None) -> str:
    """A PNG as a data address: marginals on the diagonal, pairs of coordinates below it.

    ``cloud.values`` and ``reference`` are points, shapes (n, d) and (m, d), d > 2; the first
    ``COORDINATES`` coordinates are shown, within the window of the reference where there is one.
    """
    ends = np.quantile(cloud.values if reference is None else reference, (0.001, 0.999), axis=0)
    margin = 0.15 * (ends[1] - ends[0]) + 1e-9
    window = np.stack([ends[0] - margin, ends[1] + margin])
    with drawn():
        figure = Figure(figsize=(2.3, 2.3), dpi=100)
        grid = figure.subplots(COORDINATES, COORDINATES)
        figure.subplots_adjust(0.01, 0.01, 0.99, 0.99, wspace=0.06, hspace=0.06)
        for row in range(COORDINATES):
            for column in range(COORDINATES):
                _pair(grid[row][column], row, column, cloud, reference, window)
        return png(figure)


def _pair(axes: Axes, row: int, column: int, cloud: Drawn, reference: Array | None,
          window: Array) -> None:
    """One square of a pair plot; those above the diagonal stay empty."""
    if column > row:
        axes.set_axis_off()
        return
    layers = [(reference, GREY)] if reference is not None else []
    layers.append((cloud.values, cloud.colour))
    for i, (points, tint) in enumerate(layers):
        below = i < len(layers) - 1
        if row == column:
            seaborn.histplot(x=points[:, row], bins=BINS, binrange=tuple(window[:, row]), ax=axes,
                             stat="density", element="step", fill=below, color=tint, lw=0.8,
                             alpha=0.4 if below else 1.0)
        else:
            axes.scatter(points[:SHOWN, column], points[:SHOWN, row], s=1.2, color=tint,
                         alpha=0.5, linewidths=0)
            axes.set_ylim(*window[:, row])
    axes.set(xlim=tuple(window[:, column]), xticks=[], yticks=[], xlabel="", ylabel="")


def histogram(key: str, title: str, target: str, found: Mapping[str, Drawn],
              reference: Array | None) -> Image:
    """Densities of one number a point, a line a sampler; the reference is filled.

    The window is the reference's, or that of all values without one; what lies beyond stands in
    the outermost bins.
    """
    pooled = np.concatenate([d.values for d in found.values()]) if reference is None else reference
    low, high = np.quantile(pooled, (0.001, 0.999))
    low, high = low - 0.25 * (high - low), high + 0.5 * (high - low) + 1e-9
    settings = {"bins": BINS, "binrange": (low, high), "stat": "density", "element": "step"}
    with drawn():
        figure = Figure(figsize=(4.3, 2.6), layout="constrained")
        axes = figure.add_subplot()
        if reference is not None:
            seaborn.histplot(x=np.clip(reference, low, high), ax=axes, color=GREY, alpha=0.3,
                             lw=0, **settings)
        for label, drawing in found.items():
            seaborn.histplot(x=np.clip(drawing.values, low, high), ax=axes, fill=False, lw=1.2,
                             color=drawing.colour, **settings)
            axes.lines[-1].set_gid(f"of-{slug(label)}-{key}")
        axes.set(xlabel=title, ylabel="density", xlim=(low, high))
        medians = ", ".join(f"{x} {number(float(np.median(d.values)))}" for x, d in found.items())
        exact = ("" if reference is None else
                 f"; exact samples {number(float(np.median(reference)))}")
        alt = f"Histogram of {title} on {target}. Medians: {medians}{exact}."
        return Image(svg(figure, slug("h", key, target), alt), alt, target)


def over_seeds(key: str, title: str, target: str, found: Mapping[str, Drawn],
               floor: Array | None, factor: float) -> Image:
    """A metric's values over seeds, a line a sampler; the band holds 95 % of the floor's draws.

    ``factor`` is the power of ten by which the report shows the metric.
    """
    with drawn():
        figure = Figure(figsize=(4.3, 0.75 + 0.2 * len(found)), layout="constrained")
        axes = figure.add_subplot()
        if floor is not None:
            low, mid, high = band(floor)
            axes.axvspan(low, high, color=GREY, alpha=0.22, lw=0)
            axes.axvline(mid, color=GREY, lw=0.8)
        _seeds(axes, found)
        _value_axis(axes, found, floor, factor)
        axes.set(xlabel=title, ylabel="")
        axes.tick_params(axis="y", length=0)
        parts = "; ".join(f"{x} {number(float(d.values.min()) * factor, 2)} to "
                          f"{number(float(d.values.max()) * factor, 2)}" for x, d in found.items())
        alt = f"{title} of single seeds on {target}, least to largest: {parts}."
        return Image(svg(figure, slug("s", key, target), alt), alt, target)


def _seeds(axes: Axes, found: Mapping[str, Drawn]) -> None:
    values = np.concatenate([d.values for d in found.values()])
    names = [name for name, d in found.items() for _ in d.values]
    shared = {"x": values, "y": names, "hue": names, "ax": axes, "legend": False,
              "palette": {name: d.colour for name, d in found.items()}}
    if max(len(d.values) for d in found.values()) <= POINTS_TO:
        seaborn.stripplot(jitter=False, size=4.5, alpha=0.75, **shared)
    else:
        seaborn.pointplot(estimator="median", errorbar=("pi", 90), linestyle="none", markersize=4,
                          err_kws={"linewidth": 1.4}, **shared)


def _value_axis(axes: Axes, found: Mapping[str, Drawn], floor: Array | None,
                factor: float) -> None:
    """Logarithmic where all values are positive, and linear within the floor where not."""
    least, most = (float(end(np.concatenate([d.values for d in found.values()])))
                   for end in (np.min, np.max))
    if least > 0:
        axes.set_xscale("log")
    elif floor is not None:
        low, _, high = band(floor)
        axes.set_xscale("symlog", linthresh=max(high, 1e-12))
        axes.set_xlim(1.3 * min(least, low), 1.6 * max(most, high))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: number(x * factor, 1)))
