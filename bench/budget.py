"""The budget: what a job may spend, in evaluations or in seconds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from bench.errors import UserError
from results.records import Cost

Currency = Literal["evals", "seconds"]
_UNITS: dict[str, tuple[Currency, float]] = {
    "evals": ("evals", 1.0), "s": ("seconds", 1.0), "ms": ("seconds", 1e-3),
    "min": ("seconds", 60.0), "h": ("seconds", 3600.0)}


@dataclass(frozen=True)
class Budget:
    """An amount in one currency; binds training plus one final draw.

    ``evals`` counts density, score and Hessian-vector rows alike. ``seconds`` are device seconds
    on CUDA and CPU seconds of all threads on a CPU.
    """

    currency: Currency
    amount: float

    def spent(self, cost: Cost) -> float:
        """A cost in this currency."""
        return cost.rows() if self.currency == "evals" else cost.seconds

    def __str__(self) -> str:
        return f"{self.amount:g}evals" if self.currency == "evals" else f"{self.amount:g}s"


def parse_budget(text: str) -> Budget:
    """A budget such as ``10s``, ``500ms``, ``2min`` or ``2e6evals``."""
    match = re.fullmatch(r"\s*([0-9.]+(?:[eE][+-]?[0-9]+)?)\s*([a-z]+)\s*", text)
    advice = "write a number and a unit: 10s, 500ms, 2min or 2e6evals"
    if match is None or match[2] not in _UNITS:
        raise UserError(f"budget '{text}' is not understood; {advice}")
    currency, factor = _UNITS[match[2]]
    try:
        amount = float(match[1]) * factor
    except ValueError:
        raise UserError(f"budget '{text}' is not understood; {advice}") from None
    if not 0 < amount < 1e15:
        raise UserError(f"budget '{text}' is impossible: it must be positive and finite")
    return Budget(currency, amount)
