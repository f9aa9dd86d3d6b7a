"""The rule of a check, and the outcome of one test of old against new seeds."""

from __future__ import annotations

from dataclasses import dataclass

QUALITY, COST = "quality", "cost"


@dataclass(frozen=True)
class Rule:
    """Family-wise level of the check, and the share by which excess may rise unnoticed."""

    alpha: float = 0.01
    tolerance: float = 0.25


@dataclass(frozen=True)
class Outcome:
    """A test of old against new seeds: p-values of so much worse and of so much better.

    ``worse`` and ``better``: whether the change is also large enough to matter. ``rose`` and
    ``fell`` are the indices of the metrics that did so most for their allowance: one change can do
    both. ``gain``: whether a fall is one of quality, and not of single metrics.
    """

    p_worse: float
    p_better: float
    worse: bool
    better: bool
    rose: int = 0
    fell: int = 0
    gain: bool = True
