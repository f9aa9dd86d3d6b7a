"""Distributions: the leading metric over seeds; energies, distances and marginals of samples."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from bench.core.types import Array
from results.presentation.blocks import Block, Figures, Paragraph, Part
from results.presentation.distributions import COORDINATES, SHOWN, Drawn
from results.presentation.distributions import histogram as draw_histogram
from results.presentation.distributions import over_seeds as draw_over_seeds
from results.presentation.distributions import pair_plot as draw_pairs
from results.presentation.figures import Image
from results.presentation.palette import GREY, colour
from results.presentation.scale import exponent
from results.presentation.table import power
from results.records.frames import Scores
from results.records.leading import primary
from results.records.run_folder import Run, arrays
from results.report.section import Section
from results.report.sections.curves import legend

Samples = dict[str, Array]


def final_samples(run: Run, label: str, target: str) -> Samples | None:
    """Finite final points of the first seed that left any, shape (n, d), and their energies (n,).

    Energies are absent where the run did not store them. None where no points are kept.
    """
    for job in sorted(run.of(label, target), key=lambda j: (j.status != "ok", j.seed)):
        data = arrays(run, "samples", job.key) or {}
        points = data.get("points")
        if points is None or points.ndim != 2:
            continue
        kept = np.isfinite(points).all(axis=1)
        if kept.any():
            return {name: np.asarray(data[name], dtype=np.float64)[kept]
                    for name in ("points", "energy") if name in data}
    return None


def distances(points: Array) -> Array:
    """Distances between the points of disjoint pairs, shape (n // 2,)."""
    half = len(points) // 2
    return np.asarray(np.linalg.norm(points[:half] - points[half:2 * half], axis=1))


def energies(samples: Samples) -> Array:
    """Finite energies, shape (at most n,); empty where none are stored."""
    found = samples.get("energy", np.empty(0))
    return found[np.isfinite(found)]


class _OnTarget:
    """What each sampler left on one target, and the reference: what row ``exact`` left."""

    def __init__(self, run: Run, target: str) -> None:
        self.run, self.target = run, target
        found = {x: final_samples(run, x, target) for x in run.ranked}
        self.samples = {x: s for x, s in found.items() if s}
        exact = next((x for x in run.labels if run.sampler(x)["name"] == "exact"), None)
        self.reference = final_samples(run, exact, target) if exact else None

    def histogram(self, key: str, title: str) -> Image | None:
        """Energies or distances of every sampler; None where none are known."""
        take = energies if key == "energy" else lambda s: distances(s["points"])
        found = {x: Drawn(v, colour(self.run, x)) for x, s in self.samples.items()
                 if len(v := take(s)) > 1}
        known = None if self.reference is None else take(self.reference)
        known = None if known is None or len(known) < 2 else known
        return draw_histogram(key, title, self.target, found, known) if found else None

    def pairs(self) -> list[Image]:
        """A pair plot a sampler, for targets of more than two dimensions."""
        known = None if self.reference is None else self.reference["points"]
        grey = ", grey: exact samples" if known is not None else ""
        return [Image(draw_pairs(Drawn(s["points"], colour(self.run, x)), known),
                      f"Pair plot of {x} on {self.target}, coordinates 1 to {COORDINATES}{grey}",
                      x, x)
                for x, s in self.samples.items() if s["points"].shape[1] >= COORDINATES]


def _over_seeds(scores: Scores, target: str, metric: str) -> Image | None:
    """Values of single seeds; None where no sampler has two."""
    run, factor = scores.run, 10.0 ** exponent(scores, metric)
    results = {x: r for x in run.labels
               if x in run.ranked or run.sampler(x)["name"] in ("exact", "initial")
               if (r := scores.final(x, target, metric)) is not None}
    if max((len(r.values) for r in results.values()), default=0) < 2:
        return None
    usual = Counter(r.n for r in results.values()).most_common(1)[0][0]
    found = {x if r.n == usual else f"{x} (n = {r.n})":
             Drawn(np.asarray(r.values), colour(run, x) if x in run.ranked else GREY)
             for x, r in results.items()}
    title = str(run.metric(metric)["title"])
    title += f" × {power(exponent(scores, metric))}" if factor != 1 else ""
    floor = run.draws.get((target, metric, usual))
    return draw_over_seeds(metric, title, target, found, floor, factor)


def _blocks(scores: Scores) -> list[Block]:
    run, metric = scores.run, primary(scores)
    seeds = [i for t in run.targets if (i := _over_seeds(scores, t, metric))]
    held = [_OnTarget(run, t) for t in run.targets]
    drawn = [i for key, title in HISTOGRAMS for t in held if (i := t.histogram(key, title))]
    pairs = [(t.target, images) for t in held if (images := t.pairs())]
    blocks: list[Block] = []
    if seeds:
        title = run.metric(metric)["title"]
        blocks.append(Part(f"{title} over seeds", (Paragraph(SEEDS), Figures(tuple(seeds)))))
    if drawn:
        blocks.append(Part("Energies and distances", (
            Paragraph(ONE_NUMBER), replace(legend(scores), curves=False), Figures(tuple(drawn)))))
    blocks += [Paragraph(PAIRS)] if pairs else []
    return blocks + [Part(f"{target}: marginals", (Figures(tuple(images), "pairs"),))
                     for target, images in pairs]


HISTOGRAMS = (("energy", "energy −log p(x)"), ("distance", "distance of two points"))
SEEDS = (
    "Each point is a seed's final value (from 13 seeds on the median and the interval that "
    "holds nine in ten of them). The band holds 95 % of the null distribution of a single seed, "
    "the line is its median. Tables test means over seeds, which have a narrower null "
    "distribution.")
ONE_NUMBER = (
    "Final samples of the first seed that left any; filled grey: exact samples. The energy is up "
    "to the normalising constant; distances are those of disjoint pairs of points. Values beyond "
    "the window stand in the outermost bins.")
PAIRS = (
    f"Targets of more than two dimensions: marginals of the first {COORDINATES} coordinates on "
    f"the diagonal, pairs of them below ({SHOWN} points). Grey: exact samples, where they can be "
    "drawn.")
SECTION = Section("distributions", "Distributions", _blocks)
