"""The loop: the only place where a sampler steps.

It hands the sampler its metered target and its random numbers, stops before the step that would
exceed the budget, and at 1/16, 1/8, 1/4, 1/2 and 1 of it stops the clock, draws and shows the
points. There is no selection of checkpoints: the last state counts.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from bench.core.compilation import CompileCost
from bench.core.cost import Cost
from bench.core.seal import sealed
from bench.harness import validation
from bench.harness.attribution import Ended, asked, ended
from bench.harness.budget import Budget
from bench.harness.clock import Clock
from bench.harness.stage import Stage
from bench.harness.state_digest import Kept
from results.records.schema import Status
from samplers.base import LogWeights, Sampler
from targets.base import Target

FRACTIONS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
#: A learned sampler that makes fewer updates within the budget is not ranked.
LEAST_UPDATES = 100
#: Steps in a row that may go by without spending anything under a budget of evaluations.
FREE_STEPS = 100_000
#: A warm-up that evaluates this many times what the run did to its first checkpoint is noted.
WARM = 4


@dataclass(frozen=True)
class CheckpointView:
    """What a checkpoint shows: fresh points, and what had been spent when they were drawn."""

    index: int
    progress: float
    steps: int
    spent: Cost
    draw: Cost
    points: Tensor
    final: bool
    diagnostics: dict[str, float]
    #: (n, exact points or None) -> what the sampler says of its own distribution
    log_weights: Callable[[int, Tensor | None], LogWeights | None]


@dataclass
class Outcome:
    """How a job went, apart from the quality of its points."""

    steps: int = 0
    train: Cost = field(default_factory=Cost)
    draw: Cost = field(default_factory=Cost)
    overshoot: float = 0.0
    warmup_seconds: float = 0.0
    compiling: CompileCost = field(default_factory=CompileCost)
    state: Any = None
    status: Status = "ok"
    reason: str = ""
    uncharged: Cost = field(default_factory=Cost)
    ladder: tuple[tuple[int, float], ...] = ()
    renewal: tuple[int, float] | None = None
    diagnostics: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def done(self) -> bool:
        """Whether the budget was spent to its end, so that there is a last state to draw from."""
        return self.status in ("ok", "unaffordable")

    @property
    def updates(self) -> int:
        """Optimiser updates that the last state counts; 0 where it counts none."""
        try:
            return validation.whole(getattr(self.state, "updates", 0))
        except TypeError:
            return 0


class JobLoop:
    """One sampler on one target under one budget and seed.

    ``log_weights``: some metric will ask the sampler for them (``CheckpointView.log_weights``).
    """

    def __init__(self, sampler: Sampler, target: Target, target_name: str, budget: Budget,
                 seed: int, n: int, n_curve: int, log_weights: bool = False) -> None:
        self.sampler, self.target, self.budget = sampler, target, budget
        self.n, self.n_curve, self.log_weights = n, n_curve, log_weights
        self.stage = Stage(sampler, target, target_name, seed)
        self.ledger, self.interface = self.stage.ledger, self.stage.interface
        self.clock = Clock(target.device)
        self.outcome = Outcome()
        # so far, in the budget's currency
        self._most_expensive_step = 1.0 if budget.currency == "steps" else 0.0
        self._most_expensive_point = 0.0  # of a draw
        self._rehearsed = 0.0  # evaluations of the warm-up's init, step and draw
        self._free = 0

    def play(self, observe: Callable[[CheckpointView], None],
           fractions: tuple[float, ...] = FRACTIONS) -> Outcome:
        """Spend the budget to its end; ``observe`` is shown the checkpoints on the way.

        Whatever the sampler's verbs raise ends in the outcome, with what was spent until then;
        what the observer raises is not the sampler's, and comes out.
        """
        try:
            self._warm_up()
            with self.stage.globals_of("train"):
                self._train(observe, fractions)
            self._settle()
        except Ended as end:
            self.outcome.status, self.outcome.reason = end.status, end.reason
            if end.__cause__ is not None:
                with suppress(OSError, ValueError, RuntimeError):  # it may have closed stderr
                    traceback.print_exception(end.__cause__)
        self.outcome.train = self.spent()
        self._account()
        return self.outcome

    def read_off(self, ladder_cap: float) -> Outcome:
        """The outcome, with what can be read off the last state where there is one.

        Fresh draws are timed as long as one takes under ``ladder_cap`` seconds.
        """
        outcome, stage = self.outcome, self.stage
        if outcome.done:
            if self.sampler.kind == "amortised":
                outcome.ladder = stage.ladder(outcome.state, ladder_cap)
            outcome.renewal = stage.independent_steps(outcome.state)
            outcome.diagnostics = stage.diagnostics(outcome.state)
            self._account()
        return outcome

    def spent(self) -> Cost:
        """Evaluations and seconds of training so far."""
        return self.ledger.cost("train") + self.clock.read()

    def _account(self) -> None:
        """What was computed uncharged, and what there is to note."""
        self.outcome.uncharged = self.ledger.cost("uncharged")
        self.outcome.compiling, self.outcome.notes = self.stage.compiling, tuple(self.stage.notes)

    def _warm_up(self) -> None:
        """Every verb once on a throw-away state; that prices a step and a point."""
        found = self.stage.rehearse(self.n_curve, self.log_weights)
        self.outcome.warmup_seconds, self._rehearsed = found.seconds, found.total
        if self.budget.currency == "evals":
            self._most_expensive_step, self._most_expensive_point = found.step, found.point

    def _train(self, observe: Callable[[CheckpointView], None],
               fractions: tuple[float, ...]) -> None:
        rng = self.stage.generator("train")
        with self.clock.timing(), sealed(), asked("init"):
            state = self.sampler.init(self.interface, rng)
        pending = list(fractions)
        while self._may_step(used := self._used()):
            with self.clock.timing(), sealed():
                state, used = self._steps(state, rng, used, until=pending[0])
            if len(pending) > 1 and self._progress(used) >= pending[0] and self._may_step(used):
                self._checkpoint(observe, state, len(fractions) - len(pending))
                while len(pending) > 1 and self._progress(used) >= pending[0]:
                    pending.pop(0)
        self.outcome.state = state
        self._checkpoint(observe, state, len(fractions) - 1, final=True)

    def _steps(self, state: Any, rng: torch.Generator, used: float,  # noqa: ANN401
               until: float) -> tuple[Any, float]:
        """Steps to the next checkpoint or the end; returns the state and what has been used."""
        whole = self._whole()
        while True:
            try:
                state = self.sampler.step(self.interface, state, min(used / whole, 1.0), rng)
            except Exception as error:
                self.outcome.state = state
                raise ended("step", error) from error
            self.outcome.steps += 1
            self.stage.subtract_compiling(self.clock)
            before, used = used, self._used()
            self._price(used - before)
            if used / whole >= until or not self._may_step(used):
                return state, used

    def _used(self) -> float:
        """What training has used of the budget, in its currency: the one reading of a step."""
        self.ledger.check_process()
        if self.budget.currency == "evals":
            self.ledger.reconcile()
            return float(self.ledger.total("train"))
        if self.budget.currency == "steps":
            return float(self.outcome.steps)
        return self.clock.seconds()

    def _price(self, cost: float) -> None:
        self._most_expensive_step = max(self._most_expensive_step, cost)
        self._free = 0 if cost > 0 or self.sampler.kind == "baseline" else self._free + 1
        if self._free > FREE_STEPS:
            raise Ended("failed", f"{FREE_STEPS} steps in a row evaluated nothing, so a budget of "
                             "evaluations never ends; give a budget in seconds")

    def _reserve(self) -> float:
        """What the final draw will cost, by the most expensive point drawn so far."""
        return self._most_expensive_point * self.n

    def _whole(self) -> float:
        """What training may use at most."""
        return max(self.budget.amount - self._reserve(), 1e-12)

    def _progress(self, used: float) -> float:
        return used / self._whole()

    def _may_step(self, used: float) -> bool:
        if self.sampler.kind == "baseline":
            return self.outcome.steps < int(getattr(self.sampler, "steps", 0))
        left = self.budget.amount - self._reserve() - used
        return left > 0 and left >= self._most_expensive_step

    def _checkpoint(self, observe: Callable[[CheckpointView], None], state: Any, index: int,  # noqa: ANN401
              final: bool = False) -> None:
        """Stop, draw, check, show."""
        self.outcome.state, kept, asked_for = state, Kept(state), 0
        try:
            points = self.stage.draw(state, self.n if final else self.n_curve, index)
        except Ended:
            self.outcome.draw = self.stage.drawn
            raise
        cost = self.stage.drawn
        if final:
            self.outcome.draw = cost
        kept.check("draw")
        self._most_expensive_point = max(self._most_expensive_point,
                                         self.budget.spent(cost) / len(points))
        bad = int((~torch.isfinite(points)).any(1).sum())
        if bad:
            raise Ended("diverged", f"{bad} of {len(points)} points are not finite after "
                        f"{self.outcome.steps} steps")
        numbers = self.stage.diagnostics(state)
        kept.check("diagnostics")
        self._compare_warm_up(cost)

        def log_weights(n: int, exact: Tensor | None) -> LogWeights | None:
            nonlocal asked_for
            asked_for += 1
            return self.stage.log_weights(state, index, n, exact)

        progress = 1.0 if final else min(self._progress(self._used()), 1.0)
        with self.stage.globals_of("judge", index, "a metric"):
            observe(CheckpointView(index, progress, self.outcome.steps, self.spent(), cost, points,
                                   final, numbers, log_weights))
        if asked_for:
            kept.check("log_weights")

    def _compare_warm_up(self, drawn: Cost) -> None:
        """At the first checkpoint: note a warm-up that did more than its verbs can explain."""
        real = self.ledger.cost("train").evaluations() + drawn.evaluations()
        if self.outcome.steps and self._rehearsed > WARM * real + self.n_curve:
            self.stage.notes[f"the uncharged warm-up evaluated {self._rehearsed:.0f} points, the "
                             f"run {real:.0f} to its first checkpoint: work may have been kept "
                             "outside the state"] = None
        self._rehearsed = 0.0

    def _settle(self) -> None:
        total = self.budget.spent(self.spent() + self.outcome.draw)
        if self.sampler.kind != "baseline":
            self.outcome.overshoot = max(0.0, total / self.budget.amount - 1.0)
        if self.sampler.learned and self.outcome.updates < LEAST_UPDATES:
            self.outcome.status = "unaffordable"
            self.outcome.reason = (f"{self.outcome.updates} updates within the budget; a learned "
                                   f"sampler needs {LEAST_UPDATES}")


def probe() -> float:
    """Wall seconds of a fixed computation: tells whether the machine is disturbed."""
    x = torch.linspace(0.1, 1.0, 250_000)
    start = time.perf_counter()
    for _ in range(20):
        x = torch.exp(-x * x) + 0.1
    return time.perf_counter() - start
