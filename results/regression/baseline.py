"""What is kept of a finished run to judge later ones by: every seed's numbers, and their settings.

A *cell* is one sampler on one target. Its numbers are the final values of the gated metrics, the
curve of the leading metric against evaluations, and how each seed ended.
"""

from __future__ import annotations

import ast
import hashlib
import math
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bench.core.errors import ReportError
from bench.core.types import Array
from results.records.archive import PRIVATE
from results.records.command_line import without_options
from results.records.frames import Scores
from results.records.leading import primary
from results.records.run_folder import Run
from results.records.schema import Job

#: Not gated: variants of a gated metric kept for a paper's sake, or a part of one.
UNGATED = frozenset({"ksd_dft", "mmd_drifting", "mean_energy", "mode_chi2", "kl_kde"})
#: What two runs of one suite must share for their numbers to mean the same.
SETTINGS = ("budget", "n", "n_curve", "fractions", "device", "dtype")


@dataclass(frozen=True)
class Cell:
    """One sampler on one target, over seeds; lower values are better.

    ``sizes``: points that each metric judged. ``values`` (metrics, seeds) and ``curve`` (looks,
    seeds) are inf where a seed failed or a metric was no finite number; ``evals`` (looks, seeds)
    counts rows spent on training by then. All have six significant digits, so that equal numbers
    stay equal in a file; ``bits`` tells of each seed whether it is the same to the last one.
    """

    sampler: str
    target: str
    settings: dict[str, Any]
    metrics: tuple[str, ...]
    sizes: tuple[int, ...]
    seeds: tuple[int, ...]
    values: Array
    evals: Array
    curve: Array
    status: tuple[str, ...]
    seconds: tuple[float, ...]
    bits: tuple[str, ...] = ()

    @property
    def name(self) -> tuple[str, str]:
        """What it is called."""
        return self.sampler, self.target

    @cached_property
    def statuses(self) -> frozenset[str]:
        """Every way its seeds ended."""
        return frozenset(self.status)

    def of(self, seeds: Sequence[int] | frozenset[int]) -> Cell:
        """The cell with some of its seeds, in its own order."""
        wanted = frozenset(seeds)
        return self.at([i for i, seed in enumerate(self.seeds) if seed in wanted])

    def rows(self, metrics: Iterable[str]) -> Array:
        """Values by these metrics, (metrics, seeds); inf where the cell has none of one."""
        known = dict(zip(self.metrics, self.values, strict=True))
        nothing = np.full(len(self.seeds), np.inf)
        made = [known.get(m, nothing) for m in metrics]
        return np.array(made).reshape(len(made), len(self.seeds))

    def at(self, places: Iterable[int]) -> Cell:
        """The cell with the seeds at some places."""
        index = [int(i) for i in places]
        pick = {k: tuple(getattr(self, k)[i] for i in index)
                for k in ("seeds", "status", "seconds", "bits") if getattr(self, k)}
        return Cell(self.sampler, self.target, self.settings, self.metrics, self.sizes,
                    values=self.values[:, index], evals=self.evals[:, index],
                    curve=self.curve[:, index], **pick)


@dataclass(frozen=True)
class Floor:
    """The law of a metric on exact samples of some size: median, upper 5 % point, deviation."""

    median: float
    upper: float
    sd: float

    @property
    def gap(self) -> float:
        """From the median to the upper 5 % point: what a rise must exceed to be one."""
        return self.upper - self.median


@dataclass(frozen=True)
class Snapshot:
    """A finished run, frozen.

    ``targets`` and ``metrics`` hold what tells whether they are still the same (behaviour at fixed
    points, version, parameters); ``floors`` is by (target, metric, n).
    """

    suite: str
    made: dict[str, Any]
    settings: dict[str, Any]
    targets: dict[str, dict[str, Any]]
    metrics: dict[str, dict[str, Any]]
    floors: dict[tuple[str, str, int], Floor]
    cells: tuple[Cell, ...]
    curve_metric: str

    @cached_property
    def by_name(self) -> dict[tuple[str, str], Cell]:
        """Cells by (sampler, target)."""
        return {cell.name: cell for cell in self.cells}

    @cached_property
    def seeds(self) -> frozenset[int]:
        """Every seed that any cell has."""
        return frozenset(seed for cell in self.cells for seed in cell.seeds)

    def floors_of(self, cell: Cell) -> tuple[Floor | None, ...]:
        """The floor of each of the cell's metrics; None on a target without a reference."""
        return tuple(self.floors.get((cell.target, metric, n))
                     for metric, n in zip(cell.metrics, cell.sizes, strict=True))


def freeze(run: Run) -> Snapshot:
    """A run as a snapshot; raises ReportError where it holds nothing to keep."""
    scores = Scores(run)
    gated = tuple(m for m in scores.metrics if run.metric(m)["name"] not in UNGATED)
    lead = primary(scores)
    cells = tuple(cell for label in run.labels for target in run.targets
                  if (cell := _cell(scores, label, target, gated, lead)) is not None)
    if not cells:
        raise ReportError(f"'{run.path}' holds no finished job with a gated metric; there is "
                          "nothing to judge")
    head = run.header
    made = {k: head.get(k) for k in ("started", "commit", "dirty", "code", "versions", "machine")}
    if "changes" in head:
        made["changes"] = head["changes"]
    return Snapshot(str(run.suite.get("name", "")), {"command": _command(run), **made},
                    {k: run.suite.get(k) for k in (*SETTINGS, "compile")},
                    {t: _target(run, t) for t in run.targets},
                    {m: {"version": int(run.metric(m).get("version", 1)),
                         "params": run.metric(m).get("params", {})} for m in gated},
                    _floors(run, gated), cells, lead)


def _command(run: Run) -> str:
    """The run's command without the folders it was given."""
    words = without_options(str(run.header.get("command") or ""), PRIVATE)
    for i, word in enumerate(words[:-1]):
        if word == "--suite":
            words[i + 1] = Path(words[i + 1]).name
    return shlex.join(words)


def _target(run: Run, name: str) -> dict[str, Any]:
    facts = run.target(name)
    keep = ("name", "fingerprint", "behaviour", "metric_behaviour")
    return {k: facts[k] for k in keep if k in facts}


def _floors(run: Run, gated: Sequence[str]) -> dict[tuple[str, str, int], Floor]:
    made = {}
    for (target, metric, n), draws in run.draws.items():
        if metric in gated:
            middle, upper = np.quantile(draws, [0.5, 0.95])
            made[target, metric, n] = Floor(float(middle), float(upper),
                                            float(np.std(draws, ddof=1)))
    return made


def _cell(scores: Scores, label: str, target: str, gated: Sequence[str],
          lead: str) -> Cell | None:
    run = scores.run
    jobs = run.of(label, target)
    found = {m: score for m in gated if (score := scores.final(label, target, m)) is not None}
    if not jobs or (not found and all(j.status == "ok" for j in jobs)):
        return None
    seeds = tuple(j.seed for j in jobs)
    place = {seed: i for i, seed in enumerate(seeds)}
    values = np.full((len(found), len(seeds)), np.inf)
    for row, score in zip(values, found.values(), strict=True):
        for seed, value in zip(score.seeds, score.values, strict=True):
            if jobs[place[seed]].status == "ok":
                row[place[seed]] = value
    evals, curve = _curve(scores, label, target, lead, place)
    bits = tuple(hashlib.sha256(repr((j.status, values[:, i].tolist(), evals[:, i].tolist(),
                                      curve[:, i].tolist())).encode()).hexdigest()[:8]
                 for i, j in enumerate(jobs))
    return Cell(label, target, _settings(run, jobs[0]), tuple(found),
                tuple(s.n for s in found.values()), seeds, rounded(values), rounded(evals),
                rounded(curve), tuple(j.status for j in jobs),
                tuple(round(j.train.seconds + j.draw.seconds, 4) for j in jobs), bits)


def rounded(values: Array) -> Array:
    """Six significant digits of each number."""
    return np.array([float(f"{v:.6g}") for v in values.flat]).reshape(values.shape)


def _curve(scores: Scores, label: str, target: str, lead: str,
           place: dict[int, int]) -> tuple[Array, Array]:
    points = scores.curve(label, target, lead)
    evals = np.full((len(points), len(place)), np.inf)
    curve = np.full((len(points), len(place)), np.inf)
    for k, point in enumerate(points):
        for seed, value in zip(point.score.seeds, point.score.values, strict=True):
            evals[k, place[seed]] = point.spent[seed].evaluations()
            curve[k, place[seed]] = value if math.isfinite(value) else np.inf
    return evals, curve


def _settings(run: Run, job: Job) -> dict[str, Any]:
    """The cell's own settings: what was sampled how, and for how much.

    Parameters are the header's, since a job that died early did not write all of its own.
    """
    info = run.sampler(job.label)
    defaults = {k: _literal(text) for k, text in (info.get("defaults") or {}).items()}
    return {"sampler": info["name"], "params": {**defaults, **info["params"]},
            "target_params": job.target_params, "budget": f"{job.budget:g} {job.currency}"}


def _literal(text: str) -> Any:  # noqa: ANN401
    """A default as its value, so that 1e-3 and 0.001 are one; what is no literal stays text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
