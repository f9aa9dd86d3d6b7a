"""Work where the meter does not charge: in draws, in the warm-up, with points handed for weighing.

Before, training in draws was free at checkpoints, work in the warm-up kept in a module was free,
and the exact points handed for weighing were the judge's own reference block.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bench.harness.judge import Judge
from bench.harness.loop import CheckpointView
from bench.harness.state_digest import CONTENT, digest, possessions
from metrics.base import Estimate, Evidence
from metrics.importance.ess_forward import EssForward
from results.records.floors_file import Floors
from samplers.base import LogWeights
from tests.support.hostile import Bell, Fair, State, play, spoilt

KEPT: list[Tensor] = []  # what a sampler below keeps outside its state


def trains(self: Any, target: Any, state: State, *rest: Any) -> Any:
    """Moves the particles in place, in a verb that must not."""
    state.x.mul_(0.99)
    return state.x[:rest[0]] if rest else {}


@pytest.mark.parametrize(("verbs", "which"), [
    ({"draw": trains}, "draw"),
    ({"draw": lambda self, t, state, n, rng: state.x.copy_(state.x.flip(0))[:n]}, "draw"),
    ({"diagnostics": lambda self, state: vars(state).update(steps=99) or {}}, "diagnostics"),
    ({"independent_steps":
      lambda self, state: (100, float(state.x.data.add_(1.0).abs().sum()))}, "independent_steps"),
    ({"log_weights": lambda self, t, state, *rest: state.x.zero_() and None}, "log_weights")])
def test_a_verb_that_only_looks_must_leave_the_state(verbs: Any, which: str) -> None:
    if which == "log_weights":
        def log_weights(self: Any, t: Any, state: State, *rest: Any) -> None:
            state.x.zero_()
        verbs = {"log_weights": log_weights}
    outcome, checkpoints, _ = play(spoilt(**verbs), weighed=True)
    assert outcome.status == "failed" and not checkpoints and outcome.train.evaluations() == 0
    assert outcome.reason.startswith(f"{which} changed the state and must leave it")


def test_at_every_checkpoint() -> None:
    def draw(self: Any, target: Any, state: State, n: int, rng: Any) -> Tensor:
        if state.steps > 4:
            state.x.mul_(0.5)
        return state.x[:n].clone()
    outcome, checkpoints, _ = play(spoilt(draw=draw))
    assert outcome.reason.startswith("draw changed the state") and len(checkpoints) == 2
    assert outcome.steps == 5 and outcome.train.score == 500


class Odd:
    """An object of a user's own."""

    __slots__ = ("x",)

    def __init__(self, x: Any) -> None:
        self.x = x


@dataclass
class Rich:
    net: nn.Module
    optimiser: torch.optim.Optimizer
    buffer: Any
    rng: Any


def rich() -> Rich:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    optimiser = torch.optim.Adam(net.parameters())
    net(torch.randn(4, 2)).sum().backward()
    optimiser.step()
    buffer = {"a": [np.zeros(3), deque([torch.zeros(2)])], "b": (Odd(torch.ones(2)), {1, 2}),
              "c": np.random.default_rng(0)}
    return Rich(net, optimiser, buffer, torch.Generator().manual_seed(0))


CHANGES = {
    "a weight": lambda s: s.net[0].weight.data.mul_(1.001),
    "a running mean": lambda s: s.net(torch.randn(4, 2)),
    "the mode": lambda s: s.net.eval(),
    "an average of the optimiser": lambda s: next(
        iter(s.optimiser.state.values()))["exp_avg"].add_(1.0),
    "the learning rate": lambda s: s.optimiser.param_groups[0].update(lr=1.0),
    "an array in a list": lambda s: s.buffer["a"][0].fill(1.0),
    "a tensor in a deque": lambda s: s.buffer["a"][1][0].add_(1.0),
    "a slot": lambda s: setattr(s.buffer["b"][0], "x", None),
    "a set": lambda s: s.buffer["b"][1].add(3),
    "a new entry": lambda s: s.buffer.update(d=1),
    "a generator": lambda s: torch.rand(1, generator=s.rng),
    "NumPy's generator": lambda s: s.buffer["c"].random()}


@pytest.mark.parametrize("change", CHANGES)
def test_the_digest_sees(change: str) -> None:
    state = rich()
    before = digest(state)
    assert digest(state) == before
    CHANGES[change](state)
    assert digest(state) != before


def test_a_large_state_is_told_by_counters_beyond_what_is_read() -> None:
    state = [torch.zeros(CONTENT // 4 - 100), torch.zeros(1000)]
    before = digest(state)
    state[1].add_(1.0)
    assert digest(state) != before
    state.append(state)  # type: ignore[arg-type]
    digest(state)


def test_work_kept_from_the_warm_up_is_noted() -> None:
    """A sampler that computes once, in the uncharged warm-up, and keeps it in its module."""
    def init(self: Any, target: Any, rng: Any) -> State:
        if not KEPT:
            x = torch.randn(5000, 2, generator=rng)
            for _ in range(20):
                x = x + 0.1 * target.score(x)
            KEPT.append(x)
        return State(KEPT[0][:100].clone())
    try:
        sampler = spoilt(init=init, __module__=__name__)
        outcome, _, _ = play(sampler)
    finally:
        KEPT.clear()
    assert outcome.status == "ok" and outcome.uncharged.score == 100_100
    assert any("module's 'KEPT' changed in the warm-up" in note for note in outcome.notes)
    assert any("the uncharged warm-up evaluated 100100 points, the run 200 to its first "
               "checkpoint" in note for note in outcome.notes)


def test_a_class_is_looked_at_too() -> None:
    def init(self: Any, target: Any, rng: Any) -> State:
        type(self).count = getattr(type(self), "count", 0) + 1
        return Fair.init(self, target, rng)
    outcome, _, _ = play(spoilt(init=init))
    assert outcome.notes == ("the sampler's class attribute 'count' changed in the warm-up, which "
                             "is not charged; what training needs belongs in the state",)
    assert set(possessions(Fair())) >= {"class attribute 'kind'"}


def test_a_fair_sampler_has_nothing_to_note() -> None:
    outcome, checkpoints, run = play(Fair())
    assert (outcome.status, outcome.notes, len(checkpoints)) == ("ok", (), 5)
    assert outcome.uncharged.score == 100, "the one step of the warm-up"
    assert run.read_off(0.01).renewal == (100, 10.0)


def test_points_to_weigh_are_none_of_the_reference(tmp_path: Path) -> None:
    """A sampler that kept the exact points it weighed returned the judge's own reference block."""
    handed: list[Tensor] = []

    def log_weights(self: Any, target: Any, state: State, n: int, points: Tensor,
                    rng: Any) -> LogWeights:
        handed.append(points.clone())
        points.zero_()
        return LogWeights(at_target=torch.zeros(n))

    judge = Judge(Bell().to("cpu", torch.float32), "bell", {"ess": EssForward()}, 0, 60,
                  Floors())
    seen: list[Estimate] = []

    def observe(checkpoint: CheckpointView) -> None:
        seen.extend(m for m in judge.measures("k", checkpoint, 30))  # type: ignore[misc]

    from tests.support.hostile import Budget, JobLoop

    run = JobLoop(spoilt(log_weights=log_weights), Bell().to("cpu", torch.float32), "bell",
              Budget("evals", 2000), 0, 60, 30, True)
    assert run.play(observe).status == "ok" and len(seen) == 6
    reference = judge.evidence.reference
    assert reference is not None
    known = {tuple(row) for row in reference.tolist()}
    for points in handed[1:]:  # the first are the warm-up's own
        assert len(points) in (30, 60) and bool(points.abs().sum() > 0)
        assert not known & {tuple(row) for row in points.tolist()}
    assert isinstance(judge.evidence, Evidence)
