"""The stage: how the verbs of a sampler are asked, with which random numbers, at whose cost.

The loop (``bench.harness.loop``) decides when; here each verb is asked behind the seal, what it
raises or returns is judged, and what it must leave alone is compared with what it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bench.core.compilation import NOTHING, CompileCost, compile_cost
from bench.core.cost import Cost
from bench.core.seal import sealed
from bench.core.seeds import global_stream, stream
from bench.harness import validation
from bench.harness.attribution import Ended, asked, is_memory
from bench.harness.clock import Clock
from bench.harness.meter import Ledger, MeteredTarget, TruthfulTarget
from bench.harness.state_digest import Kept, possessions
from samplers.base import LogWeights, Sampler
from samplers.baselines.exact import Exact
from targets.base import Target


@dataclass(frozen=True)
class Rehearsal:
    """Evaluations in the warm-up: of a step, of a point drawn, of init, step and draw together."""

    step: float
    point: float
    total: float
    seconds: float


class Stage:
    """One sampler before its metered target under one seed."""

    def __init__(self, sampler: Sampler, target: Target, target_name: str, seed: int) -> None:
        self.sampler, self.target, self.name, self.seed = sampler, target, target_name, seed
        self.ledger = Ledger(target.device)
        metered = TruthfulTarget if type(sampler) is Exact else MeteredTarget
        self.interface = metered(target, self.ledger)
        self.drawing = Clock(target.device)
        self.drawn = Cost()  # what the latest draw cost, also one that failed
        self.compiling = CompileCost()
        self.notes: dict[str, None] = {}  # in order, each once

    def generator(self, purpose: str, index: int = 0) -> torch.Generator:
        """The stream of a purpose, on the target's device."""
        return stream(purpose, self.name, self.seed, index, self.target.device)

    @contextmanager
    def globals_of(self, purpose: str, index: int = 0, who: str = "the sampler or the target"
                   ) -> Iterator[None]:
        """The process's global random states on a stream of their own; whoever draws is noted."""
        with global_stream(purpose, self.name, self.seed, index, self.target.device) as drawn_from:
            try:
                yield
            finally:
                self.notes |= {f"{name}'s global random state was changed by {who}; draw from the "
                               "generator handed in": None for name in drawn_from()}

    def subtract_compiling(self, clock: Clock) -> None:
        """Take what compiling cost off the clock, and keep it apart."""
        cost = compile_cost()
        if cost is not NOTHING:
            clock.subtract(cost.cpu, cost.wall)
            self.compiling += cost

    def rehearse(self, n: int, log_weights: bool) -> Rehearsal:
        """The warm-up: every verb once on a state that is thrown away, before anything counts.

        It compiles, warms and prices a step and a point; and it finds what would otherwise end
        the job after its budget was spent.
        """
        before = possessions(self.sampler)
        with self.ledger.phase("uncharged"), sealed(), self.globals_of("warm-up"):
            found = self._rehearse(n, log_weights)
        after = possessions(self.sampler)
        self.notes |= {f"the sampler's {name} changed in the warm-up, which is not charged; "
                       "what training needs belongs in the state": None
                       for name in after if before.get(name) != after[name]}
        return found

    def _rehearse(self, n: int, log_weights: bool) -> Rehearsal:
        sampler, target, clock = self.sampler, self.interface, Clock(self.target.device)
        rng, spent = self.generator("warm-up"), lambda: self.ledger.cost("uncharged").evaluations()
        with clock.timing():
            with asked("init"):
                state = sampler.init(target, rng)
            begun = spent()
            with asked("step"):
                state = sampler.step(target, state, 0.0, rng)
            stepped = spent()
        kept = Kept(state)
        with clock.timing(), asked("draw"):
            points = sampler.draw(target, state, n, rng)
        self.subtract_compiling(clock)
        total = spent()
        points = validation.points(points, n, sampler, target)
        kept.check("draw")
        self._read_off(state, kept)
        if log_weights:
            with asked("log_weights"):
                validation.log_weights(
                    sampler.log_weights(target, state, len(points), points.clone(), rng))
            kept.check("log_weights")
        return Rehearsal(stepped - begun, (total - stepped) / len(points), total,
                         clock.read().seconds)

    def _read_off(self, state: Any, kept: Kept) -> None:  # noqa: ANN401
        """The verbs that read numbers off a state, for the first time: what they lack ends it."""
        with asked("diagnostics"):
            notes = validation.diagnostics(self.sampler.diagnostics(state))[1]
        self.notes |= dict.fromkeys(notes)
        kept.check("diagnostics")
        if self.sampler.kind in ("continuing", "one-shot"):
            if type(self.sampler).independent_steps is Sampler.independent_steps:
                raise Ended("failed", f"a sampler of kind '{self.sampler.kind}' needs "
                            "independent_steps(state) -> (points held at once, steps until an "
                            "independent set); add it, or declare another kind")
            with asked("independent_steps"):
                validation.independent_steps(self.sampler.independent_steps(state))
            kept.check("independent_steps")
        if self.sampler.learned:
            validation.updates(state)

    def draw(self, state: Any, n: int, index: int) -> Tensor:  # noqa: ANN401
        """Points; a draw has its own stream and is charged apart: ``drawn`` says what it cost."""
        before = self.drawing.read() + self.ledger.cost("draw")
        try:
            with self.ledger.phase("draw"), sealed(), self.globals_of("draw", index), \
                    self.drawing.timing(), asked("draw"):
                points = self.sampler.draw(self.interface, state, n, self.generator("draw", index))
        finally:
            self.subtract_compiling(self.drawing)
            self.drawn = self.drawing.read() + self.ledger.cost("draw") - before
        return validation.points(points, n, self.sampler, self.interface)

    def diagnostics(self, state: Any) -> dict[str, float]:  # noqa: ANN401
        """Numbers about the run; once rehearsed, what goes wrong here is noted and left out."""
        with self.ledger.phase("uncharged"), sealed(), self.globals_of("diagnostics"):
            try:
                found, notes = validation.diagnostics(self.sampler.diagnostics(state))
            except Exception as error:
                found, notes = {}, [f"diagnostics are left out: they raised "
                                    f"{type(error).__name__}: {error}"]
        self.notes |= dict.fromkeys(notes)
        return found

    def independent_steps(self, state: Any) -> tuple[int, float] | None:  # noqa: ANN401
        """(points held at once, steps until an independent set); None for kinds that have none."""
        if self.sampler.kind not in ("continuing", "one-shot"):
            return None
        with self.ledger.phase("uncharged"), sealed(), self.globals_of("renewal"):
            try:
                return validation.independent_steps(self.sampler.independent_steps(state))
            except Exception as error:
                self.notes[f"independent_steps is left out: {error}"] = None
                return None

    def log_weights(self, state: Any, index: int, n: int,  # noqa: ANN401
              points: Tensor | None) -> LogWeights | None:
        """Asked by metrics alone: its own stream, uncharged."""
        with (self.ledger.phase("uncharged"), sealed(), self.globals_of("weigh", index),
              asked("log_weights")):
            return validation.log_weights(self.sampler.log_weights(
                self.interface, state, n, points, self.generator("weigh", index)))

    def ladder(self, state: Any, cap: float) -> tuple[tuple[int, float], ...]:  # noqa: ANN401
        """(n, seconds) of fresh draws for n = 1e2 ... 1e6, as long as one stays under ``cap``."""
        rungs: list[tuple[int, float]] = []
        for n in (100, 1_000, 10_000, 100_000, 1_000_000):
            if rungs and rungs[-1][1] * n / rungs[-1][0] > cap:
                break
            clock, rng = Clock(self.target.device), self.generator("ladder", n)
            try:
                with self.ledger.phase("uncharged"), clock.timing(), sealed(), \
                        self.globals_of("ladder", n):
                    self.sampler.draw(self.interface, state, n, rng)
            except Exception as error:
                what = "memory ran out" if is_memory(error) else f"{type(error).__name__}: {error}"
                self.notes[f"fresh draws of {n} points were not timed: {what}"] = None
                break
            self.subtract_compiling(clock)
            rungs.append((n, clock.read().seconds))
        return tuple(rungs)
