"""How often the regression check gives a false alarm, and which injected bugs it detects.

``python -m bench.maintain check-calibration`` prints it and writes
results/data/studies/regression_calibration.json.

*False alarms.* From a pool of real seeds of one code, disjoint sides are drawn without
replacement: a baseline of 45 seeds, five of them shared with the run by number and so left out of
its first test, 5 new seeds and 20 fresh ones. An alarm is any cell called worse. Counted are the
tests alone, the tests with the size that matters, and both again after confirmation, for random
baselines and for the committed one (whose luck, good or bad, everyone lives with).

*Power.* Runs of the program with an injected bug (``bench.maintain.mutations``) take the new
side. A mutation is harmful where its 200 seeds against the whole pool are worse by the check's own
measure with p <= .001. Its p-values are corrected as if all tests of the suite took part, as they
do on a machine whose last bits differ; on the baseline's own machine untouched cells are
identical, and it is detected more easily.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.core.places import BASELINES
from results.presentation.rendering import markdown_table
from results.regression.baseline import SamplerOnTarget, Snapshot
from results.regression.baseline_file import read
from results.regression.calibration_tables import CALIBRATION, HARM, tables
from results.regression.outcome import Outcome, Rule
from results.regression.quality import quality_outcome
from results.regression.two_samples import ENOUGH, TwoSamples
from results.regression.verdicts import CHECK_SEEDS, FRESH_SEEDS
from results.statistics.multiple_testing import holm

POOL = BASELINES / "pool" / "smoke.json.gz"
MUTATIONS = BASELINES / "mutations"
COMPARISONS, TRIALS = 10_000, 1_000
CHUNK = 500  # comparisons of one process at a time
#: Seeds of a run at which the power to detect a mutation is estimated.
SIZES = (3, 5, 10, 20, 40)

Places = NDArray[np.intp]


@dataclass(frozen=True)
class Sides:
    """Cells of a comparison by name: the baseline's seeds, the run's, the fresh ones."""

    old: tuple[SamplerOnTarget, ...]
    new: tuple[SamplerOnTarget, ...]
    fresh: tuple[SamplerOnTarget, ...]
    shared: int  # first seeds of ``old`` that the first test leaves out


def alarms(pool: Snapshot, sides: Sides, rule: Rule, family: int = 0) -> tuple[bool, bool, bool]:
    """Whether any cell fires: by the tests alone, with the size that matters, and confirmed.

    ``family``: tests that take part at least; those not among the cells count with p = 1.
    """
    tests: list[tuple[int, str, Outcome]] = []
    for i, (old, new) in enumerate(zip(sides.old, sides.new, strict=True)):
        rest = old.at(range(sides.shared, len(old.seeds)))
        samples = TwoSamples(rest, new, pool.floors_of(old))
        tests += [(i, what, found) for what, found in samples.outcomes(rule).items()]
    ps = [found.p_worse for *_, found in tests]
    corrected = holm(ps + [1.0] * max(family - len(ps), 0))
    fired = [t for t, p in zip(tests, corrected, strict=False) if p <= rule.alpha]
    large = [t for t in fired if t[2].worse]
    if not large:
        return bool(fired), False, False
    again = [TwoSamples(sides.old[i], sides.fresh[i],
                        pool.floors_of(sides.old[i])).outcomes(rule)[what]
             for i, what, _ in large]
    held = any(found.worse and p <= rule.alpha for found, p in zip(
        again, holm([found.p_worse for found in again]), strict=True))
    return True, True, held


def false_alarms(pool: Snapshot, rule: Rule, repeats: int, size: int,
                 baseline: frozenset[int] | None = None, seed: int = 0) -> list[int]:
    """Comparisons of a pool with itself that fire, of so many: by stage, as ``alarms`` gives them.

    ``baseline``: seeds of a fixed baseline, in place of ``size`` random ones each time.
    """
    rng = np.random.default_rng(seed)
    seeds = np.array(pool.cells[0].seeds)
    fixed = np.flatnonzero(np.isin(seeds, list(baseline or ())))
    rest = np.flatnonzero(~np.isin(seeds, list(baseline or ())))
    counts = np.zeros(3, dtype=int)
    for _ in range(repeats):
        mixed = rng.permutation(rest)
        old, mixed = (fixed, mixed) if baseline else (mixed[:size], mixed[size:])
        sides = _sides(pool.cells, pool.cells, old, mixed, CHECK_SEEDS, CHECK_SEEDS)
        counts += alarms(pool, sides, rule)
    return [int(c) for c in counts]


def _sides(cells: Sequence[SamplerOnTarget], other: Sequence[SamplerOnTarget], old: Places,
           mixed: Places, size: int, shared: int) -> Sides:
    """A run of ``size`` seeds, the first of ``mixed``, confirmed by those that follow."""
    new, fresh = mixed[:size], mixed[size:size + FRESH_SEEDS]
    return Sides(tuple(c.at(old) for c in cells), tuple(c.at(new) for c in other),
                 tuple(c.at(fresh) for c in other), shared)


def harm(pool: Snapshot, mutation: Snapshot, rule: Rule) -> list[dict[str, Any]]:
    """Each cell of a mutation, all its seeds against the whole pool."""
    compared = []
    for cell in mutation.cells:
        old = pool.by_name[cell.name]
        found = quality_outcome(old, cell, pool.floors_of(old), rule)
        name = old.metrics[found.rose]
        compared.append({"target": cell.target, "p": found.p_worse, "large": found.worse,
                     "metric": name, "failed": sum(s != "ok" for s in cell.status),
                     "old": float(np.median(old.values[found.rose])),
                     "new": float(np.median(cell.values[cell.metrics.index(name)]))})
    return compared


def power(pool: Snapshot, base: Snapshot, mutation: Snapshot, size: int, rule: Rule, trials: int,
          seed: int = 0) -> float:
    """Share of checks of ``size`` seeds, confirmed by fresh ones, that call the mutation worse."""
    rng = np.random.default_rng(seed)
    olds = [base.by_name[c.name] for c in mutation.cells]
    family = 2 * len(pool.cells)
    # Where too few would be left, seeds that the baseline does not have are run (--seeds 45:85).
    shared = size if len(olds[0].seeds) - size >= ENOUGH else 0
    caught = 0
    for _ in range(trials):
        mixed = rng.permutation(len(mutation.cells[0].seeds))
        sides = _sides(olds, mutation.cells, np.arange(len(olds[0].seeds)), mixed, size, shared)
        caught += alarms(pool, sides, rule, family)[2]
    return caught / trials


def _alarm_part(kind: str, repeats: int, seed: int) -> list[int]:
    pool, base = read(POOL), read(BASELINES / "smoke.json")
    return false_alarms(pool, Rule(), repeats, len(base.cells[0].seeds),
                        base.seeds if kind == "committed" else None, seed)


def _mutation_part(path: Path, trials: int) -> dict[str, Any]:
    pool, base, rule, mutation = read(POOL), read(BASELINES / "smoke.json"), Rule(), read(path)
    cells = harm(pool, mutation, rule)
    return {"sampler": mutation.cells[0].sampler, "seeds": len(mutation.cells[0].seeds),
            "cells": cells, "harmful": any(c["p"] <= HARM and c["large"] for c in cells),
            "caught": {str(k): power(pool, base, mutation, k, rule, trials) for k in SIZES}}


def calibrate(comparisons: int = COMPARISONS, trials: int = TRIALS) -> dict[str, Any]:
    """All of it, as plain values; the same whatever the number of processes."""
    pool, base, rule = read(POOL), read(BASELINES / "smoke.json"), Rule()
    paths = {p.name.removesuffix(".json.gz"): p for p in sorted(MUTATIONS.glob("*.json.gz"))}
    sizes = [min(CHUNK, comparisons - i) for i in range(0, comparisons, CHUNK)]
    with ProcessPoolExecutor() as workers:
        parts = {kind: [workers.submit(_alarm_part, kind, n, i) for i, n in enumerate(sizes)]
                 for kind in ("random", "committed")}
        studied = {name: workers.submit(_mutation_part, path, trials)
                   for name, path in paths.items()}
        alarm_counts = {kind: np.sum([p.result() for p in found], axis=0).tolist()
                        for kind, found in parts.items()}
        mutations = {name: part.result() for name, part in studied.items()}
    return {
        "suite": pool.suite, "pool_commit": pool.made["commit"], "cells": len(pool.cells),
        "pool_seeds": len(pool.cells[0].seeds), "baseline_seeds": len(base.cells[0].seeds),
        "alpha": rule.alpha, "tolerance": rule.tolerance, "comparisons": comparisons,
        "trials": trials,
        "failed_seeds": sum(s != "ok" for c in pool.cells for s in c.status),
        "false_alarms": alarm_counts, "mutations": mutations}


def main(arguments: Sequence[str] | None = None) -> int:
    """Calibrate, write and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.maintain check-calibration",
                                     description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--comparisons", type=int, default=COMPARISONS)
    parser.add_argument("--trials", type=int, default=TRIALS)
    options = parser.parse_args(arguments)
    found = calibrate(options.comparisons, options.trials)
    CALIBRATION.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for table in tables(found):
        print(markdown_table(table))
    return 0
