"""The null law of every metric: what exact samples score against a fresh reference.

One draw takes 2 n exact points, n as samples and n as reference, and asks every metric. Draws are
seeded by target, n and their own number, apart from the seeds of jobs, so they are the same
whatever the number of processes. ``python -m metrics.floors`` writes one file per target,

    METRIC/N     float32, one value a draw; N is the number of points the metric really uses
    fingerprint  float64, how the target behaved
    versions     JSON text, metric -> version

and computes only what is not there yet for the same target and version.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
import zlib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch

from bench.core.fingerprint import fingerprint, same
from bench.core.places import FLOORS
from bench.core.registry import load, own
from metrics.base import Evidence, Metric
from targets.base import Target

Array = np.ndarray
CHUNK = 20  # draws a worker makes at a time


def _seeds(target: Target, n: int, seed: int, draw: int) -> tuple[int, int]:
    """Seeds of a draw's points and of its evidence: a branch of their own, named 'floor'."""
    name = getattr(target, "name", type(target).__name__)  # wrapped targets have no name
    words = (zlib.crc32(b"floor"), zlib.crc32(name.encode()), n, seed, draw)
    points, evidence = np.random.SeedSequence(words).generate_state(2, np.uint64) >> np.uint64(1)
    return int(points), int(evidence)


def null_values(target: Target, judges: Sequence[Metric], n: int, seed: int,
                draw: int) -> list[float]:
    """One draw: what each metric says of n exact points against n fresh reference points."""
    of_points, of_evidence = _seeds(target, n, seed, draw)
    rng = torch.Generator(target.device).manual_seed(of_points)
    x, reference = target.blocks(n, 2, rng)
    evidence = Evidence(target, reference, of_evidence)
    return [metric.estimate(x, evidence).value for metric in judges]


def null_draws(target: Target, metric: Metric, n: int, draws: int, seed: int = 0) -> Array:
    """The metric's null law at n points: float32, shape (draws,).

    ``target`` must have an exact sampler; it is used on the device and in the precision it has.
    """
    return np.array([null_values(target, [metric], n, seed, i) for i in range(draws)],
                    dtype=np.float32)[:, 0]


_load = cache(load)


def _chunk(task: tuple[str, tuple[str, ...], int, int, range]) -> list[list[float]]:
    """Draws of one task, shape (draws, metrics); runs in a worker with one thread."""
    target_name, metric_names, n, seed, draws = task
    torch.set_num_threads(1)
    target = _load("targets", target_name).to("cpu", torch.float32)
    judges = [_load("metrics", name) for name in metric_names]
    return [null_values(target, judges, n, seed, i) for i in draws]


def _tasks(target: str, wanted: dict[str, int], n: int,
           seed: int) -> Iterator[tuple[str, tuple[str, ...], int, int, range]]:
    """Chunks of draws, each with the metrics that still want draws of that number."""
    edges = {*range(0, max(wanted.values()), CHUNK), *wanted.values()}
    for start, stop in zip(sorted(edges), sorted(edges)[1:], strict=False):
        names = tuple(name for name, draws in wanted.items() if draws >= stop)
        yield target, names, n, seed, range(start, stop)


def _laws(target: str, wanted: dict[str, int], n: int, seed: int, jobs: int) -> dict[str, Array]:
    """The null laws of the wanted metrics (name -> number of draws) at n offered points."""
    tasks = list(_tasks(target, wanted, n, seed))
    if jobs == 1:
        answers = [_chunk(task) for task in tasks]
    else:
        with multiprocessing.get_context("spawn").Pool(jobs) as pool:
            answers = pool.map(_chunk, tasks, chunksize=1)
    laws: dict[str, list[float]] = {name: [] for name in wanted}
    for task, answer in zip(tasks, answers, strict=True):
        for name, column in zip(task[1], zip(*answer, strict=True), strict=True):
            laws[name] += column
    return {name: np.array(law, dtype=np.float32) for name, law in laws.items()}


def _kept(path: Path, identity: Array, versions: dict[str, int]) -> dict[str, Array]:
    """Arrays of an earlier run that still hold: same target, same version of the metric."""
    if not path.exists():
        return {}
    with np.load(path, allow_pickle=False) as stored:
        if not same(stored["fingerprint"].tolist(), identity.tolist()):
            return {}
        then = json.loads(str(stored["versions"]))
        return {key: stored[key] for key in stored.files
                if "/" in key and then.get(key.split("/")[0]) == versions.get(key.split("/")[0])}


def _write(path: Path, laws: dict[str, Array], identity: Array, versions: dict[str, int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, fingerprint=identity,
                            versions=np.array(json.dumps(versions)), **laws)
    os.replace(partial, path)


def floors(name: str, ns: Sequence[int], draws: int, out: Path, jobs: int = 1,
           only: Sequence[str] = ()) -> Path:
    """Write the null laws of the metrics that apply to a target; returns the file.

    A metric whose class asks for fewer draws than 1,000 (exact transport) gets that share.
    ``only`` names the metrics that are drawn (without it: those on by default); the rest stay as
    they are. A longer floor begins with the draws of the shorter one.
    """
    target: Target = _load("targets", name)
    if not target.has_reference:
        raise SystemExit(f"target '{name}' has no exact sampler, so it has no floors")
    judges = {m: judge for m in own("metrics")
              if (judge := _load("metrics", m)).applies(target)}
    versions = {m: judge.version for m, judge in judges.items()}
    identity = np.array(fingerprint(target), dtype=np.float64)
    path = out / f"{name}.npz"
    laws = _kept(path, identity, versions)
    for n in ns:
        keys = {m: f"{m}/{judge.points(n)}" for m, judge in judges.items()}
        wanted = {m: max(1, draws * judge.floor_draws // 1000) for m, judge in judges.items()}
        wanted = {m: r for m, r in wanted.items() if len(laws.get(keys[m], ())) < r
                  and (m in only if only else judges[m].default)}
        if wanted:
            started = time.monotonic()
            laws |= {keys[m]: law for m, law in _laws(name, wanted, n, 0, jobs).items()}
            _write(path, laws, identity, versions)
            sys.stdout.write(f"{name}: {len(wanted)} floors at n = {n}, "
                             f"{time.monotonic() - started:.0f} s\n")
            sys.stdout.flush()
    return path


def numbers(text: str) -> list[int]:
    """Numbers separated by commas, for argparse."""
    return [int(n) for n in text.split(",")]


def named_targets(text: str) -> list[str]:
    """Names of targets separated by commas, for argparse, each of which must exist."""
    names = text.split(",")
    for name in names:
        if name not in own("targets"):
            raise argparse.ArgumentTypeError(f"there is no target '{name}'")
    return names


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m metrics.floors", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", required=True, type=named_targets,
                        help="names, separated by commas")
    parser.add_argument("--n", default="1000,5000", type=numbers, help="numbers of points")
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=FLOORS)
    parser.add_argument("--metrics", default="", help="only these, separated by commas "
                        "(default: all but those with default = False)")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    options = parser.parse_args(arguments)
    for name in options.targets:
        floors(name, options.n, options.draws, options.out,
               options.jobs, [m for m in options.metrics.split(",") if m])


if __name__ == "__main__":
    main()
