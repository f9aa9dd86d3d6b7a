"""A cell's entries over commits: segments that can be compared, and their seeds pooled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import comb
from typing import Any

import numpy as np

from results.regression.baseline import FloorSummary, SamplerOnTarget, Snapshot
from results.regression.cost import cost_outcome
from results.regression.matching import difference
from results.regression.outcome import COST, QUALITY, Outcome, Rule
from results.regression.quality import quality_outcome

Name = tuple[str, str]


@dataclass(frozen=True)
class Break:
    """Entries ``after`` and ``at`` of a cell cannot be compared, and why."""

    sampler: str
    target: str
    after: int
    at: int
    reason: str

    @property
    def name(self) -> Name:
        """The cell."""
        return self.sampler, self.target


@dataclass(frozen=True)
class Group:
    """Entries first..last of a cell that are one as far as their numbers say."""

    first: int
    last: int
    cell: SamplerOnTarget


@dataclass(frozen=True)
class Split:
    """A tested split: seeds before and after it, and what the test says."""

    at: int
    left: SamplerOnTarget
    right: SamplerOnTarget
    outcome: Outcome


@dataclass(frozen=True)
class Segment:
    """Groups of a cell that can be compared, with the same metrics and checkpoints, and floors."""

    groups: tuple[Group, ...]
    floors: tuple[FloorSummary | None, ...]
    rule: Rule

    @property
    def quantities(self) -> tuple[str, ...]:
        """Quality, and cost where some entry has two checkpoints that cost evaluations."""
        evals = np.hstack([g.cell.evals for g in self.groups])
        priced = len(evals) > 1 and (np.isfinite(evals) & (evals > 0)).any()
        return (QUALITY, COST) if priced else (QUALITY,)

    @property
    def tests(self) -> tuple[int, int]:
        """Splits of the whole and of its parts, over directions and quantities."""
        m, each = len(self.groups), 2 * len(self.quantities)
        return each * (m - 1), each * (comb(m + 1, 3) - (m - 1))

    def sides(self, low: int, split: int, high: int) -> tuple[SamplerOnTarget, SamplerOnTarget]:
        """The seeds of groups low..split-1, and of split..high-1."""
        return (_pooled([g.cell for g in self.groups[low:split]]),
                _pooled([g.cell for g in self.groups[split:high]]))

    def splits(self, what: str, low: int, high: int) -> Iterator[Split]:
        """Every split of groups low..high-1 that can be tested."""
        for at in range(low + 1, high):
            left, right = self.sides(low, at, high)
            found = (cost_outcome(left, right, self.rule) if what == COST else
                     quality_outcome(left, right, self.floors, self.rule))
            if found is not None:
                yield Split(at, left, right, found)


def segments(snapshots: Sequence[Snapshot], name: Name,
             rule: Rule) -> tuple[list[Segment], list[Break]]:
    """A cell's segments over snapshots in order of time, and the breaks between them."""
    have = [i for i, s in enumerate(snapshots) if name in s.by_name]
    runs, breaks = [[have[0]]], []
    for before, here in zip(have, have[1:], strict=False):
        old, new = snapshots[before], snapshots[here]
        if why := difference(old, new, old.by_name[name], new.by_name[name]):
            breaks.append(Break(*name, before, here, why))
            runs.append([])
        runs[-1].append(here)
    return [_segment_of([(i, snapshots[i]) for i in run], name, rule) for run in runs], breaks


def _segment_of(entries: list[tuple[int, Snapshot]], name: Name, rule: Rule) -> Segment:
    found = [s.by_name[name] for _, s in entries]
    # A cell that failed altogether has no row of a metric, and fewer checkpoints.
    sizes = {m: n for c in found for m, n in zip(c.metrics, c.sizes, strict=True)}
    checkpoints = max(len(c.curve) for c in found)
    groups: list[Group] = []
    for (i, _), raw in zip(entries, found, strict=True):
        cell = _filled(raw, sizes, checkpoints)
        if groups and _repeats(groups[-1].cell, cell):
            last = groups.pop()
            groups.append(Group(last.first, i, _pooled([last.cell, cell])))
        else:
            groups.append(Group(i, i, cell))
    floors = tuple(next((s.floors[name[1], m, n] for _, s in entries
                         if (name[1], m, n) in s.floors), None) for m, n in sizes.items())
    return Segment(tuple(groups), floors, rule)


def _filled(cell: SamplerOnTarget, sizes: dict[str, int], checkpoints: int) -> SamplerOnTarget:
    """The cell with these metrics and so many checkpoints; inf where it has none."""
    missing = np.full((checkpoints - len(cell.curve), len(cell.seeds)), np.inf)
    return replace(cell, metrics=tuple(sizes), sizes=tuple(sizes.values()),
                   values=cell.values_of(sizes),
                   evals=np.vstack([cell.evals, missing]), curve=np.vstack([cell.curve, missing]))


def _repeats(old: SamplerOnTarget, new: SamplerOnTarget) -> bool:
    """Whether two cells share seeds, and agree in every number of each, to the digits kept."""
    shared = sorted(frozenset(old.seeds) & frozenset(new.seeds))
    a, b = (c.at([c.seeds.index(s) for s in shared]) for c in (old, new))
    return bool(shared) and a.status == b.status and all(
        np.array_equal(getattr(a, k), getattr(b, k)) for k in ("values", "evals", "curve"))


def _pooled(cells: Sequence[SamplerOnTarget]) -> SamplerOnTarget:
    """One cell of every seed once; seeds that several cells have take their values in turn."""
    if len(cells) == 1:
        return cells[0]
    holders: dict[int, list[int]] = {}
    for i, cell in enumerate(cells):
        for seed in cell.seeds:
            holders.setdefault(seed, []).append(i)
    chosen: list[list[int]] = [[] for _ in cells]
    for turn, (seed, have) in enumerate(sorted(holders.items())):
        chosen[have[turn % len(have)]].append(seed)
    parts = [c.of(frozenset(seeds)) for c, seeds in zip(cells, chosen, strict=True)]
    joined: dict[str, Any] = {k: tuple(v for p in parts for v in getattr(p, k))
                              for k in ("seeds", "status", "seconds", "bits")}
    joined |= {k: np.hstack([getattr(p, k) for p in parts]) for k in ("values", "evals", "curve")}
    return replace(cells[0], **joined)
