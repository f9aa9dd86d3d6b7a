"""A run's folder, read once: the header, the records, the floors and the grids next to them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.core.errors import StoreError
from results.records.arrays import read_arrays
from results.records.families import CROWDED, FAMILIES
from results.records.families import known as known_family
from results.records.floors_file import Floors
from results.records.schema import Checkpoint, Job, Measure
from results.records.store import read, read_header

Array = NDArray[np.float64]

#: A job is marked as disturbed where its probe took this many times the run's median probe.
DISTURBED = 1.3


@dataclass(frozen=True)
class Run:
    """What a folder holds; everything that is shown is a pure function of this."""

    path: Path
    header: dict[str, Any]
    jobs: tuple[Job, ...]
    checkpoints: tuple[Checkpoint, ...]
    measures: tuple[Measure, ...]
    complaints: tuple[str, ...] = ()
    draws: dict[tuple[str, str, int], Array] = field(default_factory=dict, repr=False)

    @property
    def suite(self) -> dict[str, Any]:
        """What was asked: budget, seeds, numbers of points, preset."""
        return dict(self.header.get("suite") or {})

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Samplers family by family, in the suite's order within, then the baseline samplers."""
        named = list(self.header.get("samplers") or {})
        known = dict.fromkeys(named + sorted({job.label for job in self.jobs}))
        order = list(FAMILIES)
        return tuple(sorted(known, key=lambda label: (label in self.baselines,
                                                      order.index(self.family(label)))))

    @cached_property
    def targets(self) -> tuple[str, ...]:
        """Targets in the suite's order, then any that only the records know."""
        named = list(self.header.get("targets") or {})
        return tuple(dict.fromkeys(named + sorted({job.target for job in self.jobs})))

    @cached_property
    def baselines(self) -> frozenset[str]:
        """Labels of floor, ceiling and overhead rows; they are shown, never ranked."""
        known = {k for k, v in (self.header.get("samplers") or {}).items()
                 if v.get("kind") == "baseline"}
        return frozenset(known | {job.label for job in self.jobs if job.kind == "baseline"})

    @cached_property
    def ranked(self) -> tuple[str, ...]:
        """Labels that compete."""
        return tuple(label for label in self.labels if label not in self.baselines)

    def family(self, label: str) -> str:
        """A key of ``families.FAMILIES``; the empty one where a sampler says none."""
        return known_family(self.sampler(label).get("family"))

    @property
    def crowded(self) -> bool:
        """Whether so many compete that tables repeat what family each belongs to."""
        return len(self.ranked) > CROWDED

    @cached_property
    def current(self) -> tuple[Measure, ...]:
        """Measures by the newest version of their metric that the records hold."""
        newest: dict[str, int] = {}
        for m in self.measures:
            newest[m.metric] = max(m.version, newest.get(m.metric, m.version))
        return tuple(m for m in self.measures if m.version == newest[m.metric])

    @cached_property
    def final_points(self) -> dict[str, int]:
        """The most points that a final measure of a job was taken at, by the job's key."""
        most: dict[str, int] = {}
        for m in self.measures:
            if m.stage == "final":
                most[m.key] = max(m.n, most.get(m.key, 0))
        return most

    @cached_property
    def checkpoints_of(self) -> dict[str, list[Checkpoint]]:
        """The checkpoints of a job, by its key."""
        found: dict[str, list[Checkpoint]] = {}
        for checkpoint in self.checkpoints:
            found.setdefault(checkpoint.key, []).append(checkpoint)
        return found

    @cached_property
    def by_pair(self) -> dict[tuple[str, str], tuple[Job, ...]]:
        """Jobs of a (label, target), by seed."""
        pairs: dict[tuple[str, str], list[Job]] = {}
        for job in sorted(self.jobs, key=lambda j: j.seed):
            pairs.setdefault((job.label, job.target), []).append(job)
        return {pair: tuple(jobs) for pair, jobs in pairs.items()}

    def of(self, label: str, target: str) -> tuple[Job, ...]:
        """Jobs of a sampler on a target, by seed; empty where none ended."""
        return self.by_pair.get((label, target), ())

    def planned(self, label: str, target: str) -> bool:
        """Whether a pair belongs to the plan: baseline samplers need a reference to be of use."""
        return label not in self.baselines or bool(self.target(target)["has_reference"])

    @property
    def unfinished(self) -> int:
        """Jobs of the plan without a record."""
        seeds = int(self.suite.get("seeds") or 0)
        return sum(max(seeds - len(self.of(x, t)), 0) for t in self.targets for x in self.labels
                   if self.planned(x, t))

    @cached_property
    def median_probe(self) -> float:
        """Median time of the fixed computation that stood before and after each job."""
        probes = [p for job in self.jobs for p in job.probe if p > 0]
        return float(np.median(probes)) if probes else 0.0

    def disturbed(self, job: Job) -> bool:
        """Whether the machine was slower around this job than it usually was."""
        return bool(self.median_probe) and max(job.probe) > DISTURBED * self.median_probe

    def metric(self, name: str) -> dict[str, Any]:
        """What the run says of a metric by its label: title, what it is insensitive to, citation.

        Under a label of its own it is a variant, and its title says so.
        """
        info = {"name": name, "title": name, "blind": "", "reference": "", "signed": False,
                "params": {}, **((self.header.get("metrics") or {}).get(name) or {})}
        title = str(info["title"]).replace("^2", "²")
        return info | {"title": title if info["name"] == name else f"{title} ({name})"}

    def target(self, name: str) -> dict[str, Any]:
        """What the run says of a target: summary, dimension, mode weights, its reference."""
        return {"summary": "", "reference": "", "mode_weights": None, "has_reference": True,
                "reference_note": "", "log_prob_only": False, "finite_variance": True,
                **((self.header.get("targets") or {}).get(name) or {})}

    def sampler(self, label: str) -> dict[str, Any]:
        """What the run says of a sampler: summary, kind, preset, parameters."""
        return {"name": label, "summary": "", "kind": "", "preset": "", "params": {},
                "reference": "", "cannot": "", "update": "",
                **((self.header.get("samplers") or {}).get(label) or {})}


def load(path: Path) -> Run:
    """Read a run's folder; raises results.records.store.StoreError where there is none."""
    path = Path(path)
    header = read_header(path)
    records, complaints = read(path)
    draws, more = _floors(path)
    return Run(path, header, tuple(r for r in records if isinstance(r, Job)),
               tuple(r for r in records if isinstance(r, Checkpoint)),
               tuple(r for r in records if isinstance(r, Measure)),
               tuple(_relative(c, path) for c in complaints + more), draws)


def _relative(complaint: str, path: Path) -> str:
    """A report reads the same wherever its folder lies."""
    return complaint.replace(f"{path}/", "")


def _floors(path: Path) -> tuple[dict[tuple[str, str, int], Array], list[str]]:
    draws: dict[tuple[str, str, int], Array] = {}
    complaints = []
    for file in sorted((path / "floors").glob("*.npz")):
        try:
            for key, values in Floors.read(file).draws.items():
                metric, _, n = key.rpartition("/")
                if metric and n.isdigit():
                    draws[file.stem, metric, int(n)] = np.sort(values[np.isfinite(values)])
        except StoreError as error:
            complaints.append(f"floors/{file.name} skipped: {error}")
    return {key: values for key, values in draws.items() if len(values)}, complaints


def arrays(run: Run, kind: str, name: str) -> dict[str, NDArray[Any]] | None:
    """The arrays of ``kind/name.npz`` (kinds: density, samples); None where there are none."""
    try:
        return read_arrays(run.path / kind / f"{name}.npz")
    except StoreError:
        return None


def with_pictures(run: Run) -> Run:
    """The run with a complaint for each file that its pictures want and cannot have."""
    found = []
    wanted = [("density", t) for t in run.targets if run.target(t).get("dim") == 2]
    wanted += [("samples", c.key) for c in run.checkpoints if c.final]
    for kind, name in wanted:
        try:
            if (run.path / kind).is_dir():  # an archive leaves them out
                read_arrays(run.path / kind / f"{name}.npz")
        except StoreError as error:
            found.append(_relative(str(error), run.path))
    return replace(run, complaints=(*run.complaints, *found))
