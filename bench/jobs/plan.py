"""The plan of a run: its header (what was asked, by which code, where) and its tasks."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.core.entry import Entry
from bench.core.registry import exemptions, find
from bench.jobs.provenance import provenance
from bench.jobs.spec import DoJobs, JobSpec, PrepareTargets, RunSettings, Task
from bench.suite.declarations import Declared, check_declared
from bench.suite.serialised import to_facts
from bench.suite.specs import SamplerSpec, TargetSpec
from bench.suite.suite import Suite
from results.records.schema import HEADER_VERSION, joined


def header(suite: Suite, command: str) -> dict[str, Any]:
    """What ``run.json`` says before any job ran."""
    plugin = suite.plugin
    return {
        "v": HEADER_VERSION,
        "suite": to_facts(suite),
        "command": command,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        **provenance(suite),
        "samplers": {s.label: _sampler_facts(s, suite, plugin) for s in suite.samplers},
        "targets": {t.label: {"name": t.name, **_facts(find("targets", t.name, plugin))}
                    for t in suite.targets},
        "metrics": {m.label: {"name": m.name, **_facts(find("metrics", m.name, plugin)),
                              "params": m.params}
                    for m in suite.metrics},
        "exemptions": exemptions(plugin),
    }


#: Class attributes that a run keeps, and the keys of those that the file calls otherwise.
_FACTS = ("title", "kind", "family", "update", "citation", "limitations", "insensitive_to",
          "signed", "version", "learned", "anneals")
_ON_DISK = {"citation": "reference", "limitations": "cannot", "insensitive_to": "blind"}


def _facts(entry: Entry) -> dict[str, Any]:
    return {"summary": entry.summary,
            **{_ON_DISK.get(k, k): entry.attributes[k] for k in _FACTS
               if entry.attributes.get(k) is not None}}


def _sampler_facts(spec: SamplerSpec, suite: Suite, plugin: Path | None) -> dict[str, Any]:
    entry = find("samplers", spec.name, plugin)
    check_declared(entry)
    preset = suite.preset if spec.params else ""
    return {"name": spec.name, **_facts(entry), "preset": preset, "params": spec.params,
            "budget": spec.budget,
            "defaults": {k: default for k, (_, default) in entry.parameters.items()}}


def prepare_tasks(suite: Suite, folder: Path, slots: int) -> list[Task]:
    """The targets, dealt to as many children as there are slots; always on the CPU.

    A target that a user's code takes part in has a child of its own.
    """
    settings = RunSettings.of(suite, folder, 1)
    own = [t for t in suite.targets if _foreign(suite, t)]
    ours = [t for t in suite.targets if t not in own]
    deals = [ours[i::slots] for i in range(min(slots, len(ours)))] + [[t] for t in own]
    return [Task(f"targets-{i}", PrepareTargets(settings, tuple(deal), suite.samplers),
                 wall_limit=7200.0) for i, deal in enumerate(deals)]


def _foreign(suite: Suite, target: TargetSpec, sampler: SamplerSpec | None = None) -> bool:
    """Whether a user's code takes part in what is done with a target.

    Such code may keep things in its modules (a generator, a cache), so that what it computes
    would depend on what its process did before: it is given a process of its own.
    """
    parts = [target, *suite.metrics, *([sampler] if sampler is not None else [])]
    return not all(find(spec.registry, spec.name, suite.plugin).ours for spec in parts)


def job_tasks(suite: Suite, folder: Path, threads: int, finished: set[str]) -> list[Task]:
    """One child for all unfinished seeds of a target and a sampler.

    Under a budget of seconds the order is random, so that no sampler always meets a cold or a busy
    machine, and drawn from the suite's name, so that two runs go the same way. Otherwise numbers
    do not depend on the order: it is the suite's own, what is likely to be longest first.
    """
    settings = RunSettings.of(suite, folder, threads)
    tasks = [task for t in suite.targets for s in suite.samplers
             if (task := _task(suite, settings, t, s, finished)) is not None]
    if suite.budget.currency == "seconds":
        random.Random(suite.name).shuffle(tasks)
    else:
        tasks.sort(key=lambda task: (not task.jobs[0].declared.learned,
                                     task.jobs[0].declared.kind == "baseline"))
    return tasks


def _task(suite: Suite, settings: RunSettings, target: TargetSpec, sampler: SamplerSpec,
          finished: set[str]) -> Task | None:
    """The child that does what is left of a sampler on a target; in copies for users' code."""
    declared = Declared.of(find("samplers", sampler.name, suite.plugin))
    jobs = (JobSpec.of(suite, sampler, target, seed, declared, settings) for seed in suite.seeds)
    left = tuple(job for job in jobs if job.key not in finished)
    if not left:
        return None
    return Task(joined(sampler.label, target.label),
                DoJobs(left, copied=_foreign(suite, target, sampler)), suite.wall_limit)
