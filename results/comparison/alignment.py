"""What is compared: samplers of one or more runs, on the targets and seeds they share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from bench.core.errors import ReportError
from results.comparison.checks import (
    clash_of,
    left_out,
    nearest,
    same_target,
    seeds_of,
    shared_metric,
    unequal,
)
from results.records.endings import UNRANKED, ending
from results.records.frames import Scores
from results.records.leading import MAIN
from results.records.schema import UNANSWERED
from results.statistics.paired_values import SeedValues


@dataclass(frozen=True)
class Entry:
    """A competitor: its label here, the run it comes from and its label there."""

    label: str
    scores: Scores
    name: str


@dataclass(frozen=True)
class Field:
    """The competitors of a comparison, what they share, and what a reader must know first."""

    entries: tuple[Entry, ...]
    targets: tuple[str, ...]
    metric: str
    others: tuple[str, ...]  # main metrics besides it that can be compared
    warnings: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def scores(self) -> Scores:
        """The first run's: units, titles and colours are taken from it."""
        return self.entries[0].scores

    @property
    def labels(self) -> tuple[str, ...]:
        """All competitors."""
        return tuple(e.label for e in self.entries)

    @cached_property
    def runs(self) -> tuple[Scores, ...]:
        """The runs, each once."""
        return tuple({id(e.scores): e.scores for e in self.entries}.values())

    @cached_property
    def seeds(self) -> dict[str, frozenset[int]]:
        """Seeds that every run has on a target."""
        return {t: frozenset.intersection(*(seeds_of(s.run, t) for s in self.runs))
                for t in self.targets}

    def cells(self, metric: str) -> dict[tuple[str, str], SeedValues]:
        """Values by (sampler, target); inf where a job failed or left no value beside others'.

        Targets without a floor are left out where others have one: a lower number need not be
        better there. So are samplers without a floor at their number of points on a target that
        has one: what they reach cannot be set beside an excess.
        """
        made = {}
        for entry in self.entries:
            for target in self.targets:
                cell = _cell(entry, target, metric, self.seeds[target])
                if cell is not None:
                    made[entry.label, target] = cell
        judged = {t for (_, t), cell in made.items() if len(cell.good)}
        floored = {t for (_, t), cell in made.items() if cell.draws is not None}
        kept = judged & floored or judged
        return {k: cell for k, cell in made.items() if k[1] in kept
                and (cell.draws is not None or not len(cell.good) or k[1] not in floored)}


def _cell(entry: Entry, target: str, metric: str, seeds: frozenset[int]) -> SeedValues | None:
    """None where the sampler does not compete on the target (no answer, or no record)."""
    jobs = [j for j in entry.scores.run.of(entry.name, target)
            if j.status not in UNANSWERED and j.seed in seeds]
    score = entry.scores.final(entry.name, target, metric)
    good = {} if score is None else dict(zip(score.seeds, score.values, strict=True))
    left = entry.scores.left_out(entry.name, target, metric)
    values = {}
    for job in jobs:
        if ending(job) == "ok" and job.seed in good:
            values[job.seed] = good[job.seed]
        elif ending(job) != "ok" or job.seed in left:
            values[job.seed] = math.inf
    if not values:
        return None
    return SeedValues(score.n if score else 0, values, score.floor if score else None)


def gather(runs: Sequence[Scores], metric: str | None = None,
           against: str | None = None) -> Field:
    """Competitors of the runs; raises ReportError where they cannot be compared."""
    paths = [s.run.path.resolve() for s in runs]
    if len(set(paths)) < len(paths):
        raise ReportError("a run is named twice; name each folder once")
    targets = tuple(t for t in runs[0].run.targets
                    if all(any(j.target == t for j in s.run.jobs) for s in runs))
    if not targets:
        raise ReportError("the runs share no target; compare runs of suites with a common target")
    metric = shared_metric(runs, metric)
    for target in targets:
        same_target(runs, target)
    if clash := clash_of(runs, targets, metric):
        raise ReportError(clash)
    entries = _entries(runs, targets)
    apart = [f"Left out, no floor to judge by: {e.label} on {t}: {why}." for e in entries
             for t in targets if (score := e.scores.final(e.name, t, metric))
             and (why := e.scores.no_floor(t, metric, score.n))]
    others = [m for m in MAIN if m != metric and all(m in s.metrics for s in runs)]
    left = {m: clash for m in others if (clash := clash_of(runs, targets, m))}
    warnings = unequal(runs) + [f"{text.partition(';')[0]}: left out." for text in left.values()]
    field = Field(entries, targets, metric, tuple(m for m in others if m not in left),
                  tuple(warnings), tuple(left_out(runs, targets) + apart))
    if against is not None and against not in field.labels:
        raise ReportError(f"--against {against}: no such sampler in the comparison"
                          f"{nearest(against, field.labels)}")
    return _enough(field)


def _enough(field: Field) -> Field:
    """The field, with a warning where no floor is known; raises ReportError for under two."""
    here: dict[str, set[str]] = {}
    cells = field.cells(field.metric)
    for label, target in cells:
        here.setdefault(target, set()).add(label)
    if cells and not any(cell.draws is not None for cell in cells.values()):
        text = (f"No floor is stored for {field.metric} that can tell: nobody knows which numbers "
                "exact samples would have, and lower need not be better.")
        field = replace(field, warnings=(*field.warnings, text))
    if all(len(labels) < 2 for labels in here.values()):
        raise ReportError("nothing to compare: fewer than two samplers have a record by "
                          f"{field.metric} on a shared target and seed")
    return field


def _entries(runs: Sequence[Scores], targets: Sequence[str]) -> tuple[Entry, ...]:
    """Competitors that could run on a shared target; a label of a later run gets its name."""
    made: dict[str, Entry] = {}
    for scores in runs:
        for name in scores.run.ranked:
            jobs = [j for t in targets for j in scores.run.of(name, t)]
            if all(ending(j) in UNRANKED for j in jobs):
                continue
            label, stem = name, f"{name}@{scores.run.path.resolve().name}"
            for i in range(len(runs) + 1):
                if label not in made:
                    break
                label = stem if not i else f"{stem}-{i + 1}"
            made[label] = Entry(label, scores, name)
    if not made:
        raise ReportError("nothing to compare: no sampler has a record on a shared target")
    return tuple(made.values())
