"""What a child process does: prepare targets, or run the jobs of one sampler on one target.

The function that runs a job is ``run_job``; where it runs (a local slot, a cluster) is no business
of it. A child leaves each result in the run's inbox, whole or not at all.
"""

from __future__ import annotations

import io
import os
import resource
import shutil
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.budget import Budget
from bench.errors import MissingPackage, UserError
from bench.judge import Judge
from bench.loop import Look, Run, probe
from bench.plan import job_facts
from bench.registry import defaults, load
from metrics.base import Metric
from results.records import Checkpoint, Job, Record
from results.store import submit, write_atomically
from samplers.base import Sampler
from targets.base import Target
from targets.parts.fused import compiling
from targets.parts.identity import digest, fingerprint
from targets.parts.reference import Referenced

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


def load_plugged(room: str, spec: dict[str, Any], common: dict[str, Any]) -> Any:  # noqa: ANN401
    """An instance of a suite's item, from our rooms or the run's plugin."""
    plugin = Path(common["plugin"]) if common["plugin"] else None
    return load(room, spec["name"], plugin, **spec["params"])


def make_target(spec: dict[str, Any], common: dict[str, Any]) -> Target:
    """The judged target of a job, on its device and in its dtype."""
    target: Target = load_plugged("targets", spec, common)
    if not isinstance(target.dim, int) or not target.scale > 0:
        raise UserError(f"target '{spec['name']}' must declare dim (a whole number) and scale > 0")
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
    """Run one seed of a sampler on a target; every failure becomes the status of its record."""
    common, key = spec["common"], spec["keys"][str(seed)]
    records: list[Record] = []
    facts = job_facts(spec, seed)
    tell({"event": "start", "key": key})
    try:
        job = _run(spec, seed, key, facts, records, tell)
    except (NotImplementedError, MissingPackage) as error:
        job = Job(**facts, status="unsupported", reason=str(error))
    except MemoryError as error:
        job = Job(**facts, status="out-of-memory", reason=str(error) or "memory is exhausted")
    except UserError:
        raise
    except Exception as error:
        status = "out-of-memory" if _is_memory(error) else "failed"
        traceback.print_exc()
        job = Job(**facts, status=status, reason=f"{type(error).__name__}: {error}"[:500])
    submit(Path(common["folder"]), key, [*records, job])
    tell({"event": "end", "key": key, "status": job.status})
    return job


def _is_memory(error: Exception) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _run(spec: dict[str, Any], seed: int, key: str, facts: dict[str, Any],
         records: list[Record], tell: Tell) -> Job:
    common = spec["common"]
    folder, label = Path(common["folder"]), spec["target"]["label"]
    target = make_target(spec["target"], common)
    sampler: Sampler = load_plugged("samplers", spec["sampler"], common)
    judge = Judge(target, label, make_metrics(common), seed, common["n"],
                  folder / "floors" / f"{label}.npz")
    run = Run(sampler, as_declared(target, spec["target"]), label,
              Budget(facts["currency"], facts["budget"]), seed, common["n"], common["n_curve"])
    scoring = 0.0

    def observe(look: Look) -> None:
        nonlocal scoring
        start = time.process_time()
        records.append(Checkpoint(key, look.index, look.progress, look.steps, look.spent,
                                  len(look.points), look.draw, look.final, look.diagnostics))
        with compiling(False):  # a job scores too few sets for it to pay
            measures = judge.measures(key, look, common["n_curve"])
        records.extend(measures)
        scoring += time.process_time() - start
        shown = {m.metric: m.value for m in measures if m.value is not None}
        tell({"event": "look", "key": key, "progress": look.progress, "values": shown})
        if look.final:
            _save_points(folder / "samples" / f"{key}.npz", look)

    judge.warm_up()
    before = probe()
    with compiling(common["compile"]):
        outcome = run.go(observe, tuple(common["fractions"]))
        done = outcome.state is not None and outcome.status != "diverged"
        ladder = run.ladder(common["ladder_cap"]) if done and sampler.kind == "amortised" else ()
    renewable = done and sampler.kind in ("continuing", "one-shot")
    return Job(**{**facts, "params": defaults(sampler)}, status=outcome.status,
               reason=outcome.reason, steps=outcome.steps, updates=outcome.updates,
               train=outcome.train, draw=outcome.draw, overshoot=outcome.overshoot,
               warmup_seconds=outcome.warmup_seconds, graphs=outcome.compiling.graphs,
               compile_seconds=outcome.compiling.wall,
               compile_note="; ".join(outcome.compiling.notes), scoring_seconds=scoring,
               peak_memory_mb=_peak_memory_mb(target), probe=(before, probe()), ladder=ladder,
               renewal=sampler.renewal(outcome.state) if renewable else None,
               diagnostics=sampler.diagnostics(outcome.state) if done else {},
               fingerprint=digest(fingerprint(target)))


def _save_points(path: Path, look: Look) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, points=look.points.float().cpu().numpy())
    write_atomically(path, buffer.getvalue())


def _peak_memory_mb(target: Target) -> float:
    if target.device.type == "cuda":
        return torch.cuda.max_memory_allocated(target.device) / 2**20
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes / (2**20 if sys.platform == "darwin" else 2**10)


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
