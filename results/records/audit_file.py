"""Audits of metrics on disk: one JSON file a target, which ``metrics.audit`` computes.

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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.core.errors import ReportError
from bench.core.places import AUDITS

FORMAT = 2


@dataclass(frozen=True)
class Power:
    """Draws that detected a defect; ``n`` is the number of points they were made at."""

    detected: int
    draws: int
    n: int

    @property
    def share(self) -> float:
        """The power."""
        return self.detected / self.draws


@dataclass(frozen=True)
class Audit:
    """The content of one audit: a target, its defects, and every metric's draws."""

    target: str
    digest: str
    defects: dict[str, dict[str, Any]]
    metrics: dict[str, dict[str, Any]]

    @classmethod
    def of(cls, content: dict[str, Any]) -> Audit:
        """The audit of a file's content; the null ("none") is no defect."""
        defects = {k: v for k, v in content["defects"].items() if k != "none"}
        return cls(content["target"], content["digest"], defects, content["metrics"])

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of points at which some metric was audited, ascending."""
        return tuple(sorted({int(n) for m in self.metrics.values() for n in m["n"]}))

    def title(self, metric: str) -> str:
        """A metric's title."""
        return str(self.metrics[metric]["title"]).replace("^2", "²")

    def audited(self, metric: str, n: int) -> bool:
        """Whether a metric was audited at n points."""
        return str(n) in self.metrics.get(metric, {}).get("n", {})

    def grades(self, defect: str) -> tuple[str, ...]:
        """Strengths of a defect in words, weakest first."""
        return tuple(self.defects[defect]["grades"])

    def power(self, metric: str, defect: str, grade: str, n: int) -> Power | None:
        """The power at n; from fewer points where all draws there detected the grade already."""
        if not self.audited(metric, n):
            return None
        for size in (s for s in reversed(self.sizes) if s <= n and self.audited(metric, s)):
            power = self.metrics[metric]["n"][str(size)]["power"]
            entry = power.get(defect, {}).get(grade)
            if entry is not None:
                detected, draws = entry
                return Power(detected, draws, size) if size == n or detected == draws else None
        return None


def read_content(path: Path) -> dict[str, Any]:
    """The content of an audit's file; ReportError where it is damaged or of another format."""
    try:
        content = dict(json.loads(path.read_text(encoding="utf-8")))
        found = content.pop("format", None)
    except (OSError, ValueError) as error:
        raise ReportError(f"audit '{path}' cannot be read ({error}); make it again with "
                          f"python -m bench.maintain audits --targets {path.stem}") from None
    if found != FORMAT:
        raise ReportError(f"audit '{path}' is of format {found}, this program reads {FORMAT}; "
                          "audit again with python -m bench.maintain audits --targets "
                          f"{path.stem}")
    return content


def write_content(path: Path, content: dict[str, Any]) -> None:
    """Replace the file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(_dumps({"format": FORMAT, **content}) + "\n", encoding="utf-8")
    os.replace(partial, path)


def committed_audits(folder: Path = AUDITS) -> dict[str, Audit]:
    """All audits of a folder, by target; ReportError where one cannot be read."""
    return {path.stem: Audit.of(read_content(path)) for path in sorted(folder.glob("*.json"))}


def _dumps(value: Any, depth: int = 0) -> str:  # noqa: ANN401
    """JSON with a line for each defect of each metric, so that a change shows where it is."""
    if not isinstance(value, dict) or depth > 5 or not value:
        return json.dumps(value, allow_nan=False)
    pad = " " * (depth + 1)
    rows = [f"{pad}{json.dumps(k)}: {_dumps(v, depth + 1)}" for k, v in value.items()]
    return "{\n" + ",\n".join(rows) + "\n" + " " * depth + "}"
