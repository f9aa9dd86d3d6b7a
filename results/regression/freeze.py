"""Freezes a finished run into a snapshot, to be kept as a baseline or judged against one."""

from __future__ import annotations

import ast
import hashlib
import math
import shlex
from collections.abc import Sequence
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
from results.regression.baseline import SETTINGS, FloorSummary, SamplerOnTarget, Snapshot

#: Not gated: variants of a gated metric kept for a paper's sake, or a part of one.
UNGATED = frozenset({"ksd_dft", "mmd_drifting", "mean_energy", "mode_chi2", "kl_kde"})


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


def _floors(run: Run, gated: Sequence[str]) -> dict[tuple[str, str, int], FloorSummary]:
    made = {}
    for (target, metric, n), draws in run.draws.items():
        if metric in gated:
            middle, upper = np.quantile(draws, [0.5, 0.95])
            made[target, metric, n] = FloorSummary(float(middle), float(upper),
                                                   float(np.std(draws, ddof=1)))
    return made


def _cell(scores: Scores, label: str, target: str, gated: Sequence[str],
          lead: str) -> SamplerOnTarget | None:
    run = scores.run
    jobs = run.of(label, target)
    found = {m: score for m in gated if (score := scores.final(label, target, m)) is not None}
    if not jobs or (not found and all(j.status == "ok" for j in jobs)):
        return None
    seeds = tuple(j.seed for j in jobs)
    index = {seed: i for i, seed in enumerate(seeds)}
    values = np.full((len(found), len(seeds)), np.inf)
    for row, score in zip(values, found.values(), strict=True):
        for seed, value in zip(score.seeds, score.values, strict=True):
            if jobs[index[seed]].status == "ok":
                row[index[seed]] = value
    evals, curve = _curve(scores, label, target, lead, index)
    numbers = [(j.status, *(part[:, i].tolist() for part in (values, evals, curve)))
               for i, j in enumerate(jobs)]
    bits = tuple(hashlib.sha256(repr(one).encode()).hexdigest()[:8] for one in numbers)
    return SamplerOnTarget(
        label, target, _settings(run, jobs[0]), tuple(found), tuple(s.n for s in found.values()),
        seeds, rounded(values), rounded(evals), rounded(curve), tuple(j.status for j in jobs),
        tuple(round(j.train.seconds + j.draw.seconds, 4) for j in jobs), bits)


def rounded(values: Array) -> Array:
    """Six significant digits of each number."""
    return np.array([float(f"{v:.6g}") for v in values.flat]).reshape(values.shape)


def _curve(scores: Scores, label: str, target: str, lead: str,
           index: dict[int, int]) -> tuple[Array, Array]:
    points = scores.curve(label, target, lead)
    evals = np.full((len(points), len(index)), np.inf)
    curve = np.full((len(points), len(index)), np.inf)
    for k, point in enumerate(points):
        for seed, value in zip(point.score.seeds, point.score.values, strict=True):
            evals[k, index[seed]] = point.spent[seed].evaluations()
            curve[k, index[seed]] = value if math.isfinite(value) else np.inf
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
