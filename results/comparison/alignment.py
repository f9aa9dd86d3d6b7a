"""What is compared: samplers of one or more runs, on the targets and seeds they share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from bench.core.errors import ReportError
from results.comparison.compatibility import (
    known_names,
    left_out,
    metric_clash,
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
class Competitor:
    """A competitor: its label here, the run it comes from and its label there."""

    label: str
    scores: Scores
    name: str


@dataclass(frozen=True)
class AlignedRuns:
    """The competitors of a comparison, what they share, and what a reader must know first."""

    competitors: tuple[Competitor, ...]
    targets: tuple[str, ...]
    metric: str
    others: tuple[str, ...]  # main metrics besides it that can be compared
    warnings: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def scores(self) -> Scores:
        """The first run's: units, titles and colours are taken from it."""
        return self.competitors[0].scores

    @property
    def labels(self) -> tuple[str, ...]:
        """All competitors."""
        return tuple(c.label for c in self.competitors)

    @cached_property
    def runs(self) -> tuple[Scores, ...]:
        """The runs, each once."""
        return tuple({id(c.scores): c.scores for c in self.competitors}.values())

    @cached_property
    def seeds(self) -> dict[str, frozenset[int]]:
        """Seeds that every run has on a target."""
        return {t: frozenset.intersection(*(seeds_of(s.run, t) for s in self.runs))
                for t in self.targets}

    def seed_values(self, metric: str) -> dict[tuple[str, str], SeedValues]:
        """Values by (sampler, target); inf where a job failed or left no value where others did.

        Targets without a floor are left out where others have one: a lower number need not be
        better there. So are samplers without a floor at their number of points on a target that
        has one: what they reach cannot be compared with an excess.
        """
        made = {}
        for competitor in self.competitors:
            for target in self.targets:
                values = _seed_values(competitor, target, metric, self.seeds[target])
                if values is not None:
                    made[competitor.label, target] = values
        judged = {t for (_, t), values in made.items() if len(values.good)}
        floored = {t for (_, t), values in made.items() if values.draws is not None}
        kept = judged & floored or judged
        return {k: values for k, values in made.items() if k[1] in kept
                and (values.draws is not None or not len(values.good) or k[1] not in floored)}


def _seed_values(competitor: Competitor, target: str, metric: str,
                 seeds: frozenset[int]) -> SeedValues | None:
    """None where the sampler does not compete on the target (no answer, or no record)."""
    scores, name = competitor.scores, competitor.name
    jobs = [j for j in scores.run.of(name, target)
            if j.status not in UNANSWERED and j.seed in seeds]
    result = scores.final(name, target, metric)
    good = {} if result is None else dict(zip(result.seeds, result.values, strict=True))
    left = scores.left_out(name, target, metric)
    values = {}
    for job in jobs:
        if ending(job) == "ok" and job.seed in good:
            values[job.seed] = good[job.seed]
        elif ending(job) != "ok" or job.seed in left:
            values[job.seed] = math.inf
    if not values:
        return None
    return SeedValues(result.n if result else 0, values, result.floor if result else None)


def align(runs: Sequence[Scores], metric: str | None = None,
          against: str | None = None) -> AlignedRuns:
    """What the runs share; raises ReportError where they cannot be compared.

    ``metric``: the one that ranks, the runs' leading one by default; ``against``: a competitor
    that must be among them.
    """
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
    if clash := metric_clash(runs, targets, metric):
        raise ReportError(clash)
    aligned = _with_warnings(runs, targets, metric)
    if against is not None and against not in aligned.labels:
        raise ReportError(f"--against {against}: no such sampler in the comparison"
                          f"{known_names(against, aligned.labels)}")
    return _checked(aligned)


def _with_warnings(runs: Sequence[Scores], targets: tuple[str, ...], metric: str) -> AlignedRuns:
    """Competitors, other metrics, and what a reader must know of both."""
    competitors = _competitors(runs, targets)
    unfloored = [f"Left out, no floor to judge by: {c.label} on {t}: {why}." for c in competitors
                 for t in targets if (result := c.scores.final(c.name, t, metric))
                 and (why := c.scores.no_floor(t, metric, result.n))]
    others = [m for m in MAIN if m != metric and all(m in s.metrics for s in runs)]
    clashes = {m: clash for m in others if (clash := metric_clash(runs, targets, m))}
    warnings = unequal(runs) + [f"{text.partition(';')[0]}: left out."
                                for text in clashes.values()]
    return AlignedRuns(competitors, targets, metric,
                       tuple(m for m in others if m not in clashes), tuple(warnings),
                       tuple(left_out(runs, targets) + unfloored))


def _checked(aligned: AlignedRuns) -> AlignedRuns:
    """With a warning where no floor is known; raises ReportError below two competitors."""
    here: dict[str, set[str]] = {}
    values = aligned.seed_values(aligned.metric)
    for label, target in values:
        here.setdefault(target, set()).add(label)
    if values and not any(v.draws is not None for v in values.values()):
        text = (f"No usable floor is stored for {aligned.metric}: nobody knows which numbers "
                "exact samples would have, and lower need not be better.")
        aligned = replace(aligned, warnings=(*aligned.warnings, text))
    if all(len(labels) < 2 for labels in here.values()):
        raise ReportError("nothing to compare: fewer than two samplers have a record by "
                          f"{aligned.metric} on a shared target and seed")
    return aligned


def _competitors(runs: Sequence[Scores], targets: Sequence[str]) -> tuple[Competitor, ...]:
    """Competitors that could run on a shared target; a label of a later run gets its name."""
    made: dict[str, Competitor] = {}
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
            made[label] = Competitor(label, scores, name)
    if not made:
        raise ReportError("nothing to compare: no sampler has a record on a shared target")
    return tuple(made.values())
