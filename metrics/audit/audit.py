r"""The audit of metrics: the power of each to detect injected defects, and whether floors hold.

One draw takes 2 n exact points, n as samples and n as reference. Every defect of
``metrics.audit.defects`` is injected in the same samples and every metric is asked, with one
evidence a draw. A defect is *detected* where p <= .05 against the metric's floor, as the judge has
it; power is the share of draws that detect it. Without a defect the same draws give the
false-alarm rate and the null mean. Draws are seeded by target, n and their own number, apart from
the seeds of jobs and of floors. What a stored audit holds for the same target, metric version,
defect version and floor (``metrics.audit.stored``) is not drawn again.

Beyond 2,000 points fewer draws are made (``Effort``), and a grade that a metric detected in every
draw at a smaller n (at least 20) is not drawn again: points that are independent under the defect
give no less power when there are more of them. Duplicated points are not, and are always drawn.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, replace
from typing import Any

import numpy as np

from bench.core.registry import load, own
from metrics.audit.defect import Defect
from metrics.audit.defects import Duplicates, Nothing, defects
from metrics.audit.null_checks import null_of, threshold
from metrics.audit.power import (
    Effort,
    Loader,
    Tally,
    Task,
    Wanted,
    measure_power,
    seconds_needed,
)
from metrics.audit.sample_scale import scale_response
from metrics.audit.stored import checksum, heading, held, held_at, short
from metrics.base import Metric
from targets.base import Target

Array = np.ndarray
SURE = 20  # draws that must all detect a grade before it is taken as detected at a larger n


def audit(name: str, ns: Sequence[int], effort: Effort, floors: Mapping[str, Array],
          stored: dict[str, Any] | None = None, only: Sequence[str] | None = None, jobs: int = 1,
          loader: Loader = load, say: Callable[[str], None] = lambda line: None) -> dict[str, Any]:
    """The audit of a target: what ``stored`` holds and still stands, and the rest drawn.

    ``floors``: null draws by METRIC/POINTS; a metric without them at some n is left out there.
    ``only``: names of metrics (without it all of ours but those with ``default = False``).
    ``say`` is told before and after drawing. Raises CannotJudge where a metric fails on points
    with a defect.
    """
    target: Target = loader("targets", name)
    metrics: list[Metric] = [m for m in (loader("metrics", m) for m in (only or own("metrics")))
                             if m.applies(target) and (only or m.default)]
    planned = defects(target)
    content = heading(target, name, planned)
    stored = stored or {}
    made: dict[str, Any] = {m.name: _facts(m, target, held(stored, content, m)) for m in metrics}
    smaller: list[dict[str, dict[str, Any]]] = []
    for n in sorted(ns):
        keys = {m.name: f"{m.name}/{m.points(n)}" for m in metrics}
        here = [m for m in metrics if keys[m.name] in floors]
        floor = {m.name: floors[keys[m.name]] for m in here}
        at_n = {m.name: held_at(stored, content, m, n, floor[m.name]) for m in here}
        wanted = missing(planned, here, n, effort, at_n, smaller)
        if wanted:
            found = _draw(Task(loader, name, n, 0, 0, wanted, {}), floor, jobs, say)
            at_n = {m: _merged(at_n[m], m, floor[m], found, wanted) for m in at_n}
        for m, entry in at_n.items():
            made[m]["n"][str(n)] = entry
        smaller.append(at_n)
    return {**content, "metrics": made}


def missing(planned: Sequence[Defect], metrics: Sequence[Metric], n: int, effort: Effort,
            known: dict[str, dict[str, Any]],
            smaller: Sequence[dict[str, dict[str, Any]]]) -> Wanted:
    """What is to be drawn at n: not what is known, nor what fewer points have settled."""
    wanted = []
    for defect in planned:
        counts = {m.name: effort.of(m, n, defect) for m in metrics
                  if effort.lacks(_entry(known[m.name], defect)[1], m, n, defect)
                  and not _sure(defect, m.name, smaller)}
        if counts:
            wanted.append((defect, counts))
    return wanted


def _entry(at_n: dict[str, Any], defect: Defect) -> list[int]:
    """[detected, draws] of a grade."""
    if isinstance(defect, Nothing):
        draws, detected = (at_n.get("null") or (0, 0))[:2]
        return [detected, draws]
    entry: list[int] = at_n.get("power", {}).get(defect.name, {}).get(defect.text, [0, 0])
    return entry


def _sure(defect: Defect, metric: str, smaller: Sequence[dict[str, dict[str, Any]]]) -> bool:
    """Whether a metric detected a grade in every draw with fewer points."""
    entries = [_entry(at.get(metric, {}), defect) for at in smaller]
    return (not isinstance(defect, Nothing | Duplicates)
            and any(detected == draws >= SURE for detected, draws in entries))


def _merged(at_n: dict[str, Any], metric: str, floor: Array, found: Tally,
            wanted: Wanted) -> dict[str, Any]:
    """The stored entry of a metric at n, with what was drawn anew in its place."""
    power = {d: dict(grades) for d, grades in at_n.get("power", {}).items()}
    null = at_n.get("null")
    for defect, counts in wanted:
        if metric not in counts:
            continue
        if isinstance(defect, Nothing):
            fresh = astuple(null_of(found.null[metric], threshold(floor)))
            null = [short(v) if isinstance(v, float) else v for v in fresh]
        else:
            detected = found.detected[defect.name, defect.text, metric]
            power.setdefault(defect.name, {})[defect.text] = [detected, counts[metric]]
    return {"floor": [len(floor), checksum(floor)], "null": null, "power": power}


def _facts(metric: Metric, target: Target, stored: dict[str, Any]) -> dict[str, Any]:
    """What holds of a metric at every n; a stored response of its scale is taken over."""
    response = stored.get("scale_response")
    if response is None:
        found = scale_response(metric, target)
        response = [None if v is None else short(v, 4) for v in (found.growth, found.contrast)]
    return {"version": metric.version, "title": metric.title, "signed": metric.signed,
            "scale_from_samples": metric.scale_from_samples, "scale_response": response, "n": {}}


def _draw(task: Task, floor: dict[str, Array], jobs: int, say: Callable[[str], None]) -> Tally:
    """All draws of a task whose range and limits follow from what is wanted."""
    asked = {m for _, counts in task.wanted for m in counts}
    last = max(count for _, counts in task.wanted for count in counts.values())
    limits = {m: threshold(floor[m]) for m in floor if m in asked}
    task = replace(task, last=last, limits=limits)
    say(f"{task.target}: {len(asked)} metrics under {len(task.wanted)} grades of defects at "
        f"n = {task.n}, about {seconds_needed(task):.0f} s of CPU")
    started = time.monotonic()
    found = measure_power(task, jobs)
    say(f"{task.target}: done in {time.monotonic() - started:.0f} s")
    return found
