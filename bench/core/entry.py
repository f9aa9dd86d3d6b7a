"""What the registry knows of a sampler, target or metric."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.core.places import ROOT

KINDS = ("samplers", "targets", "metrics")
#: The class that each kind derives from; it stands in ``KIND/base.py``.
BASES = {"Sampler": "samplers", "Target": "targets", "Metric": "metrics"}
Parameters = dict[str, tuple[str, str]]  # name: (type, default), both as text


@dataclass(frozen=True)
class Entry:
    """One registered class.

    ``attributes`` are its class attributes of plain values, those of its own bases included;
    ``parameters`` what its constructor takes.
    """

    kind: str
    name: str
    cls: str
    path: Path
    module: str  # dotted name, or "" for a plugin file
    doc: str
    module_doc: str
    attributes: dict[str, Any] = field(default_factory=dict)
    parameters: Parameters = field(default_factory=dict)

    @property
    def ours(self) -> bool:
        """Whether it comes from this project's own folders, and not from a user's code."""
        return bool(self.module) and self.path.is_relative_to(ROOT / self.kind)

    @property
    def summary(self) -> str:
        """First line of the class docstring."""
        return self.doc.strip().splitlines()[0] if self.doc.strip() else ""
