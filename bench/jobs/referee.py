"""``--referee``: the sampler runs where nothing can judge it, and is judged where it never was.

``play`` is the sampler's side of a job. Its process has a target that is its density alone
(``targets.sampling_only``), and a folder that lives only until the job is judged; it is told
neither the run's folder nor a reference. What each checkpoint shows is written there. ``judge``
reads it in another process, which has the run's folder, and makes the records. The numbers are
those of ``bench.jobs.execute.run_job``; metrics that want a sampler's log-weights at exact points
have none, since there are no exact points where the sampler is.
"""

from __future__ import annotations

import dataclasses
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.core.cost import Cost
from bench.harness.loop import CheckpointView
from bench.jobs.execute import (
    Tell,
    leave,
    make_scorer,
    make_target,
    not_the_samplers,
    sample,
)
from bench.jobs.one_job import finished
from bench.jobs.referee_tasks import END
from results.records.arrays import read_arrays, save_arrays
from results.records.schema import Job, dump, parse
from results.records.store import StoreError, save
from samplers.base import LogWeights
from targets.base import Target
from targets.sampling_only import sampling_only

META = "meta"


def play(spec: dict[str, Any], seed: int, tell: Tell) -> None:
    """Run one seed of a sampler on a density, and leave what its checkpoints showed."""
    common, key = spec["common"], spec["keys"][str(seed)]
    folder = Path(common["folder"]) / key
    tell({"event": "start", "key": key})

    def keep(checkpoint: CheckpointView) -> None:
        weighings = {n: checkpoint.log_weights(n, None) for n in _sizes(checkpoint, common)} \
            if common["weighed"] else {}
        save_arrays(folder / f"{checkpoint.index}.npz", _packed(checkpoint, weighings))
        tell({"event": "look", "key": key, "progress": checkpoint.progress,
              "steps": checkpoint.steps, "spent": dataclasses.asdict(checkpoint.spent),
              "values": {}})

    with not_the_samplers(key):
        target = _density(json.dumps([spec["target"], common]))
        job = sample(spec, seed, target, keep, common["weighed"])
        save(folder / END, dump(job).encode())
    tell({"event": "end", "key": key, "status": job.status})


@cache
def _density(told: str) -> Target:
    """The density of this process's task, made once: its classes cannot make another."""
    target, common = json.loads(told)
    return sampling_only(make_target(target, common))


def judge(spec: dict[str, Any], seed: int, tell: Tell) -> None:
    """Make the records of a job that was played, and submit them to the run's folder."""
    common, key = spec["common"], spec["keys"][str(seed)]
    played = Path(spec["played"]) / key
    tell({"event": "start", "key": key})
    with not_the_samplers(key):
        target = make_target(spec["target"], common)
        scorer = make_scorer(spec, seed, target, tell)
        for path in sorted(played.glob("*.npz"), key=lambda path: int(path.stem)):
            scorer.see(_unpacked(read_arrays(path), target.device))
        leave(Path(common["folder"]), finished(_job(played / END), scorer, target), scorer)
    tell({"event": "end", "key": key, "status": "judged"})


def _job(path: Path) -> Job:
    record = parse(path.read_text(encoding="utf-8"))
    if not isinstance(record, Job):
        raise StoreError(f"'{path}' holds no job; make it again with --resume")
    return record


def _sizes(checkpoint: CheckpointView, common: dict[str, Any]) -> set[int]:
    """The numbers of points at which the judge asks: the curve's, and at last the table's."""
    curve = min(common["n_curve"], len(checkpoint.points))
    return {curve, len(checkpoint.points)} if checkpoint.final else {curve}


def _packed(checkpoint: CheckpointView,
            weighings: dict[int, LogWeights | None]) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {"points": checkpoint.points.cpu().numpy()}
    estimates: dict[str, Any] = {}
    for n, said in weighings.items():
        if said is not None:
            estimates[str(n)] = said.log_z
            arrays |= {f"{part}/{n}": value.cpu().numpy() for part in ("at_draws", "gap")
                       if (value := getattr(said, part)) is not None}
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
