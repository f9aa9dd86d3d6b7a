"""What of a stored audit still holds: for this target, metric, defect and floor."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.core.fingerprint import digest, fingerprint, same
from metrics.audit.defect import Defect
from metrics.audit.null_checks import LEVEL
from metrics.base import Metric
from targets.base import Target

Array = np.ndarray


def checksum(floor: Array) -> str:
    """Eight hex digits of a floor's draws."""
    return f"{zlib.crc32(np.ascontiguousarray(floor, dtype=np.float32).tobytes()):08x}"


def heading(target: Target, name: str, planned: Sequence[Defect]) -> dict[str, Any]:
    """What decides whether an audit still holds for a target, and what its defects mean there."""
    kinds: dict[str, Any] = {}
    for defect in planned:
        kind = kinds.setdefault(defect.name, {"title": defect.title, "version": defect.version,
                                              "grades": {}})
        kind["grades"][defect.text] = defect.note(target)
    behaviour = [short(v, 9) for v in fingerprint(target)]
    return {"target": name, "digest": digest(fingerprint(target)),
            "fingerprint": behaviour, "level": LEVEL, "defects": kinds, "metrics": {}}


def short(value: float, digits: int = 6) -> float:
    """The value rounded to so many significant digits."""
    return float(f"{value:.{digits}g}")


def held(stored: dict[str, Any], head: dict[str, Any], metric: Metric) -> dict[str, Any]:
    """What a stored audit holds of a metric for this target and this version of the metric."""
    if not stored or not same(stored["fingerprint"], head["fingerprint"]):
        return {}
    found: dict[str, Any] = stored["metrics"].get(metric.name, {})
    return found if found.get("version") == metric.version else {}


def held_at(stored: dict[str, Any], head: dict[str, Any], metric: Metric, n: int,
            floor: Array) -> dict[str, Any]:
    """What a stored audit holds of it at n, for these defects and this floor."""
    at_n = held(stored, head, metric).get("n", {}).get(str(n), {})
    if at_n.get("floor") != [len(floor), checksum(floor)]:
        return {}
    power = {d: grades for d, grades in at_n["power"].items() if d in head["defects"] and
             head["defects"][d]["version"] == stored["defects"].get(d, {}).get("version")}
    return {**at_n, "power": power}
