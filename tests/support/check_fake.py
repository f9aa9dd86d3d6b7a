"""Runs and snapshots made up for the check: known laws, and any one thing changed at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.core.cost import Cost
from bench.harness.budget import Budget
from bench.suite.specs import MetricSpec, SamplerSpec, TargetSpec
from bench.suite.suite import Suite
from results.records.schema import Checkpoint, Job, Measure, Record
from results.regression.baseline import FloorSummary, SamplerOnTarget, Snapshot
from results.regression.freeze import rounded
from tests.support import fake_run
from tests.support.fake_run import items

Array = NDArray[np.float64]
Name = tuple[str, str]

#: Of each metric: median and deviation of its floor, then of a seed's value. kl_kde is not gated.
DISTRIBUTIONS = {"mmd": (0.0, 1e-4, 1e-3, 1e-4), "w2": (0.06, 0.006, 0.1, 0.006),
                 "kl_kde": (0.1, 0.01, 0.2, 0.01)}
GATED = ("mmd", "w2")
FRACTIONS = (0.25, 0.5, 1.0)
BUDGET = 100_000
FLOORS = {m: FloorSummary(middle, middle + 1.645 * sd, sd)
          for m, (middle, sd, _, _) in DISTRIBUTIONS.items()}


# ---- in memory ----------------------------------------------------------------------------------


def cell(values: Mapping[str, Any], sampler: str = "ula", target: str = "ring",
         seeds: Sequence[int] | None = None, status: Sequence[str] | None = None,
         evals: Any = None, curve: Any = None, settings: dict[str, Any] | None = None,
         sizes: Sequence[int] | None = None) -> SamplerOnTarget:
    """A cell of values by metric, (seeds,) each; without ``curve`` it has no cost to gate."""
    table = np.array([np.asarray(v, dtype=float) for v in values.values()])
    count = table.shape[1]
    seeds = range(count) if seeds is None else seeds
    checkpoints = np.empty((0, count)) if curve is None else np.asarray(curve, dtype=float)
    spent = (np.outer(np.array(FRACTIONS) * BUDGET, np.ones(count))[:len(checkpoints)]
             if evals is None else np.asarray(evals, dtype=float))
    bits = tuple(hashlib.sha256(repr((table[:, i].tolist(), checkpoints[:, i].tolist())).encode()
                                ).hexdigest()[:8] for i in range(count))
    settings = settings or {"sampler": sampler, "params": {"step_size": 0.1}}
    return SamplerOnTarget(
        sampler, target, settings, tuple(values), tuple(sizes or (1000,) * len(values)),
        tuple(seeds), rounded(table), rounded(spent), rounded(checkpoints),
        tuple(status or ("ok",) * count), (0.1,) * count, bits)


def drawn(seeds: Sequence[int], rng: np.random.Generator, rise: float = 0.0, slow: float = 1.0,
          sampler: str = "ula", target: str = "ring", **more: Any) -> SamplerOnTarget:
    """A made-up cell: values raised by ``rise`` deviations, ``slow`` times as expensive."""
    normals = {m: DISTRIBUTIONS[m][2:] for m in GATED}
    values = {m: rng.normal(mean + rise * sd, sd, len(seeds))
              for m, (mean, sd) in normals.items()}
    curve = 0.01 * slow / np.array(FRACTIONS)[:, None] * np.exp(
        0.05 * rng.standard_normal((len(FRACTIONS), len(seeds))))
    return cell(values, sampler, target, seeds, curve=curve, **more)


def snapshot(*cells: SamplerOnTarget, suite: str = "fake", **more: Any) -> Snapshot:
    """A snapshot of cells whose targets and metrics never changed, unless ``more`` says so."""
    metrics = tuple(dict.fromkeys(m for c in cells for m in c.metrics))
    targets = tuple(dict.fromkeys(c.target for c in cells))
    facts: dict[str, Any] = {
        "made": {"commit": "abc", "started": "2026-11-22T17:00:00+00:00"},
        "settings": {"budget": "1e5evals", "n": 1000},
        "targets": {t: _target(t, 0.0, dict.fromkeys(metrics, 0.0)) for t in targets},
        "metrics": {m: {"version": 1, "params": {}} for m in metrics},
        "floors": {(c.target, m, n): FLOORS[m] for c in cells
                   for m, n in zip(c.metrics, c.sizes, strict=True) if m in FLOORS},
        "curve_metric": metrics[0]}
    return Snapshot(suite=suite, cells=cells, **{**facts, **more})


def _target(name: str, moved: float, scored: Mapping[str, float]) -> dict[str, Any]:
    return {"name": name, "summary": f"{name}.", "has_reference": True,
            "fingerprint": f"{name[:4]}{moved:g}", "behaviour": [2.0, 1.5, -3.25 + moved],
            "metric_behaviour": {m: 0.5 + scored.get(m, 0.0) for m in DISTRIBUTIONS}}


# ---- on disk ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fake:
    """A run's folder as ``bench run`` leaves it; a seed's numbers depend on it and ``draw`` alone.

    ``rise``: deviations that a cell's values lie higher, of the metrics in ``rises``. ``slow``:
    factor on what a cell's quality costs. ``endings``: statuses by (sampler, target, seed).
    ``settings``, ``params``, ``defaults``, ``versions``, ``moved`` (a target's log-density),
    ``scored`` (a metric's value at fixed points) change what must be equal. ``lost``: jobs that
    left no record.
    """

    samplers: tuple[str, ...] = ("ula", "mala")
    targets: tuple[str, ...] = ("ring", "banana")
    seeds: Sequence[int] = range(45)
    draw: int = 0
    rise: Mapping[Name, float] = field(default_factory=dict)
    rises: tuple[str, ...] = GATED
    slow: Mapping[Name, float] = field(default_factory=dict)
    endings: Mapping[tuple[str, str, int], str] = field(default_factory=dict)
    suite: str = "fake"
    settings: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    target_params: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, int] = field(default_factory=dict)
    moved: Mapping[str, float] = field(default_factory=dict)
    scored: Mapping[str, float] = field(default_factory=dict)
    lost: int = 0

    def write(self, folder: Path) -> Path:
        """Write the folder; returns it."""
        rng = np.random.default_rng(0)
        floors = {target: {f"{m}/1000": middle + sd * rng.standard_normal(500)
                           for m, (middle, sd, _, _) in DISTRIBUTIONS.items()}
                  for target in self.targets}
        jobs = [(s, t, seed) for s in self.samplers for t in self.targets for seed in self.seeds]
        records = [r for job in jobs[self.lost:] for r in self._records(*job)]
        return fake_run.write(folder, self._header(), records, floors)

    def _header(self) -> dict[str, Any]:
        suite = Suite(self.suite, "", items(TargetSpec, self.targets),
                      items(SamplerSpec, self.samplers), items(MetricSpec, DISTRIBUTIONS),
                      tuple(self.seeds), Budget("evals", BUDGET), 1000, 1000, FRACTIONS)
        head = fake_run.header(
            suite, "python -m bench run --suite fake",
            samplers={s: {"kind": "continuing", "params": self.params.get(s, {}),
                          "defaults": {"step_size": "0.1", **self.defaults}}
                      for s in self.samplers},
            targets={t: _target(t, self.moved.get(t, 0.0), self.scored) for t in self.targets},
            metrics={m: {"title": m, "version": self.versions.get(m, 1)} for m in DISTRIBUTIONS})
        head["suite"] |= self.settings
        return head

    def _records(self, sampler: str, target: str, seed: int) -> list[Record]:
        text = f"{self.draw}/{sampler}/{target}/{seed}"
        rng = np.random.default_rng(list(hashlib.sha256(text.encode()).digest()))
        key, name = f"{sampler}--{target}--s{seed}", (sampler, target)
        status = self.endings.get((sampler, target, seed), "ok")
        noise = np.exp(0.05 * rng.standard_normal(len(FRACTIONS)))
        lines: list[Record] = []
        for k, share in enumerate(FRACTIONS):
            spent = Cost(score=int(share * BUDGET))
            lines.append(Checkpoint(key, k, share, k + 1, spent, 1000, Cost(), share == 1.0))
            lines.append(Measure(key, k, "curve", "mmd", self.versions.get("mmd", 1), 1000,
                                 0.01 * self.slow.get(name, 1.0) / share * noise[k]))
        for m, (_, _, middle, sd) in DISTRIBUTIONS.items():
            rise = self.rise.get(name, 0.0) if m in self.rises else 0.0
            lines.append(Measure(key, len(FRACTIONS) - 1, "final", m, self.versions.get(m, 1),
                                 1000, float(middle + sd * (rise + rng.standard_normal()))))
        cost = Cost(score=BUDGET, seconds=0.5)
        params = {"temperature": 1.0, "scale": None, **self.target_params}
        job = Job(key, sampler, sampler, target, seed, "continuing", status, "" if status == "ok"
                  else "as planned", target_params=params, currency="evals", budget=BUDGET,
                  train=cost)
        return [*lines, job]
