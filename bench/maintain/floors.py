"""Draws the committed floors: null distributions of metrics on exact samples.

``python -m bench.maintain floors --targets gmm4`` writes one file a target
(``results.records.floors_file``), and draws only what is not there yet for the same target and
version of the metric.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from bench.core.errors import UserError
from bench.core.fingerprint import fingerprint
from bench.core.places import FLOORS
from bench.core.registry import load, own
from bench.jobs.floors import committed_floors
from bench.maintain.options import named_targets, numbers
from metrics.base import Metric
from metrics.floors import draw_floors
from results.records.floors_file import Floors
from targets.base import Target


def write_target_floors(name: str, ns: Sequence[int], draws: int, out: Path, jobs: int = 1,
                        only: Sequence[str] = ()) -> Path:
    """Write the null distributions of the metrics that apply to a target; returns the file.

    A metric whose class asks for fewer draws than 1,000 (exact transport) gets that share.
    ``only`` names the metrics that are drawn (without it: those on by default); the rest stay as
    they are. A longer floor begins with the draws of the shorter one.
    """
    target: Target = load("targets", name)
    if not target.has_reference:
        raise UserError(f"target '{name}' has no exact sampler, so it has no floors")
    metrics = [m for m in (load("metrics", n) for n in own("metrics")) if m.applies(target)]
    path, versions = out / f"{name}.npz", {m.name: m.version for m in metrics}
    known = committed_floors(name, target, metrics, out)
    for n in ns:
        wanted = _wanted(metrics, n, draws, only, known)
        if wanted:
            started = time.monotonic()
            drawn = draw_floors(name, {m.name: r for m, r in wanted}, n, 0, jobs)
            known |= {f"{m.name}/{m.points(n)}": drawn[m.name] for m, _ in wanted}
            Floors(known, {}, tuple(fingerprint(target)), versions).save(path)
            print(f"{name}: {len(wanted)} floors at n = {n}, "
                  f"{time.monotonic() - started:.0f} s", flush=True)
    return path


def _wanted(metrics: Sequence[Metric], n: int, draws: int, only: Sequence[str],
            known: dict[str, NDArray[Any]]) -> list[tuple[Metric, int]]:
    """Metrics whose floor at n offered points is too short, with the draws each must have."""
    asked = [(m, max(1, draws * m.floor_draws // 1000)) for m in metrics
             if (m.name in only if only else m.default)]
    return [(m, r) for m, r in asked if len(known.get(f"{m.name}/{m.points(n)}", ())) < r]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.maintain floors", description=__doc__,
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
        write_target_floors(name, options.n, options.draws, options.out, options.jobs,
                            [m for m in options.metrics.split(",") if m])
    return 0
