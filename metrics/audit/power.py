"""Draws of an audit: exact points, defects injected in them, how often a metric detects them.

The same whatever the number of processes: draws are seeded by target, n and their own number.
"""

from __future__ import annotations

import math
import multiprocessing
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from metrics.audit.defect import Defect
from metrics.audit.defects import Nothing
from metrics.audit.null_checks import above
from metrics.base import Evidence, Metric
from targets.base import Target

#: Makes a target or a metric from (kind, name); it must travel to a process of its own.
Loader = Callable[[str, str], Any]
#: Which defects are wanted, and how many draws each metric gets under each.
Wanted = Sequence[tuple[Defect, dict[str, int]]]

CHUNK = 10  # draws a worker makes at a time
LARGE = 2000  # more points than this are expensive


class CannotJudge(RuntimeError):
    """A metric raised on points with a defect."""


@dataclass(frozen=True)
class Effort:
    """Draws with each defect and without any, of fast metrics at up to 2,000 points.

    Shares of that: (fast, slow) beyond 2,000 points, and of slow metrics, whose floors have fewer
    than 1,000 draws. ``content``: however few draws are stored, they are enough.
    """

    draws: int = 100
    null: int = 1000
    slow: float = 0.2
    large: tuple[float, float] = (0.25, 0.1)
    large_null: tuple[float, float] = (0.2, 0.05)
    content: bool = False

    def of(self, metric: Metric, n: int, defect: Defect) -> int:
        """How many draws a metric gets under a defect at n offered points."""
        void, slow = isinstance(defect, Nothing), metric.floor_draws < 1000
        share = self.slow if slow else 1.0
        if n > LARGE:
            share = (self.large_null if void else self.large)[slow]
        return max(1, round(share * (self.null if void else self.draws)))

    def lacks(self, have: int, metric: Metric, n: int, defect: Defect) -> bool:
        """Whether so many stored draws are too few."""
        return have < (1 if self.content else self.of(metric, n, defect))


@dataclass(frozen=True)
class Task:
    """Draws ``first`` to ``last`` of a target at n; above a metric's limit is a detection."""

    loader: Loader
    target: str
    n: int
    first: int
    last: int
    wanted: Wanted
    limits: dict[str, float]


@dataclass
class Tally:
    """How often each defect was detected, by (defect, grade, metric), and the null values."""

    detected: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    null: dict[str, list[float]] = field(default_factory=dict)


def seed(*words: str | int) -> int:
    """A seed for these words: a branch of its own, named 'audit'."""
    hashed = [zlib.crc32(w.encode()) if isinstance(w, str) else w for w in ("audit", *words)]
    (state,) = np.random.SeedSequence(hashed).generate_state(1, np.uint64) >> np.uint64(1)
    return int(state)


def exact_draw(target: Target, name: str, n: int, draw: int) -> tuple[Tensor, Evidence]:
    """n exact points, shape (n, dim), and the evidence of a fresh reference block."""
    rng = torch.Generator(target.device).manual_seed(seed("points", name, n, draw))
    x, reference = target.blocks(n, 2, rng)
    return x, Evidence(target, reference, seed("evidence", name, n, draw))


def injected(defect: Defect, x: Tensor, target: Target, name: str, draw: int) -> Tensor:
    """The points with the defect; its own stream, so that no other defect changes it."""
    rng = torch.Generator(x.device).manual_seed(
        seed(defect.name, name, len(x), draw, round(1e6 * defect.strength)))
    return defect.inject(x, target, rng)


def tally(task: Task) -> Tally:
    """Make a task's draws; runs in a worker with one thread."""
    torch.set_num_threads(1)
    target: Target = task.loader("targets", task.target).to("cpu", torch.float32)
    metrics: dict[str, Metric] = {m: task.loader("metrics", m) for m in task.limits}
    made = Tally()
    for draw in range(task.first, task.last):
        x, evidence = exact_draw(target, task.target, task.n, draw)
        for defect, counts in task.wanted:
            asked = [metrics[m] for m, count in counts.items() if draw < count]
            if asked:
                y = injected(defect, x, target, task.target, draw)
                _ask(made, defect, asked, y, evidence, task)
    return made


def _ask(made: Tally, defect: Defect, metrics: list[Metric], y: Tensor, evidence: Evidence,
         task: Task) -> None:
    for metric in metrics:
        try:
            value = metric.estimate(y, evidence).value
        except (ValueError, ArithmeticError, RuntimeError) as error:
            raise CannotJudge(f"metric '{metric.name}' fails on {task.target} with "
                              f"{defect.title} ({defect.text}): {error}") from error
        if math.isnan(value):
            raise CannotJudge(f"metric '{metric.name}' gives nan on {task.target} with "
                              f"{defect.title} ({defect.text})")
        if isinstance(defect, Nothing):
            made.null.setdefault(metric.name, []).append(value)
        detected = above(value, task.limits[metric.name])
        made.detected[defect.name, defect.text, metric.name] += detected


def seconds_needed(task: Task) -> float:
    """Seconds that a task is going to take, from one estimate of each metric on exact points."""
    torch.set_num_threads(1)
    target: Target = task.loader("targets", task.target).to("cpu", torch.float32)
    x, evidence = exact_draw(target, task.target, task.n, 0)
    total = 0.0
    for m in task.limits:
        metric: Metric = task.loader("metrics", m)
        metric.estimate(x[:20], Evidence(target, evidence.reference))  # imports are no cost
        metric.estimate(x, evidence)  # nor what depends on the reference alone
        estimates = sum(counts.get(m, 0) for _, counts in task.wanted)
        started = time.process_time()
        metric.estimate(x + 1e-3 * target.scale, evidence)
        total += estimates * (time.process_time() - started)
    return total


def measure_power(task: Task, jobs: int) -> Tally:
    """All draws of a task, in chunks over processes."""
    parts = [replace(task, first=i, last=min(i + CHUNK, task.last))
             for i in range(task.first, task.last, CHUNK)]
    if jobs == 1:
        return _sum(map(tally, parts))
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        return _sum(pool.imap(tally, parts))


def _sum(parts: Iterable[Tally]) -> Tally:
    total = Tally()
    for part in parts:
        total.detected += part.detected
        for m, values in part.null.items():
            total.null.setdefault(m, []).extend(values)
    return total
