"""Finding the floors of a target: committed ones where they still hold, others drawn here.

A committed floor holds while the target's fingerprint and the metric's version are those that it
was made with, and the metric is at its defaults.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.core.compilation import compiling
from bench.core.errors import StoreError, UserError
from bench.core.fingerprint import fingerprint, same
from bench.core.places import FLOORS
from bench.core.seeds import global_stream
from metrics.base import Metric
from metrics.floors import null_draws
from results.records.floors_file import Floors
from targets.base import Target
from targets.reference import Referenced


def find_floors(target: Target, name: str, metrics: Mapping[str, Metric], sizes: Iterable[int],
                most_draws: int = 200, compile: bool = False) -> Floors:
    """Null draws of each metric that applies to the target, at each number of points in ``sizes``.

    ``name`` is the target's registered name, under which floors are committed. A metric that has
    no finite value on exact points has no floor, and ``Floors.left_out`` says so; UserError for
    one that raises what only a programming mistake raises.
    """
    known = _committed(target, name, metrics)
    floors = Floors()
    for label, metric in metrics.items():
        if not metric.applies(target):
            continue
        for n in sorted({metric.points(n) for n in sizes}):
            key = f"{label}/{n}"
            draws = min(most_draws, metric.floor_draws)
            with compiling(compile):
                floor = (known[key] if key in known
                         else _drawn(target, name, label, metric, n, draws))
            if isinstance(floor, str):
                floors.left_out[key] = floor
            else:
                floors.draws[key] = floor.astype(np.float64)
    return floors


def _drawn(target: Target, name: str, label: str, metric: Metric, n: int,
           draws: int) -> np.ndarray | str:
    """The floor, or why there is none; UserError for a metric that is wrong rather than unable."""
    try:
        with global_stream("floor", name, 0, n):
            floor = null_draws(target, metric, n, draws, 0)
    except (ValueError, ArithmeticError, RuntimeError) as error:
        return (f"no floor: the metric cannot be computed on exact points "
                f"({type(error).__name__}: {error})")
    except Exception as error:
        raise UserError(f"metric '{label}' raised {type(error).__name__}: {error} on exact points "
                        f"of target '{name}'; mend it, or leave it out of the suite") from error
    if not np.isfinite(floor).all():
        return "no floor: the metric is not finite on exact points"
    return floor


def committed_floors(name: str, target: Target, metrics: Iterable[Metric],
                     folder: Path = FLOORS) -> dict[str, NDArray[np.float64]]:
    """Null draws by ``METRIC/N``, drawn for this very target by these versions of the metrics.

    Empty where there is no file; raises UserError where it is damaged.
    """
    path = folder / f"{name}.npz"
    try:
        stored = Floors.read(path)
    except StoreError:
        raise UserError(f"the committed floors '{path}' are damaged; restore that file, or delete "
                        "it, so that runs draw floors of their own") from None
    if stored.fingerprint is None or not same(list(stored.fingerprint), fingerprint(target)):
        return {}
    valid = {m.name for m in metrics if stored.versions.get(m.name) == m.version}
    return {key: draws for key, draws in stored.draws.items() if key.split("/")[0] in valid}


def _committed(target: Target, name: str,
               metrics: Mapping[str, Metric]) -> dict[str, NDArray[np.float64]]:
    """Committed floors by ``label/n``: of metrics at their defaults, which is all they hold."""
    if isinstance(target, Referenced):
        return {}
    at_defaults = {label: m for label, m in metrics.items() if m == type(m)()}
    known = committed_floors(name, target, at_defaults.values())
    return {f"{label}/{n}": draws for label, m in at_defaults.items()
            for key, draws in known.items() for of, n in [key.split("/")] if of == m.name}
