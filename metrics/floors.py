"""Floors: the null distribution of a metric, its values on exact samples.

One draw takes 2 n exact points, n as samples and n as reference, and asks every metric. Draws are
seeded by target, n and their own number, apart from the seeds of jobs, so they are the same
whatever the number of processes. ``python -m bench.maintain floors`` commits them.
"""

from __future__ import annotations

import multiprocessing
import time
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache

import numpy as np
import torch

from bench.core.registry import load
from metrics.base import Evidence, Metric
from targets.base import Target

Array = np.ndarray
CHUNK = 20  # draws a worker makes at a time
FEW_DRAWS = 200  # of a floor that is drawn for an audit on the spot


def _seeds(target: Target, n: int, seed: int, draw: int) -> tuple[int, int]:
    """Seeds of a draw's points and of its evidence: a branch of their own, named 'floor'."""
    name = getattr(target, "name", type(target).__name__)  # wrapped targets have no name
    words = (zlib.crc32(b"floor"), zlib.crc32(name.encode()), n, seed, draw)
    points, evidence = np.random.SeedSequence(words).generate_state(2, np.uint64) >> np.uint64(1)
    return int(points), int(evidence)


def null_values(target: Target, metrics: Sequence[Metric], n: int, seed: int,
                draw: int) -> list[float]:
    """One draw: the value each metric gives n exact points against n fresh reference points."""
    of_points, of_evidence = _seeds(target, n, seed, draw)
    rng = torch.Generator(target.device).manual_seed(of_points)
    x, reference = target.blocks(n, 2, rng)
    evidence = Evidence(target, reference, of_evidence)
    return [metric.estimate(x, evidence).value for metric in metrics]


def null_draws(target: Target, metric: Metric, n: int, draws: int, seed: int = 0) -> Array:
    """Draws of the metric's null distribution at n points: float32, shape (draws,).

    ``target`` must have an exact sampler; it is used on the device and in the precision it has.
    """
    return np.array([null_values(target, [metric], n, seed, i) for i in range(draws)],
                    dtype=np.float32)[:, 0]


def draw_floors(target: str, wanted: Mapping[str, int], n: int, seed: int,
                jobs: int) -> dict[str, Array]:
    """Floors by metric, float32, shape (draws,) each, at n offered points.

    ``wanted``: number of draws by name of the metric. ``jobs``: processes; the draws are the same
    whatever their number.
    """
    tasks = list(_tasks(target, wanted, n, seed))
    if jobs == 1:
        answers = [_chunk(task) for task in tasks]
    else:
        with multiprocessing.get_context("spawn").Pool(jobs) as pool:
            answers = pool.map(_chunk, tasks, chunksize=1)
    values: dict[str, list[float]] = {name: [] for name in wanted}
    for task, answer in zip(tasks, answers, strict=True):
        for name, column in zip(task[1], zip(*answer, strict=True), strict=True):
            values[name] += column
    return {name: np.array(column, dtype=np.float32) for name, column in values.items()}


def draw_missing(target: Target, metrics: Sequence[Metric], sizes: Sequence[int],
                 known: Collection[str], say: Callable[[str], None],
                 draws: int = FEW_DRAWS) -> dict[str, Array]:
    """Short floors of what ``known`` lacks, by ``METRIC/POINTS``: float32, (draws,) each.

    ``say`` is told what is drawn and how long it takes.
    """
    home = target.to("cpu", torch.float32)
    drawn: dict[str, Array] = {}
    for n in sizes:
        lacking = [m for m in metrics if f"{m.name}/{m.points(n)}" not in known]
        if not lacking:
            continue
        values = [null_values(home, lacking, n, 0, 0)]  # the first pays for imports
        started = time.process_time()
        values.append(null_values(home, lacking, n, 0, 1))
        say(f"drawing {draws} floors at n = {n} for {', '.join(m.name for m in lacking)}, "
            f"about {draws * (time.process_time() - started):.0f} s of CPU")
        values += [null_values(home, lacking, n, 0, i) for i in range(2, draws)]
        columns = np.array(values, dtype=np.float32).T
        drawn |= {f"{m.name}/{m.points(n)}": floor
                  for m, floor in zip(lacking, columns, strict=True)}
    return drawn


_load = cache(load)


def _chunk(task: tuple[str, tuple[str, ...], int, int, range]) -> list[list[float]]:
    """Draws of one task, shape (draws, metrics); runs in a worker with one thread."""
    target_name, metric_names, n, seed, draws = task
    torch.set_num_threads(1)
    target = _load("targets", target_name).to("cpu", torch.float32)
    metrics = [_load("metrics", name) for name in metric_names]
    return [null_values(target, metrics, n, seed, i) for i in draws]


def _tasks(target: str, wanted: Mapping[str, int], n: int,
           seed: int) -> Iterator[tuple[str, tuple[str, ...], int, int, range]]:
    """Chunks of draws, each with the metrics that still want draws of that number."""
    edges = {*range(0, max(wanted.values()), CHUNK), *wanted.values()}
    for start, stop in zip(sorted(edges), sorted(edges)[1:], strict=False):
        names = tuple(name for name, draws in wanted.items() if draws >= stop)
        yield target, names, n, seed, range(start, stop)
