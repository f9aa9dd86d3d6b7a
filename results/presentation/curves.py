"""Quality against cost on one target: every seed, the median, and the floor as a band."""

from __future__ import annotations

import re
from collections import Counter

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
from results.presentation.palette import GREY, colour, marker
from results.presentation.scale import exponent
from results.presentation.table import count, duration, number, power, slug
from results.records.frames import Point, Scores
from results.records.prices import EVALUATIONS, amount
from results.statistics.null_distribution import band

SIZE = (4.3, 3.1)


def _short(rows: float) -> str:
    return re.sub(r"\.0+(?=\D|$)", "", count(rows))


def _seed_lines(points: tuple[Point, ...], unit: str) -> dict[int, Array]:
    lines: dict[int, list[tuple[float, float]]] = {}
    for point in points:
        for seed, value in zip(point.score.seeds, point.score.values, strict=True):
            lines.setdefault(seed, []).append((amount(point.spent[seed], unit), value))
    return {seed: np.array(line) for seed, line in lines.items()}


def _median_line(points: tuple[Point, ...], unit: str) -> Array:
    return np.array([(np.median([amount(p.spent[s], unit) for s in p.score.seeds]),
                      np.median(p.score.values)) for p in points])


def _draw_sampler(axes: Axes, scores: Scores, label: str, points: tuple[Point, ...],
                  unit: str) -> None:
    tint, gid = colour(scores.run, label), f"of-{slug(label)}-"
    faint = 0.25 if scores.run.crowded else 0.55
    dash = (0, (4, 2)) if scores.anneals(label) else "solid"
    died = {job.seed for job in scores.run.of(label, points[0].score.target)
            if job.status != "ok"}
    for seed, line in _seed_lines(points, unit).items():
        axes.plot(*line.T, color=tint, lw=0.6, alpha=faint, ls=dash, gid=f"{gid}{seed}")
        if seed in died:
            axes.plot(*line[-1], color=tint, marker="x", ms=8, mew=2, gid=f"{gid}{seed}-end")
    axes.plot(*_median_line(points, unit).T, color=tint, lw=1.7, ls=dash, gid=f"{gid}median",
              marker=marker(scores.run, label), ms=4.2, mec="none")


def _scale_axes(axes: Axes, scores: Scores, metric: str, floor: Array | None, unit: str) -> None:
    axes.set_xscale("log")
    left, right = axes.get_xlim()
    subs = (1.0, 2.0, 5.0) if right < 40 * left else (1.0,)
    axes.xaxis.set_major_locator(LogLocator(subs=subs))
    axes.xaxis.set_major_formatter(FuncFormatter(
        lambda x, _: _short(x) if unit == EVALUATIONS else f"{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    low, high = float(axes.dataLim.ymin), float(axes.dataLim.ymax)
    if low > 0:
        axes.set_yscale("log")
        if high < 30 * low:
            axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    elif scores.run.metric(metric)["signed"] and floor is not None:
        axes.set_yscale("symlog", linthresh=max(band(floor)[2], 1e-12), linscale=0.8)
        axes.set_ylim(1.25 * low, 1.6 * high)
    factor = 10.0 ** exponent(scores, metric)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: number(y * factor, 1)))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(True, axis="y", color=GREY, alpha=0.18, lw=0.6)


def draw_curves(axes: Axes, scores: Scores, target: str, metric: str, unit: str) -> Array | None:
    """Quality against what was spent, every seed and the median; the floor's draws, if known."""
    run, curves = scores.run, _curves(scores, target, metric)
    floor = run.draws.get((target, metric, _usual(curves)))
    for label, points in curves.items():
        _draw_sampler(axes, scores, label, points, unit)
    if floor is not None:
        low, mid, high = band(floor)
        axes.axhspan(low, high, color=GREY, alpha=0.22, lw=0)
        axes.axhline(mid, color=GREY, lw=0.8)
    for label in (x for x in run.labels if run.sampler(x)["name"] == "initial"):
        if ceiling := scores.curve(label, target, metric):
            axes.axhline(float(np.median(ceiling[-1].score.values)), color=GREY, lw=1,
                         ls=(0, (1, 2)))
    _scale_axes(axes, scores, metric, floor, unit)
    scale, title = exponent(scores, metric), str(run.metric(metric)["title"])
    axes.set_ylabel(title + (f" × {power(scale)}" if scale else ""))
    axes.set_xlabel(f"{unit}, training and draw")
    return floor


def _curves(scores: Scores, target: str, metric: str) -> dict[str, tuple[Point, ...]]:
    """The looks of each sampler that has any."""
    return {x: p for x in scores.run.ranked if (p := scores.curve(x, target, metric))}


def _usual(curves: dict[str, tuple[Point, ...]]) -> int:
    """The number of points at which most samplers' curves were judged."""
    return Counter(p[-1].score.n for p in curves.values()).most_common(1)[0][0]


def curve(scores: Scores, target: str, metric: str, unit: str) -> Image | None:
    """Quality against cost on one target, with the floor as a band."""
    curves = _curves(scores, target, metric)
    if not curves:
        return None
    with drawn():
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.add_subplot()
        floor = draw_curves(axes, scores, target, metric, unit)
        alt = _alt(scores, target, metric, unit, curves, floor)
        fewer = ", ".join(f"{x}: n = {p[-1].score.n}" for x, p in curves.items()
                          if p[-1].score.n != _usual(curves))
        caption = f"{target} ({fewer})" if fewer else target
        return Image(svg(figure, slug("c", metric, unit, target), alt), alt, caption)


def _alt(scores: Scores, target: str, metric: str, unit: str,
         curves: dict[str, tuple[Point, ...]], floor: Array | None) -> str:
    title = scores.run.metric(metric)["title"]
    factor = 10.0 ** exponent(scores, metric)
    scale = f" times {power(exponent(scores, metric))}" if factor != 1 else ""
    parts = []
    for label, points in curves.items():
        line = _median_line(points, unit)
        ends = " to ".join(number(v * factor, 2) for v in (line[0, 1], line[-1, 1]))
        spent = count(line[-1, 0]) if unit == EVALUATIONS else duration(line[-1, 0])
        parts.append(f"{label} from {ends} at {spent}")
    text = f"{title}{scale} against {unit} on {target}, medians over seeds: " + "; ".join(parts)
    if floor is not None:
        low, _, high = (number(v * factor, 2) for v in band(floor))
        text += f". Floor of exact samples: {low} to {high}"
    return text + "."
