"""What a child does with a job's specification: make its instances, run it, leave its records.

``execute`` plays and judges in one process; ``bench.jobs.referee`` has the two halves apart. Both
go through ``bench.jobs.one_job``. Where a job runs (a local slot, a cluster) is no business of
it. A child leaves each result in the run's inbox, whole or not at all.
"""

from __future__ import annotations

import os
import shutil
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.core.errors import MissingPackage, StoreError, UserError
from bench.harness.judge import Judge
from bench.harness.loop import CheckpointView, JobLoop
from bench.harness.scoring import Scorer
from bench.harness.validation import hyperparameters
from bench.jobs.instances import as_declared, make_metrics, make_sampler, make_target
from bench.jobs.messages import Ended, Event, Reached, Started
from bench.jobs.one_job import finished, play
from bench.jobs.spec import JobSpec
from bench.suite.declarations import undeclared
from results.records.arrays import save_arrays
from results.records.floors_file import Floors
from results.records.schema import Checkpoint, Job, Measure
from results.records.store import submit
from targets.base import Target

#: Sends an event to the run.
Tell = Callable[[Event], None]


def steady_torch(threads: int) -> None:
    """Make the first calls of transcendental functions as precise as all later ones.

    The first multi-threaded call of exp, log, ... in a process can be wrong by 1e-4; a call on a
    tiny tensor beforehand cures it.
    """
    torch.set_num_threads(threads)
    for dtype in (torch.float32, torch.float64):
        x = torch.full((2,), 0.5, dtype=dtype)
        for function in (torch.exp, torch.log, torch.sqrt, torch.rsqrt, torch.sin, torch.cos,
                         torch.tanh, torch.sigmoid, torch.log1p, torch.erf):
            function(x)


def execute(spec: JobSpec, tell: Tell) -> Job:
    """Do a job and leave its records; whatever the sampler does has a status.

    What is not the sampler's (a target that cannot be made, a damaged file, a full disk) is a
    UserError or a StoreError: nothing is recorded then, so that the job can be run again.
    """
    tell(Started(spec.key))
    with not_the_samplers(spec.key):
        target = make_target(spec.target, spec.settings)
        scorer = make_scorer(spec, target, tell)
        job = sample(spec, target, scorer.see, bool(scorer.judge.log_weight_metrics))
        leave(spec.settings.folder, finished(job, scorer, target), scorer)
    tell(Ended(spec.key, job.status))
    return job


def make_scorer(spec: JobSpec, target: Target, tell: Tell) -> Scorer:
    """The judge of a job's checkpoints, with the floors in the run's folder; tells of each."""
    settings = spec.settings
    path = settings.folder / "floors" / f"{spec.target.label}.npz"
    if target.has_reference and not path.exists():
        raise StoreError(f"'{path}' is missing, and with it what exact samples score; "
                         "make it again with --resume")
    judge = Judge(target, spec.target.label, make_metrics(settings), spec.seed, settings.n,
                  Floors.read(path))

    def on_checkpoint(record: Checkpoint, measures: list[Measure]) -> None:
        tell(Reached(spec.key, record.progress, record.steps, record.spent,
                     {m.metric: m.value for m in measures if m.value is not None}))

    return Scorer(spec.key, judge, settings.n_curve, on_checkpoint)


def leave(folder: Path, job: Job, scorer: Scorer) -> None:
    """Put the last points and the records of a job into the run's folder."""
    if scorer.points is not None:
        save_arrays(folder / "samples" / f"{job.key}.npz",
                    _samples(scorer.points, scorer.judge.evidence.target))
    submit(folder, job.key, [*scorer.records, job])


def _samples(points: Tensor, target: Target) -> dict[str, NDArray[np.float32]]:
    """The points and, where the target answers at them, their energies -log p~, uncharged."""
    arrays = {"points": points.float().cpu().numpy()}
    with suppress(Exception), torch.no_grad():
        arrays["energy"] = -target.log_prob(points).float().cpu().numpy()
    return arrays


@contextmanager
def not_the_samplers(key: str) -> Iterator[None]:
    """Around a job: what comes out of it is no fault of the sampler, and stops the run."""
    try:
        yield
    except (UserError, StoreError, torch.AcceleratorError):
        raise  # a device that fails takes its process with it, and the next seed has another
    except OSError as error:
        raise StoreError(f"a file cannot be read or written ({error}); nothing was recorded of "
                         "this job: mend that and go on with --resume") from error
    except Exception as error:
        traceback.print_exc()
        raise UserError(f"the benchmark itself failed at {key} ({type(error).__name__}: {error}); "
                        "that is no fault of the sampler, so nothing was recorded of this job: "
                        "please report it with what its log says") from error


def sample(spec: JobSpec, target: Target, observe: Callable[[CheckpointView], None],
           log_weights: bool) -> Job:
    """The sampler's side of a job: run it while somebody observes; how it ended, what it cost."""
    settings = spec.settings
    try:
        sampler = make_sampler(spec.sampler, settings)
    except MissingPackage as error:
        return spec.record("unsupported", str(error))
    asked = replace(spec.record("ok"), params=hyperparameters(sampler))
    if difference := undeclared(sampler, spec.sampler.name, spec.declared):
        return replace(asked, status="failed", reason=difference)
    loop = JobLoop(sampler, as_declared(target, spec.target), spec.target.label, spec.budget,
                   spec.seed, settings.n, settings.n_curve, log_weights)
    return play(loop, asked, observe, settings.fractions, settings.compile, settings.ladder_cap)


def check_compiler(device: str) -> None:
    """Refuse to compile for a CPU where there is no C++ compiler."""
    compiler = os.environ.get("CXX", "g++")
    if device == "cpu" and shutil.which(compiler) is None:
        raise UserError(f"compile needs the C++ compiler '{compiler}', which is not there; "
                        "install it, name another in CXX, or leave --compile out")


def check_device(device: str) -> None:
    """Refuse a CUDA device that is not there."""
    if device.startswith("cuda"):
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        index = int(device.partition(":")[2] or 0)
        if index >= count:
            raise UserError(f"device '{device}' is not there: torch {torch.__version__} sees "
                            f"{count} CUDA devices; use --device cpu")
