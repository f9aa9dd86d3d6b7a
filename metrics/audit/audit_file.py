"""Audits on disk: one JSON file a target, and what of a stored one still holds.

format, target, digest, fingerprint, level
defects/D                    title, version, grades: strength -> what it means on this target
metrics/M                    version, title, signed, scale_from_samples
metrics/M/scale_response     growth and contrast (``metrics.audit.sample_scale``)
metrics/M/n/N/floor          number of floor draws, and their checksum
metrics/M/n/N/null           draws, detected, reached (ties count), mean, sd, skewness
metrics/M/n/N/power/D/GRADE  [detected, draws]
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.core.fingerprint import digest, fingerprint, same
from metrics.audit.defect import Defect
from metrics.audit.null_checks import LEVEL
from metrics.base import Metric
from targets.base import Target

Array = np.ndarray
FORMAT = 2


def checksum(floor: Array) -> str:
    """Eight hex digits of a floor's draws."""
    return f"{zlib.crc32(np.ascontiguousarray(floor, dtype=np.float32).tobytes()):08x}"


def heading(target: Target, name: str, planned: Sequence[Defect]) -> dict[str, Any]:
    """What tells whether an audit still holds for a target, and what its defects mean there."""
    kinds: dict[str, Any] = {}
    for defect in planned:
        kind = kinds.setdefault(defect.name, {"title": defect.title, "version": defect.version,
                                              "grades": {}})
        kind["grades"][defect.text] = defect.note(target)
    behaviour = [short(v, 9) for v in fingerprint(target)]
    return {"format": FORMAT, "target": name, "digest": digest(fingerprint(target)),
            "fingerprint": behaviour, "level": LEVEL, "defects": kinds, "metrics": {}}


def short(value: float, digits: int = 6) -> float:
    """The value rounded to so many significant digits."""
    return float(f"{value:.{digits}g}")


def held(stored: dict[str, Any], head: dict[str, Any], metric: Metric) -> dict[str, Any]:
    """What a stored audit holds of a metric for this target and this version of the metric."""
    if stored.get("format") != FORMAT or not same(stored["fingerprint"], head["fingerprint"]):
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


def read(path: Path) -> dict[str, Any]:
    """The content of an audit's file."""
    return dict(json.loads(path.read_text(encoding="utf-8")))


def write(path: Path, content: dict[str, Any]) -> None:
    """Replace the file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(dumps(content) + "\n", encoding="utf-8")
    os.replace(partial, path)


def dumps(value: Any, depth: int = 0) -> str:  # noqa: ANN401
    """JSON with a line for each defect of each metric, so that a change shows where it is."""
    if not isinstance(value, dict) or depth > 5 or not value:
        return json.dumps(value, allow_nan=False)
    pad = " " * (depth + 1)
    rows = [f"{pad}{json.dumps(k)}: {dumps(v, depth + 1)}" for k, v in value.items()]
    return "{\n" + ",\n".join(rows) + "\n" + " " * depth + "}"
