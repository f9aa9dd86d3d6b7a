"""The loop: budgets, checkpoints, and what it records of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from bench.core.density import Density
from bench.core.errors import UserError
from bench.harness.budget import Budget, parse_budget
from bench.harness.loop import LEAST_UPDATES, CheckpointView, JobLoop
from samplers.base import Sampler, initial_points, normal
from targets.base import Target


class Bell(Target):
    name = "bell"
    dim = 2
    scale = 1.0

    def log_prob(self, x: Tensor) -> Tensor:
        return -(x**2).sum(-1) / 2


@dataclass
class Walk:
    x: Tensor
    steps: int = 0
    updates: int = 0


@dataclass(frozen=True)
class Walker(Sampler):
    """Each step evaluates ``rows`` scores; draws may cost ``draw_rows`` densities a point."""

    name = "walker"
    kind = "amortised"
    rows: int = 100
    draw_rows: int = 0
    grows: bool = False

    def init(self, target: Density, rng: torch.Generator) -> Walk:
        return Walk(initial_points(target, self.rows, rng))

    def step(self, target: Density, state: Walk, progress: float, rng: torch.Generator) -> Walk:
        x = state.x
        for _ in range(state.steps + 1 if self.grows else 1):
            x = x + 0.01 * target.score(x)
        return Walk(x + 0.1 * normal(target, tuple(x.shape), rng), state.steps + 1,
                    state.updates + 1)

    def draw(self, target: Density, state: Walk, n: int, rng: torch.Generator) -> Tensor:
        for _ in range(self.draw_rows):
            target.log_prob(initial_points(target, n, rng))
        return state.x[:1] + normal(target, (n, 2), rng)


def play(sampler: Sampler, budget: Budget, n: int = 64, fractions: Any = None
         ) -> tuple[JobLoop, list[CheckpointView]]:
    checkpoints: list[CheckpointView] = []
    run = JobLoop(sampler, Bell().to("cpu", torch.float32), "bell", budget, 3, n, min(n, 32))
    run.play(checkpoints.append, *([fractions] if fractions else []))
    return run, checkpoints


@pytest.mark.parametrize("draw_rows", [0, 3])
def test_a_budget_of_steps_is_met_exactly_and_looked_at_where_asked(draw_rows: int) -> None:
    run, checkpoints = play(Walker(rows=5, draw_rows=draw_rows), Budget("steps", 500.0),
                      fractions=(0.1, 0.2, 0.4, 1.0))
    assert [checkpoint.steps for checkpoint in checkpoints] == [50, 100, 200, 500]
    assert run.outcome.steps == 500 and run.outcome.overshoot == 0.0
    assert checkpoints[-1].spent.score == 2500, "evaluations are counted whatever binds"


def test_a_declared_scale_moves_the_start_and_not_the_density() -> None:
    bell, wide = Bell(), Bell().declaring(30.0)
    x = torch.randn(9, 2, generator=torch.Generator().manual_seed(0))
    assert torch.equal(bell.log_prob(x), wide.log_prob(x)) and bell.scale == 1.0
    start = initial_points(wide, 4000, torch.Generator().manual_seed(1))
    assert 29 < float(start.std()) < 31


@pytest.mark.parametrize("rows", [1, 7, 64, 300])
@pytest.mark.parametrize("draw_rows", [0, 1, 3])
def test_a_budget_of_evaluations_is_never_exceeded(rows: int, draw_rows: int) -> None:
    run, _ = play(Walker(rows=rows, draw_rows=draw_rows), Budget("evals", 10_000))
    spent = run.outcome.train.evaluations() + run.outcome.draw.evaluations()
    assert spent <= 10_000
    assert spent > 10_000 - 2 * rows - 64 * draw_rows, "the budget must be used"
    assert run.outcome.overshoot == 0.0


def test_the_dearest_step_so_far_decides() -> None:
    """Steps that grow by one evaluation each may overshoot by one such growth at most."""
    run, _ = play(Walker(rows=10, grows=True), Budget("evals", 5_000))
    assert run.outcome.train.evaluations() <= 5_000 + 10
    assert run.outcome.overshoot == max(0.0, run.outcome.train.evaluations() / 5_000 - 1)


def test_checkpoints_lie_at_their_fractions() -> None:
    _, checkpoints = play(Walker(rows=10), Budget("evals", 16_000))
    assert [checkpoint.index for checkpoint in checkpoints] == [0, 1, 2, 3, 4]
    for checkpoint, share in zip(checkpoints, (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0), strict=True):
        assert checkpoint.spent.evaluations() == pytest.approx(share * 16_000, abs=10)
    assert [len(checkpoint.points) for checkpoint in checkpoints] == [32, 32, 32, 32, 64]
    assert [checkpoint.final for checkpoint in checkpoints] == [False] * 4 + [True]


def test_looking_changes_nothing() -> None:
    often, _ = play(Walker(rows=10), Budget("evals", 3_000))
    once, _ = play(Walker(rows=10), Budget("evals", 3_000), fractions=(1.0,))
    torch.testing.assert_close(often.outcome.state.x, once.outcome.state.x, rtol=0, atol=0)


def test_seconds_stop_the_run() -> None:
    run, checkpoints = play(Walker(rows=1000), Budget("seconds", 0.3))
    assert run.outcome.train.seconds <= 0.35
    assert run.outcome.train.seconds >= 0.2
    assert len(checkpoints) == 5


def test_the_clock_stands_while_somebody_looks() -> None:
    def slow(checkpoint: CheckpointView) -> None:
        torch.randn(600, 600).matmul(torch.randn(600, 600)).exp_().sum().item()
        for _ in range(20):
            torch.linalg.svd(torch.randn(60, 60))

    run = JobLoop(Walker(rows=10), Bell().to("cpu", torch.float32), "bell",
              Budget("seconds", 0.1), 0, 64, 32)
    run.play(slow)
    assert run.outcome.train.seconds < 0.13


def test_a_learned_sampler_needs_its_updates() -> None:
    @dataclass(frozen=True)
    class Learner(Walker):
        learned = True

    few, _ = play(Learner(rows=100), Budget("evals", 100 * (LEAST_UPDATES - 1)))
    enough, _ = play(Learner(rows=100), Budget("evals", 100 * LEAST_UPDATES))
    assert (few.outcome.status, enough.outcome.status) == ("unaffordable", "ok")
    assert f"{LEAST_UPDATES - 1} updates" in few.outcome.reason


def test_points_that_are_no_numbers_end_the_run() -> None:
    class Exploding(Walker):
        def draw(self, target: Density, state: Walk, n: int, rng: torch.Generator) -> Tensor:
            return torch.full((n, 2), float("nan")) if state.steps > 20 else super().draw(
                target, state, n, rng)

    run, checkpoints = play(Exploding(rows=10), Budget("evals", 1600))
    assert run.outcome.status == "diverged" and "64 of 64" not in run.outcome.reason
    assert len(checkpoints) == 2, "what was seen before the end is kept"


@pytest.mark.parametrize(("text", "currency", "amount"), [
    ("10s", "seconds", 10), ("500ms", "seconds", 0.5), ("2min", "seconds", 120),
    ("2e6evals", "evals", 2e6), (" 3 evals ", "evals", 3)])
def test_budgets_are_read(text: str, currency: str, amount: float) -> None:
    assert parse_budget(text) == Budget(currency, amount)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "10", "s", "-3s", "0s", "1e99evals", "ten s", "5 parsecs",
                                  "1.2.3s", "nans"])
def test_impossible_budgets_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="budget"):
        parse_budget(text)
