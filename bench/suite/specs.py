"""What a suite says of one target, sampler or metric: a registered name, a label, parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True)
class ItemSpec:
    """A registered name with its label in the suite and its hyperparameters (plain values).

    ``registry`` is the part of ``bench.core.registry`` that the name is looked up in.
    """

    registry: ClassVar[str]
    name: str
    label: str
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TargetSpec(ItemSpec):
    """A target, perhaps tempered (p^(1/temperature)), perhaps with a declared scale of its own.

    ``scale`` is the length that samplers are told instead of the target's own; None keeps that.
    """

    registry: ClassVar[str] = "targets"
    temperature: float = 1.0
    scale: float | None = None


@dataclass(frozen=True)
class SamplerSpec(ItemSpec):
    """A sampler; ``budget`` is its own as it was written, "" where the suite's holds."""

    registry: ClassVar[str] = "samplers"
    budget: str = ""


@dataclass(frozen=True)
class MetricSpec(ItemSpec):
    """A metric."""

    registry: ClassVar[str] = "metrics"
