"""Baselines: what is kept of a finished run to judge later ones by.

A *cell* is one sampler on one target. Its numbers are the final values of the gated metrics, the
curve of the leading metric against evaluations, and how each seed ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bench.core.types import Array

#: What two runs of one suite must share for their numbers to mean the same.
SETTINGS = ("budget", "n", "n_curve", "fractions", "device", "dtype")


@dataclass(frozen=True)
class SamplerOnTarget:
    """One sampler on one target, over seeds; lower values are better.

    ``sizes``: points that each metric judged. ``values`` (metrics, seeds) and ``curve``
    (checkpoints, seeds) are inf where a seed failed or a metric was no finite number; ``evals``
    (checkpoints, seeds) counts evaluations spent on training by then. All have six significant
    digits, so that equal numbers stay equal in a file; ``bits`` is a checksum of each seed's
    numbers to the last digit.
    """

    sampler: str
    target: str
    settings: dict[str, Any]
    metrics: tuple[str, ...]
    sizes: tuple[int, ...]
    seeds: tuple[int, ...]
    values: Array
    evals: Array
    curve: Array
    status: tuple[str, ...]
    seconds: tuple[float, ...]
    bits: tuple[str, ...] = ()

    @property
    def name(self) -> tuple[str, str]:
        """What it is called."""
        return self.sampler, self.target

    @cached_property
    def statuses(self) -> frozenset[str]:
        """Every way its seeds ended."""
        return frozenset(self.status)

    def of(self, seeds: Sequence[int] | frozenset[int]) -> SamplerOnTarget:
        """The cell with some of its seeds, in its own order."""
        wanted = frozenset(seeds)
        return self.at([i for i, seed in enumerate(self.seeds) if seed in wanted])

    def values_of(self, metrics: Iterable[str]) -> Array:
        """Values by these metrics, (metrics, seeds); inf where the cell has none of one."""
        known = dict(zip(self.metrics, self.values, strict=True))
        nothing = np.full(len(self.seeds), np.inf)
        made = [known.get(m, nothing) for m in metrics]
        return np.array(made).reshape(len(made), len(self.seeds))

    def at(self, indices: Iterable[int]) -> SamplerOnTarget:
        """The cell with the seeds at some indices."""
        index = [int(i) for i in indices]
        pick = {k: tuple(getattr(self, k)[i] for i in index)
                for k in ("seeds", "status", "seconds", "bits") if getattr(self, k)}
        return SamplerOnTarget(self.sampler, self.target, self.settings, self.metrics, self.sizes,
                    values=self.values[:, index], evals=self.evals[:, index],
                    curve=self.curve[:, index], **pick)


@dataclass(frozen=True)
class FloorSummary:
    """A metric's null distribution at some size: median, upper 5 % point, standard deviation."""

    median: float
    upper: float
    sd: float

    @property
    def gap(self) -> float:
        """From the median to the upper 5 % point: what a rise must exceed to be one."""
        return self.upper - self.median


@dataclass(frozen=True)
class Snapshot:
    """A finished run, frozen.

    ``targets`` and ``metrics`` hold what shows whether they are still the same (behaviour at fixed
    points, version, parameters); ``floors`` is by (target, metric, n).
    """

    suite: str
    made: dict[str, Any]
    settings: dict[str, Any]
    targets: dict[str, dict[str, Any]]
    metrics: dict[str, dict[str, Any]]
    floors: dict[tuple[str, str, int], FloorSummary]
    cells: tuple[SamplerOnTarget, ...]
    curve_metric: str

    @cached_property
    def by_name(self) -> dict[tuple[str, str], SamplerOnTarget]:
        """Cells by (sampler, target)."""
        return {cell.name: cell for cell in self.cells}

    @cached_property
    def seeds(self) -> frozenset[int]:
        """Every seed that any cell has."""
        return frozenset(seed for cell in self.cells for seed in cell.seeds)

    def floors_of(self, cell: SamplerOnTarget) -> tuple[FloorSummary | None, ...]:
        """The floor of each of the cell's metrics; None on a target without a reference."""
        return tuple(self.floors.get((cell.target, metric, n))
                     for metric, n in zip(cell.metrics, cell.sizes, strict=True))
