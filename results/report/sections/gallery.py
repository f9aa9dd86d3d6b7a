"""The gallery: final samples over contours of the density, sampler by target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from results.presentation.blocks import Block, Figures, Paragraph, Part
from results.presentation.drawing import Figure, drawn
from results.presentation.figures import Image, png
from results.presentation.palette import GREY, colour
from results.presentation.table import plural
from results.records.frames import Scores
from results.records.run_folder import Run, arrays
from results.records.schema import Job
from results.report.section import Section

#: Contours hold these shares of the density's mass within the grid.
MASSES = (0.99, 0.9, 0.5)
SHOWN = 1000


@dataclass(frozen=True)
class Grid:
    """A density on a grid, the window it spans and the levels of its contours."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    density: NDArray[np.float64]
    levels: tuple[float, ...]


def grid(run: Run, target: str) -> Grid | None:
    """The stored grid of a target with contour levels by mass; None where there is none."""
    data = arrays(run, "density", target)
    if data is None or not {"x", "y", "log_prob"} <= data.keys():
        return None
    log_prob = np.nan_to_num(data["log_prob"].astype(np.float64), nan=-np.inf)
    density = np.exp(np.maximum(log_prob - log_prob.max(), -80.0))
    ordered = np.sort(density.ravel())[::-1]
    mass = np.cumsum(ordered) / ordered.sum()
    levels = [float(ordered[min(int(np.searchsorted(mass, m)), len(ordered) - 1)])
              for m in MASSES]
    return Grid(data["x"].astype(float), data["y"].astype(float), density,
                tuple(sorted(set(levels))))


def panel(run: Run, job: Job, back: Grid) -> Image | None:
    """One job's points over the contours, as a small PNG; None where no points are kept."""
    data = arrays(run, "samples", job.key)
    if data is None or "points" not in data or data["points"].ndim != 2:
        return None
    cloud = data["points"]
    if cloud.shape[1] != 2 or not len(cloud):
        return None
    inside = ((cloud[:, 0] >= back.x[0]) & (cloud[:, 0] <= back.x[-1])
              & (cloud[:, 1] >= back.y[0]) & (cloud[:, 1] <= back.y[-1]))
    outside = len(cloud) - int(inside.sum())
    picture = _png(cloud[inside][:SHOWN], back, colour(run, job.label))
    shown = min(int(inside.sum()), SHOWN)
    alt = (f"{plural(shown, 'point')} of {job.label} on {job.target}, seed {job.seed}, over "
           f"contours of the density; {outside} of {len(cloud)} lie outside the window")
    beyond = f", {outside} of {len(cloud)} outside" if outside else ""
    status = "" if job.status == "ok" else f" ({job.status})"
    return Image(picture, alt, f"{job.label}{status}{beyond}",
                 job.label)


def _png(cloud: NDArray[Any], back: Grid, tint: str) -> str:
    with drawn():
        figure = Figure(figsize=(1.9, 1.9), dpi=110)
        axes = figure.add_axes((0.01, 0.01, 0.98, 0.98))
        axes.contour(back.x, back.y, back.density, levels=back.levels, colors=GREY,
                     linewidths=0.7, alpha=0.9)
        axes.scatter(cloud[:, 0], cloud[:, 1], s=2.2, color=tint, alpha=0.55, linewidths=0)
        axes.set(xlim=(back.x[0], back.x[-1]), ylim=(back.y[0], back.y[-1]), xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set_visible(False)
        return png(figure)


def rows(run: Run) -> list[tuple[str, list[Image]]]:
    """Panels of each target, one a sampler: the first seed that left points."""
    found = []
    order = [*(x for x in run.labels if run.sampler(x)["name"] == "exact"), *run.ranked]
    for target in run.targets:
        back = grid(run, target)
        if back is None:
            continue
        images = []
        for label in order:
            jobs = sorted(run.of(label, target), key=lambda j: (j.status != "ok", j.seed))
            image = next((i for j in jobs if (i := panel(run, j, back))), None)
            if image is not None:
                images.append(image)
        if images:
            found.append((target, images))
    return found


def _blocks(scores: Scores) -> list[Block]:
    found = rows(scores.run)
    if not found:
        return [Paragraph("No samples over a density grid are stored in this folder.")]
    return [Paragraph(ABOUT), *(Part(target, (Figures(tuple(images), "gallery"),))
                                for target, images in found)]


ABOUT = (
    "Final samples (at most 1,000 points, the first seed that left any) over contours that hold "
    "50, 90 and 99 % of the density's mass. The first panel, exact, shows exact samples where "
    "they can be drawn. Points outside the window are counted, not drawn.")
SECTION = Section("gallery", "Gallery", _blocks)
