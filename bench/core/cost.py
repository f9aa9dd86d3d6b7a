"""What computing costs: evaluations of a target by kind, and time."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """Evaluations by kind, and time.

    ``density`` and ``score`` count points at which the log-density or its gradient was evaluated,
    ``hvp`` Hessian-vector products. ``seconds`` are device seconds; ``cpu`` counts all threads of
    the process, ``wall`` is the wall clock.
    """

    density: int = 0
    score: int = 0
    hvp: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    wall: float = 0.0

    def evaluations(self, weights: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> float:
        """Weighted number of evaluations."""
        return weights[0] * self.density + weights[1] * self.score + weights[2] * self.hvp

    def __add__(self, other: Cost) -> Cost:
        return Cost(*(a + b for a, b in zip(dataclasses.astuple(self), dataclasses.astuple(other),
                                            strict=True)))

    def __sub__(self, other: Cost) -> Cost:
        return Cost(*(a - b for a, b in zip(dataclasses.astuple(self), dataclasses.astuple(other),
                                            strict=True)))
