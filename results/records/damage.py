"""What lies damaged in a run's folder, found before it is gone on with, and made again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.core.errors import StoreError
from results.records.arrays import read_arrays
from results.records.schema import Checkpoint, Job, Record
from results.records.store import aside


def of_targets(folder: Path, targets: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Prepared targets whose floors or density are damaged or missing, each with a sentence."""
    found = {}
    for label, facts in targets.items():
        kinds = [kind for kind, is_there in (("density", facts.get("dim") == 2),
                                             ("floors", facts.get("has_reference"))) if is_there]
        if "fingerprint" in facts and (said := _first(folder, kinds, label)):
            found[label] = said
    return found


def of_jobs(folder: Path, records: Iterable[Record]) -> dict[str, str]:
    """Jobs that ended well whose samples are damaged or missing, by key, with a sentence."""
    records = list(records)
    drawn = {r.key for r in records if isinstance(r, Checkpoint) and r.final}
    keys = [r.key for r in records if isinstance(r, Job) and r.status == "ok" and r.key in drawn]
    return {key: said for key in keys if (said := _first(folder, ["samples"], key))}


def _first(folder: Path, kinds: Iterable[str], name: str) -> str:
    """What is wrong with the first file that is; a damaged one is set aside."""
    for kind in kinds:
        path = folder / kind / f"{name}.npz"
        try:
            read_arrays(path)
        except StoreError:
            if not path.exists():
                return f"{kind}/{path.name} is missing"
            return f"{kind}/{path.name} is damaged, set aside as {aside(path).name}"
    return ""
