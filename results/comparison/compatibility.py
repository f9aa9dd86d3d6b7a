"""What runs must share to be compared, and what a reader must know of their differences."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from bench.core.errors import ReportError, StoreError, nearest
from results.presentation.run_words import mixture
from results.presentation.table import listing, plural
from results.records.endings import UNRANKED, ending
from results.records.floors_file import Floors
from results.records.frames import Scores
from results.records.leading import primary
from results.records.run_folder import Run
from results.records.schema import UNANSWERED

#: Endings that count against a sampler though they are not ranked.
OUT = tuple(x for x in UNRANKED if x not in UNANSWERED)


def seeds_of(run: Run, target: str) -> frozenset[int]:
    """Seeds that left a job's record on a target, however it ended."""
    return frozenset(job.seed for job in run.jobs if job.target == target)


def known_names(word: str, known: Sequence[str]) -> str:
    """The closest known name as a question, and all of them."""
    return f"{nearest(word, known)} (known: {', '.join(known)})"


def shared_metric(runs: Sequence[Scores], name: str | None) -> str:
    """The metric that was asked for, or the first run's own; raises ReportError for others."""
    shared = [m for m in runs[0].metrics if all(m in s.metrics for s in runs)]
    if not shared:
        raise ReportError("the runs share no metric; nothing can be compared")
    if name is None:
        best = primary(runs[0])
        return best if best in shared else shared[0]
    if name not in shared:
        raise ReportError(f"--metric {name}: not scored in "
                          f"{'every run' if len(runs) > 1 else 'this run'}"
                          f"{known_names(name, shared)}")
    return name


def _identity(run: Run, target: str) -> tuple[tuple[float, ...] | None, str]:
    """What the target did at fixed points, where the folder keeps it, and its digest."""
    digest = next((j.fingerprint for j in run.jobs if j.target == target and j.fingerprint),
                  str(run.target(target).get("fingerprint") or ""))
    try:
        return Floors.read(run.path / "floors" / f"{target}.npz").fingerprint, digest
    except StoreError:
        return None, digest


def same_target(runs: Sequence[Scores], target: str) -> None:
    """Raise ReportError unless the target behaves alike in all runs (relative 1e-6)."""
    first, digest = _identity(runs[0].run, target)
    for scores in runs[1:]:
        other, name = _identity(scores.run, target)
        if first is not None and other is not None:
            alike = len(first) == len(other) and np.allclose(
                first, other, rtol=1e-6, atol=1e-6, equal_nan=True)
        else:
            alike = digest == name
        if not alike:
            raise ReportError(f"'{target}' is another density in {scores.run.path} than in "
                              f"{runs[0].run.path} (their fingerprints differ); run one of them "
                              "again")


def metric_clash(runs: Sequence[Scores], targets: Sequence[str], metric: str) -> str:
    """Why a metric cannot be compared over runs; empty where it can."""
    versions = {max((x.version for x in s.run.measures if x.metric == metric), default=0)
                for s in runs}
    if len(versions) > 1:
        return (f"the runs hold versions {listing([str(v) for v in sorted(versions)])} of "
                f"{metric}; score them again with one version")
    for target in targets:
        sizes = {size for s in runs if (size := max((
            score.n for x in s.run.labels if (score := s.final(x, target, metric))), default=0))}
        if len(sizes) > 1:
            return (f"{metric} on {target} was taken at n = "
                    f"{listing([str(n) for n in sorted(sizes)])}; run them at one n")
    return ""


def unequal(runs: Sequence[Scores]) -> list[str]:
    """What makes runs unequal, the budget first."""
    found = []
    budgets = [str(s.run.suite.get("budget", "?")) for s in runs]
    if len(set(budgets)) > 1:
        found.append("Unequal budgets: " + listing(
            [f"{s.run.path.name} {b}" for s, b in zip(runs, budgets, strict=True)])
            + ". A difference may be one of budget, not of sampler.")
    machines = {json.dumps(s.run.header.get("machine"), sort_keys=True) for s in runs}
    if len(machines) > 1 and any(s.run.suite.get("currency") != "evals" for s in runs):
        found.append("The runs come from different machines, and a budget of seconds buys more "
                     "on the faster one.")
    if len({s.run.header.get("code") for s in runs}) > 1:
        found.append("The runs come from different code: start points, reference blocks and "
                     "metrics are shared only as far as the code kept them.")
    found += [f"{s.run.path.name} is mixed: {mixed}." for s in runs
              if (mixed := mixture(s.run.header))]
    missing = sum(s.run.unfinished for s in runs)
    if missing:
        found.append(f"Not complete: {plural(missing, 'planned job')} left no record.")
    return found


def left_out(runs: Sequence[Scores], targets: Sequence[str]) -> list[str]:
    """What is not compared."""
    found = []
    alone = sorted({t for s in runs for t in s.run.targets} - set(targets))
    if alone:
        found.append(f"Not in every run and left out: {listing(alone)}.")
    lost: dict[tuple[int, ...], list[str]] = {}
    for target in targets:
        sets = [seeds_of(s.run, target) for s in runs]
        lost.setdefault(tuple(sorted(frozenset.union(*sets) - frozenset.intersection(*sets))),
                        []).append(target)
    found += [f"Not in every run and left out: seeds {', '.join(map(str, seeds))} of "
              f"{listing(names)}." for seeds, names in lost.items() if seeds]
    gone = list(dict.fromkeys(
        f"{x} ({end} on {t})" for s in runs for x in s.run.ranked for t in targets
        for end in dict.fromkeys(ending(j) for j in s.run.of(x, t)) if end in UNRANKED))
    if gone:
        found.append(f"Jobs that are {listing(OUT)} count as failed, and a sampler that ended in "
                     f"no other way is left out; so is what is {listing(UNANSWERED)}: "
                     f"{listing(gone)}.")
    return found
