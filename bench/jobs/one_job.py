"""One job in this process: a sampler, a target and metrics that are objects already.

    from bench.harness.budget import parse_budget
    from bench.jobs.one_job import execute_job

    done = execute_job(Hmc(chains=500), gmm4, {"mmd": Mmd()}, parse_budget("3e5evals"), n=1000)
    done.job.status, done.points, done.checkpoints, done.measures

A job of a suite (``bench.jobs.execute``) goes through the same two functions, ``play`` for the
sampler's side and ``finished`` for what the judge adds, so that equal settings give equal numbers.
Floors, and with them p-values, come from ``bench.jobs.floors.find_floors``.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from bench.core.compilation import compiling
from bench.core.fingerprint import digest, fingerprint
from bench.harness.budget import Budget
from bench.harness.judge import Judge
from bench.harness.loop import FRACTIONS, CheckpointView, JobLoop, probe
from bench.harness.scoring import OnCheckpoint, Scorer
from bench.harness.validation import hyperparameters
from bench.jobs.spec import job_key
from metrics.base import Metric
from results.records.floors_file import Floors
from results.records.schema import Checkpoint, Job, Measure
from samplers.base import Sampler
from targets.base import Target

#: Seconds that one timed draw of an amortised sampler may take (the ladder of fresh draws).
LADDER_CAP = 0.25


@dataclass(frozen=True)
class ExecutedJob:
    """What a job leaves: its record, its checkpoints, what metrics gave there, its last points.

    ``points`` has shape (m, dim), m <= n, in the target's type; None where the job came to no end
    (``job.status`` and ``job.reason`` say why). ``views`` are what each checkpoint showed, for
    metrics that are to be added later (``bench.harness.judge.Judge.measures``).
    """

    job: Job
    checkpoints: tuple[Checkpoint, ...]
    measures: tuple[Measure, ...]
    points: Tensor | None
    views: tuple[CheckpointView, ...]


def execute_job(sampler: Sampler, target: Target, metrics: Mapping[str, Metric], budget: Budget, *,
                n: int = 5000, n_curve: int = 1000, seed: int = 0,
                fractions: tuple[float, ...] = FRACTIONS, target_name: str = "", label: str = "",
                scale: float | None = None, compile: bool = False, floors: Floors | None = None,
                ladder_cap: float = LADDER_CAP,
                on_checkpoint: OnCheckpoint = lambda checkpoint, measures: None) -> ExecutedJob:
    """Let the sampler spend the budget on the target, and judge what its checkpoints show.

    ``metrics`` are by label; ``n`` points are drawn and judged at the end, ``n_curve`` at each of
    the other checkpoints, which come when a share of the budget in ``fractions`` (rising, the last
    1) has been spent. ``target_name`` (the target's own by default) and ``seed`` choose the random
    numbers and the reference points. ``scale``: a length scale that the sampler is told instead of
    the target's own. ``on_checkpoint`` hears of each checkpoint when it has been scored.

    Whatever the sampler does has a status in the record; what comes out of here as an exception is
    a metric's, the target's judging side's or ``on_checkpoint``'s.
    """
    name, label = target_name or target.name, label or sampler.name
    n_curve = min(n_curve, n)
    asked = Job(job_key(label, name, seed), sampler.name, label, name, seed, sampler.kind,
                status="ok", learned=sampler.learned, anneals=sampler.anneals,
                params=hyperparameters(sampler),
                target_params={**hyperparameters(target), "scale": scale},
                currency=budget.currency, budget=budget.amount, device=str(target.device),
                dtype=str(target.dtype).removeprefix("torch."), threads=torch.get_num_threads())
    judge = Judge(target, name, dict(metrics), seed, n, floors or Floors())
    scorer = Scorer(asked.key, judge, n_curve, on_checkpoint)
    views: list[CheckpointView] = []

    def observe(view: CheckpointView) -> None:
        views.append(view)
        scorer.see(view)

    loop = JobLoop(sampler, target if scale is None else target.declaring(scale), name, budget,
                   seed, n, n_curve, bool(judge.log_weight_metrics))
    job = finished(play(loop, asked, observe, fractions, compile, ladder_cap), scorer, target)
    return ExecutedJob(job, tuple(r for r in scorer.records if isinstance(r, Checkpoint)),
                       tuple(r for r in scorer.records if isinstance(r, Measure)), scorer.points,
                       tuple(views))


def play(loop: JobLoop, asked: Job, observe: Callable[[CheckpointView], None],
         fractions: tuple[float, ...], compile: bool, ladder_cap: float) -> Job:
    """The sampler's side of a job: ``asked`` with how it ended and what it cost."""
    before = probe()
    with compiling(compile):
        loop.play(observe, fractions)
        outcome = loop.read_off(ladder_cap)
    return replace(
        asked, status=outcome.status, reason=outcome.reason, steps=outcome.steps,
        updates=outcome.updates, train=outcome.train, draw=outcome.draw,
        overshoot=outcome.overshoot, warmup_seconds=outcome.warmup_seconds,
        graphs=outcome.compiling.graphs, compile_seconds=outcome.compiling.wall,
        compile_note="; ".join(outcome.compiling.notes), uncharged=outcome.uncharged,
        peak_memory_mb=_peak_memory_mb(loop.target.device), probe=(before, probe()),
        notes=outcome.notes, ladder=outcome.ladder, renewal=outcome.renewal,
        diagnostics=outcome.diagnostics)


def finished(job: Job, scorer: Scorer, target: Target) -> Job:
    """The job's record with what only the judging side knows."""
    return replace(job, scoring_seconds=scorer.seconds, fingerprint=digest(fingerprint(target)))


def _peak_memory_mb(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes / (2**20 if sys.platform == "darwin" else 2**10)
