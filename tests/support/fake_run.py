"""A run's folder made up, by the program's own functions: its header and its records.

What a header says of entries and settings comes from ``bench.jobs.plan.header``, as a run has it;
a made-up name stands in for a real entry. Where it comes from is fixed, so that pages and
baselines are the same each time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

from numpy.typing import NDArray

from bench.core.registry import catalogue
from bench.jobs import plan
from bench.suite.specs import ItemSpec, MetricSpec, SamplerSpec, TargetSpec
from bench.suite.suite import Suite
from results.records.arrays import save_arrays
from results.records.schema import Record
from results.records.store import Store, save

#: What ``bench.jobs.provenance`` says of a machine that is nobody's.
PROVENANCE = {"commit": "abc1234def", "dirty": False, "code": "0123456789abcdef",
              "versions": {"torch": "2.13.0", "numpy": "2.4.6"},
              "machine": {"cpu": "Some CPU", "cores": 2, "platform": "Linux", "memory_gib": 8.0,
                          "gpu": None},
              "inputs": {}}
STARTED = "2026-11-22T17:00:00+00:00"
#: The entries that stand in for those that are made up.
STAND_IN: dict[type[ItemSpec], str] = {TargetSpec: "gaussian", SamplerSpec: "ula",
                                       MetricSpec: "mmd"}


def items(kind: type[Any], labels: Iterable[str], **params: Any) -> tuple[Any, ...]:
    """What a suite says of entries by their labels; ``params`` of an entry by its label."""
    known = catalogue()[kind.registry]
    return tuple(kind(name if name in known else STAND_IN[kind], name, params.get(name, {}))
                 for name in labels)


def header(suite: Suite, command: str, *, samplers: Mapping[str, dict[str, Any]] = {},
           targets: Mapping[str, dict[str, Any]] = {}, metrics: Mapping[str, dict[str, Any]] = {},
           ) -> dict[str, Any]:
    """What ``run.json`` holds, with facts by label that are added or said otherwise."""
    with mock.patch.object(plan, "provenance", lambda suite: PROVENANCE):
        head: dict[str, Any] = json.loads(json.dumps(plan.header(suite, command)))
    for part, facts in (("samplers", samplers), ("targets", targets), ("metrics", metrics)):
        for label, entry in head[part].items():
            entry.update({"name": label, **facts.get(label, {})})
    return head | {"started": STARTED}


def write(folder: Path, head: Mapping[str, Any], records: Iterable[Record],
          floors: Mapping[str, Mapping[str, NDArray[Any]]]) -> Path:
    """The folder of a run; ``floors`` by target and then ``metric/points``. Returns the folder."""
    with Store(folder) as store:
        save(folder / "run.json", json.dumps(head, indent=1).encode())
        for target, draws in floors.items():
            save_arrays(folder / "floors" / f"{target}.npz", draws)
        store.append(records)
    return folder
