"""What the verbs return: taken as plain values, or refused before anything is spent.

Before: an extra column or one row gave ``ok`` ranked by nothing, tensors among numbers spent the
budget and died at writing, a forgotten verb was found after the budget was spent.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.core.entry import Entry
from bench.core.errors import UserError
from bench.core.registry import catalogue, load
from bench.harness import validation as border
from bench.suite.declarations import FAMILIES, KINDS, Declared, check_declared, undeclared
from samplers.base import Family, Kind, LogWeights
from tests.support.hostile import Fair, State, play, spoilt


class Loud(Tensor):
    """Says that it is longer than it is."""

    def __len__(self) -> int:
        return 7


def drawing(change: Any) -> Any:
    return lambda self, target, state, n, rng: change(state.x[:n])


BAD_DRAWS = {
    "none": (lambda x: None, "None; return a torch tensor"),
    "numpy": (lambda x: x.numpy(), "a NumPy array of shape .*; return a torch tensor"),
    "list": (lambda x: x.tolist(), "list .*; return a torch tensor"),
    "complex": (lambda x: x.to(torch.complex64), "complex64; return real"),
    "integers": (lambda x: x.long(), "int64; return real"),
    "booleans": (lambda x: x > 0, "bool; return real"),
    "sparse": (lambda x: x.to_sparse(), "sparse.*return a dense"),
    "a column more": (lambda x: torch.cat([x, x[:, :1]], 1), r"return \(m, 2\)"),
    "flat": (lambda x: x.flatten(), r"return \(m, 2\)"),
    "elsewhere": (lambda x: x.to("meta"), "on meta; return them on cpu"),
    "nothing": (lambda x: x[:0], "no point"),
    "too many": (lambda x: torch.cat([x, x]), "60 points where 30 were asked for")}


@pytest.mark.parametrize("case", BAD_DRAWS)
def test_a_wrong_draw_is_one_sentence_and_costs_nothing(case: str) -> None:
    change, said = BAD_DRAWS[case]
    outcome, checkpoints, _ = play(spoilt(draw=drawing(change)))
    assert outcome.status == "failed" and not checkpoints and outcome.train.evaluations() == 0
    assert outcome.reason.startswith("draw returned ")
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(outcome.reason)


def test_an_amortised_sampler_gives_as_many_as_are_asked_for() -> None:
    assert "amortised" in play(spoilt(kind="amortised", draw=drawing(lambda x: x[:10])))[0].reason
    assert play(spoilt(draw=drawing(lambda x: x[:10])))[0].status == "ok", "others hold few"


@pytest.mark.parametrize("change", [
    lambda x: x.clone().requires_grad_(), lambda x: torch.nn.Parameter(x.clone()),
    lambda x: x.double(), lambda x: x.half(), lambda x: x.clone().as_subclass(Loud),
    lambda x: x[:1].expand(30, 2), lambda x: x.clone().T.contiguous().T])
def test_harmless_draws_are_taken_as_plain_points(change: Any) -> None:
    outcome, checkpoints, _ = play(spoilt(draw=drawing(change)))
    assert outcome.status == "ok", outcome.reason
    for checkpoint in checkpoints:
        assert type(checkpoint.points) is Tensor and checkpoint.points.dtype == torch.float32
        assert not checkpoint.points.requires_grad and len(checkpoint.points) in (30, 60)


def test_only_points_that_are_not_finite_are_called_so() -> None:
    outcome, _, _ = play(spoilt(draw=drawing(lambda x: x / 0)))
    assert outcome.status == "diverged" and "30 of 30 points are not finite" in outcome.reason


def test_points_that_were_drawn_cannot_be_changed_afterwards() -> None:
    """``diagnostics`` wrote into the points just drawn, and the sampler was judged by that."""
    class Sly(Fair):
        name = "sly"

        def draw(self, target: Any, state: State, n: int, rng: Any) -> Tensor:
            self.__dict__["last"] = torch.ones(n, 2)
            return self.last  # type: ignore[attr-defined,no-any-return]

        def diagnostics(self, state: State) -> dict[str, float]:
            self.last.zero_()  # type: ignore[attr-defined]
            return {}

    outcome, checkpoints, _ = play(Sly())
    assert all(bool((checkpoint.points == 1).all()) for checkpoint in checkpoints)
    assert any("attribute 'last' changed in the warm-up" in note for note in outcome.notes)


def test_diagnostics_may_be_tensors_and_numpy_scalars() -> None:
    found = {"a": torch.tensor(1.5), "b": np.float32(2.5), "c": torch.tensor([3.0]), "d": 4,
             "e": float("nan"), 5: True}
    outcome, checkpoints, run = play(spoilt(diagnostics=lambda self, state: found))
    want = {"a": 1.5, "b": 2.5, "c": 3.0, "d": 4.0, "5": 1.0}
    assert checkpoints[0].diagnostics == run.read_off(0.01).diagnostics == want
    assert all(type(v) is float for v in checkpoints[0].diagnostics.values()) and not outcome.notes


def test_a_diagnostic_that_is_no_number_is_left_out_and_noted() -> None:
    found = {"trace": torch.zeros(3), "loss": 0.5, "name": "x"}
    outcome, checkpoints, _ = play(spoilt(diagnostics=lambda self, state: found))
    assert outcome.status == "ok" and checkpoints[-1].diagnostics == {"loss": 0.5}
    assert [n.split(":")[0] for n in outcome.notes] == [
        "the diagnostic 'trace' is left out", "the diagnostic 'name' is left out"]


def test_diagnostics_that_raise_are_found_in_the_warm_up_and_later_noted() -> None:
    def later(self: Any, state: State) -> dict[str, float]:
        return {"x": 1 / (3 - state.steps)}
    assert "diagnostics raised ZeroDivisionError" in play(spoilt(
        diagnostics=lambda self, state: {"x": 1 / 0}))[0].reason
    outcome, checkpoints, _ = play(spoilt(diagnostics=later))
    assert outcome.status == "ok" and any(not checkpoint.diagnostics for checkpoint in checkpoints)
    assert outcome.notes == ("diagnostics are left out: they raised ZeroDivisionError: division "
                             "by zero",)


@pytest.mark.parametrize("found", [None, 10.0, (0, 5.0), (100, 0.0), (100, float("nan")),
                                   (100, torch.zeros(2)), ("a", 1.0), (1.5, 1.0), (100,)])
def test_independent_steps_is_two_numbers(found: Any) -> None:
    outcome, _, _ = play(spoilt(independent_steps=lambda self, state: found))
    assert outcome.status == "failed" and outcome.reason.startswith("independent_steps returned")
    assert outcome.train.evaluations() == 0


def test_independent_steps_may_be_tensors() -> None:
    told = (torch.tensor(100), np.float64(7.5))
    _, _, run = play(spoilt(independent_steps=lambda self, state: told))
    assert run.read_off(0.01).renewal == (100, 7.5)
    assert [type(v) for v in run.read_off(0.01).renewal] == [int, float]


@pytest.mark.parametrize(("verbs", "said"), [
    ({"independent_steps": Fair.__mro__[1].independent_steps},  # type: ignore[attr-defined]
     "kind 'continuing' needs independent_steps"),
    ({"learned": True}, "keeps 'updates' in its state"),
    ({"log_weights": lambda *a: 3.0},
     "log_weights returned float '3.0'; return a LogWeights or None"),
    ({"log_weights": lambda *a: LogWeights(np.zeros(3))}, "as at_draws; return a tensor"),  # type: ignore[arg-type]
    ({"log_weights": lambda *a: LogWeights(log_z=(1.0,))}, "as log_z; return")])  # type: ignore[arg-type]
def test_a_forgotten_or_wrong_verb_is_found_in_the_warm_up(verbs: Any, said: str) -> None:
    outcome, checkpoints, _ = play(spoilt(**verbs), weighed=True)
    assert outcome.status == "failed" and said in outcome.reason
    assert not checkpoints and outcome.train.evaluations() == 0


def test_weighing_may_hold_scalars_of_any_sort() -> None:
    given = LogWeights(torch.zeros(3).requires_grad_(), log_z=(torch.tensor(1.0), np.float64(2.0)))  # type: ignore[arg-type]
    found = border.log_weights(given)
    assert found is not None and found.at_draws is not None and not found.at_draws.requires_grad
    assert found.log_z == (1.0, 2.0) and type(found.log_z[0]) is float


@dataclass(frozen=True)
class Odd:
    """Hyperparameters of every sort."""

    a: Any = field(default_factory=lambda: torch.tensor(0.5))
    b: Any = np.float32(0.25)
    c: Any = field(default_factory=lambda: torch.arange(3))
    d: Any = Path("x")
    e: Any = ((1, 2.0), {"k": np.int64(3)})
    f: Any = field(default_factory=lambda: torch.zeros(1000))
    g: Any = None


def test_hyperparameters_are_plain() -> None:
    found = border.hyperparameters(Odd())
    assert json.loads(json.dumps(found)) == {
        "a": 0.5, "b": 0.25, "c": [0, 1, 2], "d": "x", "e": [[1, 2.0], {"k": 3}],
        "f": "a tensor of shape (1000,) and torch.float32", "g": None}
    assert border.hyperparameters(load("samplers", "ula")) == {"step_size": 0.01, "chains": 1000,
                                                               "history": True}


def entry(**attributes: Any) -> Entry:
    return Entry("samplers", "mine", "Mine", Path("mine.py"), "", "", "", attributes)


def test_kinds_and_families_are_those_of_the_contract() -> None:
    from typing import get_args

    assert (KINDS, FAMILIES) == (get_args(Kind), get_args(Family))
    for found in catalogue()["samplers"].values():
        check_declared(found)


@pytest.mark.parametrize(("attributes", "said"), [
    ({"kind": "amortized"}, "did you mean 'amortised'"), ({}, "nothing that can be read"),
    ({"kind": None}, "nothing that can be read"),
    ({"kind": "one-shot", "family": "particle"}, "did you mean 'particles'")])
def test_an_unknown_kind_or_family_refuses_the_run(attributes: Any, said: str) -> None:
    with pytest.raises(UserError, match=f"sampler 'mine' declares.*{said}.*plain literal"):
        check_declared(entry(**attributes))


def test_what_a_sampler_says_when_it_runs_is_what_its_file_says() -> None:
    assert undeclared(Fair(), "fair", Declared("continuing", False, False)) == ""
    for what, name, declared in (("kind", "fair", Declared("amortised", False, False)),
                                 ("name", "exact", Declared("continuing", False, False)),
                                 ("learned", "fair", Declared("continuing", True, False))):
        assert f"{what} = " in undeclared(Fair(), name, declared)
