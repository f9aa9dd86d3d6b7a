"""What a child process does: prepare targets, or run the jobs of one sampler on one target.

The function that runs a job is ``run_job``; where it runs (a local slot, a cluster) is no business
of it. A child leaves each result in the run's inbox, whole or not at all.
"""

from __future__ import annotations

import os
import shutil
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.core.errors import MissingPackage, UserError
from bench.core.registry import load
from bench.harness.budget import Budget
from bench.harness.judge import Judge
from bench.harness.loop import CheckpointView, JobLoop
from bench.harness.scoring import Scorer
from bench.harness.validation import hyperparameters, settled
from bench.jobs.one_job import finished, play
from bench.jobs.plan import job_facts
from bench.suite.declarations import undeclared
from metrics.base import Metric
from results.records.arrays import save_arrays
from results.records.floors_file import Floors
from results.records.schema import Checkpoint, Job, Measure
from results.records.store import StoreError, submit
from samplers.base import Sampler
from targets.base import Target
from targets.reference import Referenced

#: Sends an event to the run.
Tell = Callable[[dict[str, Any]], None]


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


def load_plugged(kind: str, spec: dict[str, Any], common: dict[str, Any]) -> Any:  # noqa: ANN401
    """An instance of a suite's item, from our rooms or the run's plugin."""
    plugin = Path(common["plugin"]) if common["plugin"] else None
    return load(kind, spec["name"], plugin, **spec["params"])


def make_target(spec: dict[str, Any], common: dict[str, Any]) -> Target:
    """The judged target of a job, on its device and in its dtype; UserError where that fails."""
    try:
        return _make_target(spec, common)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"target '{spec['name']}' cannot be made: {type(error).__name__}: {error}"
                        ) from error


def _make_target(spec: dict[str, Any], common: dict[str, Any]) -> Target:
    target = settled(load_plugged("targets", spec, common), spec["name"])
    if spec["temperature"] != 1.0:
        target = target.tempered(spec["temperature"])
    reference = common["references"].get(spec["label"])
    if reference:
        try:
            pool = torch.as_tensor(np.load(reference, allow_pickle=False))
            target = Referenced(target, pool, f"a run named by the user: {Path(reference).name}")
        except (ValueError, TypeError, OSError, EOFError) as error:
            raise UserError(f"reference '{reference}' cannot be used: {error}") from None
    return target.to(common["device"], getattr(torch, common["dtype"]))


def as_declared(target: Target, spec: dict[str, Any]) -> Target:
    """The target as samplers meet it: under the suite's own scale where the suite states one.

    The judge keeps the target's own: fingerprint and floors belong to the density alone.
    """
    return target if spec["scale"] is None else target.declaring(spec["scale"])


def make_metrics(common: dict[str, Any]) -> dict[str, Metric]:
    """The metrics of the suite by their labels."""
    return {m["label"]: load_plugged("metrics", m, common) for m in common["metrics"]}


def run_job(spec: dict[str, Any], seed: int, tell: Tell) -> Job:
    """Run one seed of a sampler on a target and leave its records; whatever it does has a status.

    What is not the sampler's (a target that cannot be made, a damaged file, a full disk) is a
    UserError or a StoreError: nothing is recorded then, so that the job can be run again.
    """
    common, key = spec["common"], spec["keys"][str(seed)]
    tell({"event": "start", "key": key})
    with not_the_samplers(key):
        target = make_target(spec["target"], common)
        scorer = make_scorer(spec, seed, target, tell)
        job = sample(spec, seed, target, scorer.see, bool(scorer.judge.log_weight_metrics))
        leave(Path(common["folder"]), finished(job, scorer, target), scorer)
    tell({"event": "end", "key": key, "status": job.status})
    return job


def make_scorer(spec: dict[str, Any], seed: int, target: Target, tell: Tell) -> Scorer:
    """The judge of a job's checkpoints, with the floors in the run's folder; tells of each."""
    common, label = spec["common"], spec["target"]["label"]
    path = Path(common["folder"]) / "floors" / f"{label}.npz"
    if target.has_reference and not path.exists():
        raise StoreError(f"'{path}' is missing, and with it what exact samples score; "
                         "make it again with --resume")
    judge = Judge(target, label, make_metrics(common), seed, common["n"], Floors.read(path))

    def on_checkpoint(record: Checkpoint, measures: list[Measure]) -> None:
        tell({"event": "look", "key": record.key, "progress": record.progress,
              "steps": record.steps, "spent": asdict(record.spent),
              "values": {m.metric: m.value for m in measures if m.value is not None}})

    return Scorer(spec["keys"][str(seed)], judge, common["n_curve"], on_checkpoint)


def leave(folder: Path, job: Job, scorer: Scorer) -> None:
    """Put the last points and the records of a job into the run's folder."""
    if scorer.points is not None:
        save_arrays(folder / "samples" / f"{job.key}.npz",
                    {"points": scorer.points.float().cpu().numpy()})
    submit(folder, job.key, [*scorer.records, job])


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


def sample(spec: dict[str, Any], seed: int, target: Target,
           observe: Callable[[CheckpointView], None], weighed: bool) -> Job:
    """The sampler's side of a job: run it while somebody observes; how it ended, what it cost."""
    common, facts = spec["common"], job_facts(spec, seed)
    try:
        sampler: Sampler = load_plugged("samplers", spec["sampler"], common)
    except MissingPackage as error:
        return Job(**facts, status="unsupported", reason=str(error))
    facts["params"] = hyperparameters(sampler)
    if difference := undeclared(sampler, spec["sampler"]):
        return Job(**facts, status="failed", reason=difference)
    loop = JobLoop(sampler, as_declared(target, spec["target"]), spec["target"]["label"],
                   Budget(facts["currency"], facts["budget"]), seed, common["n"],
                   common["n_curve"], weighed)
    return play(loop, Job(**facts, status="ok"), observe, tuple(common["fractions"]),
                common["compile"], common["ladder_cap"])


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
