"""The budget: what a job may spend, in evaluations, in seconds or in steps."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from bench.core.cost import Cost
from bench.core.errors import UserError

Currency = Literal["evals", "seconds", "steps"]
_UNITS: dict[str, tuple[Currency, float]] = {
    "evals": ("evals", 1.0), "steps": ("steps", 1.0), "s": ("seconds", 1.0),
    "ms": ("seconds", 1e-3), "min": ("seconds", 60.0), "h": ("seconds", 3600.0)}


@dataclass(frozen=True)
class Budget:
    """An amount in one currency; binds training plus one final draw.

    ``evals`` counts log-densities, gradients and Hessian-vector products alike. ``seconds`` are
    device seconds on CUDA and CPU seconds of all threads on a CPU. ``steps`` counts calls of
    ``step`` and makes samplers incomparable: it is there to rerun tables of papers that state
    their steps.
    """

    currency: Currency
    amount: float

    def spent(self, cost: Cost) -> float:
        """A cost in this currency; drawing is no step, so under ``steps`` it is free."""
        if self.currency == "steps":
            return 0.0
        return cost.evaluations() if self.currency == "evals" else cost.seconds

    def __str__(self) -> str:
        return f"{self.amount:g}{'s' if self.currency == 'seconds' else self.currency}"


def parse_budget(text: str) -> Budget:
    """A budget such as ``10s``, ``500ms``, ``2min``, ``2e6evals`` or ``500steps``."""
    match = re.fullmatch(r"\s*([0-9.]+(?:[eE][+-]?[0-9]+)?)\s*([a-z]+)\s*", text)
    advice = "write a number and a unit: 10s, 500ms, 2min, 2e6evals or 500steps"
    if match is None or match[2] not in _UNITS:
        raise UserError(f"budget '{text}' is not understood; {advice}")
    currency, factor = _UNITS[match[2]]
    try:
        amount = float(match[1]) * factor
    except ValueError:
        raise UserError(f"budget '{text}' is not understood; {advice}") from None
    if not 0 < amount < 1e15:
        raise UserError(f"budget '{text}' is impossible: it must be positive and finite")
    if currency == "steps" and amount != int(amount):
        raise UserError(f"budget '{text}' is impossible: steps are whole numbers")
    return Budget(currency, amount)
