"""What a job is, from the plan of a run to the child that does it and the record it leaves.

A suite says what meets what; the plan makes of it one ``JobSpec`` for each sampler, target and
seed. A ``Task`` is what one child is told: to prepare targets, or to do jobs of one sampler on one
target. ``bench.jobs.messages`` is how it is told.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from bench.harness.budget import Budget, parse_budget
from bench.suite.declarations import Declared
from bench.suite.specs import MetricSpec, SamplerSpec, TargetSpec
from bench.suite.suite import Suite
from results.records.schema import Job, Status, joined


def job_key(sampler: str, target: str, seed: int) -> str:
    """The key that joins the records of a job, by labels; no two jobs of a run share one."""
    return joined(sampler, target, f"s{seed}")


@dataclass(frozen=True)
class RunSettings:
    """What all jobs of a run share.

    ``folder`` is the run's (of a sampler that a referee judges: one where its checkpoints are
    left), ``references`` are files by the label of the target they belong to, ``fractions`` are
    the shares of the budget at which there is a checkpoint. ``ladder_cap`` is in seconds.
    """

    folder: Path
    plugin: Path | None
    device: str
    dtype: str
    threads: int
    compile: bool
    n: int
    n_curve: int
    fractions: tuple[float, ...]
    ladder_cap: float
    floor_draws: int
    metrics: tuple[MetricSpec, ...]
    references: dict[str, str]

    @classmethod
    def of(cls, suite: Suite, folder: Path, threads: int) -> RunSettings:
        """The settings of a suite that runs in a folder, with so many threads a job."""
        return cls(folder.resolve(), suite.plugin, suite.device, suite.dtype, threads,
                   suite.compile, suite.n, suite.n_curve, suite.fractions, suite.ladder_cap,
                   suite.floor_draws, suite.metrics, suite.references)


@dataclass(frozen=True)
class JobSpec:
    """One sampler on one target with one seed: all that its numbers depend on.

    ``declared`` is what the sampler's file says of it, read without running it; ``preset`` names
    where its parameters come from, "" for its own defaults.
    """

    sampler: SamplerSpec
    target: TargetSpec
    seed: int
    budget: Budget
    declared: Declared
    preset: str
    settings: RunSettings

    @classmethod
    def of(cls, suite: Suite, sampler: SamplerSpec, target: TargetSpec, seed: int,
           declared: Declared, settings: RunSettings) -> JobSpec:
        """A job of a suite: under the sampler's own budget where it has one."""
        budget = parse_budget(sampler.budget) if sampler.budget else suite.budget
        return cls(sampler, target, seed, budget, declared, suite.preset if sampler.params else "",
                   settings)

    @property
    def key(self) -> str:
        """The key that joins the records of the job."""
        return job_key(self.sampler.label, self.target.label, self.seed)

    def record(self, status: Status, reason: str = "") -> Job:
        """The job's record as far as it is known before anything ran."""
        settings, target, declared = self.settings, self.target, self.declared
        return Job(
            self.key, self.sampler.name, self.sampler.label, target.label, self.seed,
            declared.kind, status, reason, learned=declared.learned, anneals=declared.anneals,
            preset=self.preset, params=self.sampler.params,
            target_params={**target.params, "temperature": target.temperature,
                           "scale": target.scale},
            currency=self.budget.currency, budget=self.budget.amount, device=settings.device,
            dtype=settings.dtype, threads=settings.threads)


@dataclass(frozen=True)
class PrepareTargets:
    """Make what the jobs and the report need of some targets (``bench.jobs.prepare``).

    ``samplers`` are those of the run: some hold fewer points than are asked for.
    """

    settings: RunSettings
    targets: tuple[TargetSpec, ...]
    samplers: tuple[SamplerSpec, ...]


@dataclass(frozen=True)
class DoJobs:
    """Do jobs of one sampler on one target, one after another.

    ``side``: ``both`` plays and judges in one process (``bench.jobs.execute``); with a referee
    ``sampler`` plays and ``judge`` judges what was left in ``played`` (``bench.jobs.referee``).
    ``copied``: each job in a copy of the process, since a user's code takes part.
    ``log_weights``: on the sampler's side, whether some metric asks for them.
    """

    jobs: tuple[JobSpec, ...]
    copied: bool
    side: Literal["both", "sampler", "judge"] = "both"
    log_weights: bool = False
    played: Path | None = None


@dataclass(frozen=True)
class Task:
    """Something for a child to do. ``wall_limit`` (seconds) holds anew after each job's start."""

    name: str
    work: PrepareTargets | DoJobs
    wall_limit: float

    @property
    def jobs(self) -> tuple[JobSpec, ...]:
        """The jobs to do; none where targets are prepared."""
        return self.work.jobs if isinstance(self.work, DoJobs) else ()

    @property
    def targets(self) -> tuple[str, ...]:
        """Labels of the targets to prepare; none where jobs are done."""
        return (tuple(t.label for t in self.work.targets)
                if isinstance(self.work, PrepareTargets) else ())

    def of(self, jobs: tuple[JobSpec, ...], **changes: Any) -> Task:  # noqa: ANN401
        """The same for some of the jobs."""
        assert isinstance(self.work, DoJobs)
        return replace(self, work=replace(self.work, jobs=jobs, **changes))
