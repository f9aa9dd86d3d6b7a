"""``--referee``: the sampler runs where nothing can judge it, and is judged where it never was.

``play`` is the sampler's side of a job. Its process has a target that is its density alone
(``targets.sampling_only``), and a folder that lives only until the job is judged; it is told
neither the run's folder nor a reference. What each checkpoint shows is written there. ``judge``
reads it in another process, which has the run's folder, and makes the records. The numbers are
those of ``bench.jobs.execute.execute``; metrics that want a sampler's log-weights at exact points
have none, since there are no exact points where the sampler is.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.core.cost import Cost
from bench.core.errors import StoreError
from bench.harness.loop import CheckpointView
from bench.jobs.execute import Tell, leave, make_scorer, not_the_samplers, sample
from bench.jobs.instances import make_target
from bench.jobs.messages import Ended, Reached, Started
from bench.jobs.one_job import finished
from bench.jobs.referee_tasks import END
from bench.jobs.spec import JobSpec
from results.records.arrays import read_arrays, save_arrays
from results.records.schema import Job, dump, parse
from results.records.store import save
from samplers.base import LogWeights
from targets.base import Target
from targets.sampling_only import sampling_only

META = "meta"


def play(spec: JobSpec, log_weights: bool, tell: Tell) -> None:
    """Run one seed of a sampler on a density, and leave what its checkpoints showed."""
    settings, folder = spec.settings, spec.settings.folder / spec.key
    tell(Started(spec.key))

    def keep(checkpoint: CheckpointView) -> None:
        said = {n: checkpoint.log_weights(n, None) for n in _sizes(checkpoint, settings.n_curve)} \
            if log_weights else {}
        save_arrays(folder / f"{checkpoint.index}.npz", _packed(checkpoint, said))
        tell(Reached(spec.key, checkpoint.progress, checkpoint.steps, checkpoint.spent))

    with not_the_samplers(spec.key):
        job = sample(spec, _density(spec), keep, log_weights)
        save(folder / END, dump(job).encode())
    tell(Ended(spec.key, job.status))


#: The density of this process's task, made once: its classes cannot make another.
_made: list[Target] = []


def _density(spec: JobSpec) -> Target:
    if not _made:
        _made.append(sampling_only(make_target(spec.target, spec.settings)))
    return _made[0]


def judge(spec: JobSpec, played: Path, tell: Tell) -> None:
    """Make the records of a job that was played, and submit them to the run's folder."""
    left = played / spec.key
    tell(Started(spec.key))
    with not_the_samplers(spec.key):
        target = make_target(spec.target, spec.settings)
        scorer = make_scorer(spec, target, tell)
        for path in sorted(left.glob("*.npz"), key=lambda path: int(path.stem)):
            scorer.see(_unpacked(read_arrays(path), target.device))
        leave(spec.settings.folder, finished(_job(left / END), scorer, target), scorer)
    tell(Ended(spec.key, "judged"))


def _job(path: Path) -> Job:
    record = parse(path.read_text(encoding="utf-8"))
    if not isinstance(record, Job):
        raise StoreError(f"'{path}' holds no job; make it again with --resume")
    return record


def _sizes(checkpoint: CheckpointView, n_curve: int) -> set[int]:
    """The numbers of points at which the judge asks: the curve's, and at last the table's."""
    curve = min(n_curve, len(checkpoint.points))
    return {curve, len(checkpoint.points)} if checkpoint.final else {curve}


def _packed(checkpoint: CheckpointView,
            said: dict[int, LogWeights | None]) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {"points": checkpoint.points.cpu().numpy()}
    estimates: dict[str, Any] = {}
    for n, weights in said.items():
        if weights is not None:
            estimates[str(n)] = weights.log_z
            arrays |= {f"{part}/{n}": value.cpu().numpy() for part in ("at_draws", "gap")
                       if (value := getattr(weights, part)) is not None}
    meta = {"index": checkpoint.index, "progress": checkpoint.progress, "steps": checkpoint.steps,
            "spent": dataclasses.asdict(checkpoint.spent),
            "draw": dataclasses.asdict(checkpoint.draw),
            "final": checkpoint.final, "diagnostics": checkpoint.diagnostics, "log_z": estimates}
    return {**arrays, META: np.array(json.dumps(meta))}


def _unpacked(arrays: dict[str, np.ndarray], device: torch.device) -> CheckpointView:
    meta = json.loads(str(arrays[META]))
    estimates = meta.pop("log_z")

    def log_weights(n: int, exact: Tensor | None) -> LogWeights | None:
        if str(n) not in estimates:
            return None
        parts = {part: torch.from_numpy(arrays[f"{part}/{n}"]) for part in ("at_draws", "gap")
                 if f"{part}/{n}" in arrays}
        log_z = estimates[str(n)]
        return LogWeights(**parts, log_z=None if log_z is None else (log_z[0], log_z[1]))

    return CheckpointView(**{**meta, "spent": Cost(**meta["spent"]), "draw": Cost(**meta["draw"])},
                points=torch.from_numpy(arrays["points"]).to(device), log_weights=log_weights)
