"""The loop: the only place where a sampler steps.

It hands the sampler its metered target and its random numbers, stops before the step that would
exceed the budget, and at 1/16, 1/8, 1/4, 1/2 and 1 of it stops the clock, draws and lets somebody
look. There is no selection of checkpoints: the last state counts.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from bench.budget import Budget
from bench.clock import Clock
from bench.meter import Ledger, MeteredTarget, MeterError, TruthfulTarget
from bench.streams import stream
from results.records import Cost
from samplers.base import Sampler, Weighing
from samplers.exact import Exact
from targets.base import Target, sealed
from targets.parts.fused import NOTHING, Bill, bill

FRACTIONS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
#: A learned sampler that makes fewer updates within the budget is not ranked.
LEAST_UPDATES = 100
#: Steps in a row that may go by without spending anything under a budget of evaluations.
FREE_STEPS = 100_000


class Diverged(Exception):
    """Samples that are no numbers; the run ends here and says so."""


@dataclass(frozen=True)
class Look:
    """What a checkpoint shows: fresh points, and what had been spent when they were drawn."""

    index: int
    progress: float
    steps: int
    spent: Cost
    draw: Cost
    points: Tensor
    final: bool
    diagnostics: dict[str, float]
    #: (n, exact points or None) -> what the sampler says of its own law
    weigh: Callable[[int, Tensor | None], Weighing | None]


@dataclass
class Outcome:
    """How a run went, apart from the quality of its points."""

    steps: int = 0
    updates: int = 0
    train: Cost = field(default_factory=Cost)
    draw: Cost = field(default_factory=Cost)
    overshoot: float = 0.0
    warmup_seconds: float = 0.0
    compiling: Bill = field(default_factory=Bill)
    state: Any = None
    status: str = "ok"
    reason: str = ""


class Run:
    """One sampler on one target under one budget and seed."""

    def __init__(self, sampler: Sampler, target: Target, target_name: str, budget: Budget,
                 seed: int, n: int, n_curve: int) -> None:
        self.sampler, self.target, self.budget = sampler, target, budget
        self.name, self.seed, self.n, self.n_curve = target_name, seed, n, n_curve
        self.ledger = Ledger(target.device)
        face = TruthfulTarget if type(sampler) is Exact else MeteredTarget
        self.face = face(target, self.ledger)
        self.clock = Clock(target.device)
        self.drawing = Clock(target.device)
        self.outcome = Outcome()
        # the dearest step so far, in the budget's currency
        self._dearest = 1.0 if budget.currency == "steps" else 0.0
        self._dearest_point = 0.0  # of a draw
        self._free = 0

    def go(self, observe: Callable[[Look], None],
           fractions: tuple[float, ...] = FRACTIONS) -> Outcome:
        """Run to the end of the budget, looking on the way."""
        try:
            self._warm_up()
            self._train(observe, fractions)
            self._settle()
        except Diverged as error:
            self.outcome.status, self.outcome.reason = "diverged", str(error)
        self.outcome.train = self.spent()
        return self.outcome

    def spent(self) -> Cost:
        """Rows and seconds of training so far."""
        return self.ledger.rows("train") + self.clock.read()

    def _generator(self, purpose: str, index: int = 0) -> torch.Generator:
        return stream(purpose, self.name, self.seed, index, self.target.device)

    def _warm_up(self) -> None:
        """One step and one draw on a throw-away state: compiles, warms, and prices both."""
        clock, rng = Clock(self.target.device), self._generator("warm-up")
        with clock.running(), self.ledger.phase("aside"), sealed():
            state = self.sampler.init(self.face, rng)
            start = self.ledger.rows("aside").rows()
            state = self.sampler.step(self.face, state, 0.0, rng)
            stepped = self.ledger.rows("aside").rows()
            points = self.sampler.draw(self.face, state, self.n_curve, rng)
        self._forgive(clock)
        self.outcome.warmup_seconds = clock.read().seconds
        if self.budget.currency == "evals":
            self._dearest = stepped - start
            drawn = self.ledger.rows("aside").rows() - stepped
            self._dearest_point = drawn / max(1, len(points))

    def _train(self, observe: Callable[[Look], None], fractions: tuple[float, ...]) -> None:
        rng = self._generator("train")
        with self.clock.running(), sealed():
            state = self.sampler.init(self.face, rng)
        pending = list(fractions)
        while self._may_step(used := self._used()):
            with self.clock.running(), sealed():
                state, used = self._steps(state, rng, used, until=pending[0])
            if len(pending) > 1 and self._progress(used) >= pending[0] and self._may_step(used):
                self._look(observe, state, len(fractions) - len(pending))
                while len(pending) > 1 and self._progress(used) >= pending[0]:
                    pending.pop(0)
        self.outcome.state = state
        self._look(observe, state, len(fractions) - 1, final=True)

    def _steps(self, state: Any, rng: torch.Generator, used: float,  # noqa: ANN401
               until: float) -> tuple[Any, float]:
        """Steps to the next checkpoint or the end; returns the state and what has been used."""
        whole = self._whole()
        while True:
            state = self.sampler.step(self.face, state, min(used / whole, 1.0), rng)
            self.outcome.steps += 1
            self._forgive(self.clock)
            before, used = used, self._used()
            self._price(used - before)
            if used / whole >= until or not self._may_step(used):
                return state, used

    def _forgive(self, clock: Clock) -> None:
        """Take what compiling cost off the clock, and keep it apart."""
        owed = bill()
        if owed is not NOTHING:
            clock.forgive(owed.cpu, owed.wall)
            self.outcome.compiling += owed

    def _used(self) -> float:
        """What training has used of the budget, in its currency: the one reading of a step."""
        if self.budget.currency == "evals":
            self.ledger.reconcile()
            return float(self.ledger.total("train"))
        if self.budget.currency == "steps":
            return float(self.outcome.steps)
        return self.clock.seconds()

    def _price(self, cost: float) -> None:
        self._dearest = max(self._dearest, cost)
        self._free = 0 if cost > 0 or self.sampler.kind == "control" else self._free + 1
        if self._free > FREE_STEPS:
            raise MeterError(f"{FREE_STEPS} steps in a row evaluated nothing, so a budget of "
                             "evaluations never ends; give a budget in seconds")

    def _reserve(self) -> float:
        """What the final draw will cost, by the dearest point drawn so far."""
        return self._dearest_point * self.n

    def _whole(self) -> float:
        """What training may use at most."""
        return max(self.budget.amount - self._reserve(), 1e-12)

    def _progress(self, used: float) -> float:
        return used / self._whole()

    def _may_step(self, used: float) -> bool:
        if self.sampler.kind == "control":
            return self.outcome.steps < int(getattr(self.sampler, "steps", 0))
        left = self.budget.amount - self._reserve() - used
        return left > 0 and left >= self._dearest

    def _look(self, observe: Callable[[Look], None], state: Any, index: int,  # noqa: ANN401
              final: bool = False) -> None:
        """Stop, draw, check, show. The draw has its own stream, and its own purse."""
        n = self.n if final else self.n_curve
        rng = self._generator("draw", index)
        before = self.drawing.read() + self.ledger.rows("draw")
        with self.ledger.phase("draw"), self.drawing.running(), sealed():
            points = self.sampler.draw(self.face, state, n, rng)
        self._forgive(self.drawing)
        cost = self.drawing.read() + self.ledger.rows("draw") - before
        if not isinstance(points, Tensor) or points.ndim != 2 or len(points) > n:
            raise TypeError(f"draw must return at most {n} points of shape (m, dim)")
        self._dearest_point = max(self._dearest_point,
                                  self.budget.spent(cost) / max(1, len(points)))
        bad = int((~torch.isfinite(points)).any(1).sum())
        if bad or not len(points):
            raise Diverged(f"{bad} of {len(points)} points are not finite after "
                           f"{self.outcome.steps} steps")
        if final:
            self.outcome.draw = cost
        notes = {k: v for k, v in self.sampler.diagnostics(state).items() if math.isfinite(v)}
        progress = 1.0 if final else min(self._progress(self._used()), 1.0)
        observe(Look(index, progress, self.outcome.steps, self.spent(), cost, points, final,
                     notes, partial(self._weigh, state, index)))

    def _weigh(self, state: Any, index: int, n: int,  # noqa: ANN401
               points: Tensor | None) -> Weighing | None:
        """Asked by metrics alone: its own stream, nobody's purse."""
        with self.ledger.phase("aside"), sealed():
            return self.sampler.weigh(self.face, state, n, points,
                                      self._generator("weigh", index))

    def _settle(self) -> None:
        total = self.budget.spent(self.spent() + self.outcome.draw)
        if self.sampler.kind != "control":
            self.outcome.overshoot = max(0.0, total / self.budget.amount - 1.0)
        self.outcome.updates = int(getattr(self.outcome.state, "updates", 0))
        if self.sampler.learned and self.outcome.updates < LEAST_UPDATES:
            self.outcome.status = "unaffordable"
            self.outcome.reason = (f"{self.outcome.updates} updates within the budget; a learned "
                                   f"sampler needs {LEAST_UPDATES}")

    def ladder(self, cap: float) -> tuple[tuple[int, float], ...]:
        """(n, seconds) of fresh draws for n = 1e2 ... 1e6, as long as one stays under ``cap``."""
        rungs: list[tuple[int, float]] = []
        for n in (100, 1_000, 10_000, 100_000, 1_000_000):
            if rungs and rungs[-1][1] * n / rungs[-1][0] > cap:
                break
            clock, rng = Clock(self.target.device), self._generator("ladder", n)
            with self.ledger.phase("aside"), clock.running(), sealed():
                self.sampler.draw(self.face, self.outcome.state, n, rng)
            self._forgive(clock)
            rungs.append((n, clock.read().seconds))
        return tuple(rungs)


def probe() -> float:
    """Wall seconds of a fixed computation: tells whether the machine is disturbed."""
    x = torch.linspace(0.1, 1.0, 250_000)
    start = time.perf_counter()
    for _ in range(20):
        x = torch.exp(-x * x) + 0.1
    return time.perf_counter() - start
