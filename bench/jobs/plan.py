"""The plan of a run: its header (what was asked, by which code, where) and its tasks."""

from __future__ import annotations

import dataclasses
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.core.entry import Entry
from bench.core.registry import exemptions, find
from bench.harness.budget import Budget, parse_budget
from bench.jobs.pool import Task
from bench.jobs.provenance import provenance
from bench.suite.declarations import check_declared
from bench.suite.schema import Spec
from bench.suite.suite import Suite
from results.records.schema import HEADER_VERSION, joined


def header(suite: Suite, command: str) -> dict[str, Any]:
    """What ``run.json`` says before any job ran."""
    plugin = Path(suite.plugin) if suite.plugin else None
    return {
        "v": HEADER_VERSION,
        "suite": suite_facts(suite),
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
_FACTS = ("title", "kind", "family", "update", "citation", "limitations", "blind", "signed",
          "version", "learned", "anneals")
_ON_DISK = {"citation": "reference", "limitations": "cannot"}


def suite_facts(suite: Suite) -> dict[str, Any]:
    """The suite as plain values; two runs with the same facts are the same run."""
    facts = dataclasses.asdict(suite)
    del facts["targets"], facts["samplers"], facts["metrics"]
    if not suite.check:
        del facts["check"]
    return {**facts, "seeds": len(suite.seeds), "seed_list": list(suite.seeds),
            "budget": str(suite.budget), "currency": suite.budget.currency,
            "amount": suite.budget.amount,
            "items": {kind: [dataclasses.asdict(s) for s in getattr(suite, kind)]
                      for kind in ("targets", "samplers", "metrics")}}


def _facts(entry: Entry) -> dict[str, Any]:
    return {"summary": entry.summary,
            **{_ON_DISK.get(k, k): entry.attributes[k] for k in _FACTS
               if entry.attributes.get(k) is not None}}


def _sampler_facts(spec: Spec, suite: Suite, plugin: Path | None) -> dict[str, Any]:
    entry = find("samplers", spec.name, plugin)
    check_declared(entry)
    preset = suite.preset if spec.params else ""
    return {"name": spec.name, **_facts(entry), "preset": preset, "params": spec.params,
            "budget": spec.budget,
            "defaults": {k: default for k, (_, default) in entry.parameters.items()}}


def job_key(sampler: str, target: str, seed: int) -> str:
    """The key that joins the records of a job; no two jobs of a run share one."""
    return joined(sampler, target, f"s{seed}")


def _common(suite: Suite, folder: Path, threads: int) -> dict[str, Any]:
    return {"folder": str(folder.resolve()), "plugin": suite.plugin, "device": suite.device,
            "references": suite.references, "dtype": suite.dtype, "threads": threads,
            "compile": suite.compile,
            "n": suite.n, "n_curve": suite.n_curve, "fractions": list(suite.fractions),
            "currency": suite.budget.currency, "amount": suite.budget.amount,
            "ladder_cap": suite.ladder_cap, "floor_draws": suite.floor_draws,
            "metrics": [dataclasses.asdict(m) for m in suite.metrics],
            "samplers": [dataclasses.asdict(s) for s in suite.samplers]}


def weighs(common: dict[str, Any]) -> bool:
    """Whether some metric of a run asks samplers for log-weights."""
    plugin = Path(common["plugin"]) if common["plugin"] else None
    return any("weights" in (find("metrics", m["name"], plugin).attributes.get("needs") or ())
               for m in common["metrics"])


def prepare_tasks(suite: Suite, folder: Path, slots: int) -> list[Task]:
    """The targets, dealt to as many children as there are slots; always on the CPU.

    A target that a user's code takes part in has a child of its own.
    """
    own = [t for t in suite.targets if _foreign(suite, t)]
    ours = [t for t in suite.targets if t not in own]
    deals = [ours[i::slots] for i in range(min(slots, len(ours)))] + [[t] for t in own]
    return [Task(f"targets-{i}", {"task": "prepare", "common": _common(suite, folder, 1),
                                  "targets": [dataclasses.asdict(t) for t in deal]},
                 wall_limit=7200.0) for i, deal in enumerate(deals)]


def _foreign(suite: Suite, target: Spec, sampler: Spec | None = None) -> bool:
    """Whether a user's code takes part in what is done with a target.

    Such code may keep things in its modules (a generator, a cache), so that what it computes
    would depend on what its process did before: it is given a process of its own.
    """
    plugin = Path(suite.plugin) if suite.plugin else None
    parts = [("targets", target), *(("metrics", m) for m in suite.metrics)]
    parts += [("samplers", sampler)] if sampler is not None else []
    return not all(find(kind, spec.name, plugin).ours for kind, spec in parts)


def job_tasks(suite: Suite, folder: Path, threads: int, finished: set[str]) -> list[Task]:
    """One child for all unfinished seeds of a target and a sampler.

    Under a budget of seconds the order is random, so that no sampler always meets a cold or a busy
    machine, and drawn from the suite's name, so that two runs go the same way. Otherwise numbers
    do not depend on the order: it is the suite's own, what is likely to be longest first.
    """
    common = _common(suite, folder, threads)
    tasks = [task for t in suite.targets for s in suite.samplers
             if (task := cell_task(suite, common, t, s, finished)) is not None]
    if suite.budget.currency == "seconds":
        random.Random(suite.name).shuffle(tasks)
    else:
        tasks.sort(key=lambda task: (not task.spec["sampler"]["learned"],
                                     task.spec["sampler"]["kind"] == "baseline"))
    return tasks


def cell_task(suite: Suite, common: dict[str, Any], target: Spec, sampler: Spec,
              finished: set[str]) -> Task | None:
    """The child that runs what is left of one cell, if anything is; in copies for users' code."""
    plugin = Path(suite.plugin) if suite.plugin else None
    keys = {seed: job_key(sampler.label, target.label, seed) for seed in suite.seeds}
    seeds = [seed for seed, key in keys.items() if key not in finished]
    if not seeds:
        return None
    attributes = find("samplers", sampler.name, plugin).attributes
    spec = {"task": "jobs", "common": common, "copied": _foreign(suite, target, sampler),
            "seeds": seeds,
            "keys": {str(seed): key for seed, key in keys.items()},
            "target": dataclasses.asdict(target),
            "sampler": {**dataclasses.asdict(sampler), "kind": attributes.get("kind", ""),
                        "learned": bool(attributes.get("learned")),
                        "anneals": bool(attributes.get("anneals")),
                        "preset": suite.preset if sampler.params else ""}}
    return Task(joined(sampler.label, target.label), spec, suite.wall_limit)


def job_facts(spec: dict[str, Any], seed: int) -> dict[str, Any]:
    """What a job's record says before anything ran; also used for a child that died."""
    common, sampler, target = spec["common"], spec["sampler"], spec["target"]
    budget = (parse_budget(sampler["budget"]) if sampler["budget"]
              else Budget(common["currency"], common["amount"]))
    return {"key": spec["keys"][str(seed)], "sampler": sampler["name"], "label": sampler["label"],
            "target": target["label"], "seed": seed, "kind": sampler["kind"],
            "learned": sampler["learned"], "anneals": sampler["anneals"],
            "preset": sampler["preset"], "params": sampler["params"],
            "target_params": {**target["params"], "temperature": target["temperature"],
                              "scale": target["scale"]},
            "currency": budget.currency, "budget": budget.amount,
            "device": common["device"], "dtype": common["dtype"], "threads": common["threads"]}
