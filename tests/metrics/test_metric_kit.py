"""The conformance kit of metrics notices: each of its laws is broken by a metric made for it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from bench.conformance.law import Law
from bench.conformance.metrics import LAWS, MetricCase, Settings, read_settings
from bench.core.errors import UserError
from metrics.base import Estimate, Evidence, Metric
from metrics.estimates import checked
from metrics.importance.elbo import Elbo
from targets.base import Target


@dataclass(frozen=True)
class Sound(Metric):
    """The squared norm of the mean, without bias: a distance that keeps every law."""

    name = "sound"
    title = "squared error of the mean"
    signed = True

    def estimate(self, x: Tensor, evidence: Evidence) -> Estimate:
        x = checked(x, evidence).double()
        n, mean = len(x), x.mean(0)
        variance = x.var(0)
        square = float(mean.square().sum() - variance.sum() / n)
        error = float((4 * mean.square() * variance / n + 2 * (variance / n).square()).sum())
        return Estimate(square, math.sqrt(error))


def broken(estimate: Any = Sound.estimate, **attributes: Any) -> Metric:
    made: Metric = type("Broken", (Sound,), {"estimate": estimate, **attributes})()
    return made


def changed(**parts: Any) -> Any:
    """The sound estimate with a part made from it: value or se."""
    def estimate(self: Sound, x: Tensor, evidence: Evidence) -> Estimate:
        sound = Sound.estimate(self, x, evidence)
        value = parts["value"](sound.value) if "value" in parts else sound.value
        se = parts["se"](sound.se) if "se" in parts else sound.se
        return Estimate(value, se)
    return estimate


def doing(first: Any) -> Any:
    """Something done before the sound estimate; it may give other points."""
    def estimate(self: Sound, x: Tensor, evidence: Evidence) -> Estimate:
        other = first(x, evidence)
        return Sound.estimate(self, x if other is None else other, evidence)
    return estimate


def remembering(x: Tensor, evidence: Evidence) -> Tensor:
    """Keeps the first samples it meets, as if they depended on the reference alone."""
    kept: Tensor = evidence.memo.setdefault("mine", x.clone())
    return kept


def unchecked(self: Sound, x: Tensor, evidence: Evidence) -> Estimate:
    return Estimate(float(x.nan_to_num().mean()) ** 2)


BREAKS: dict[str, list[Metric]] = {
    "declares_itself": [broken(title=""), broken(needs=("luck",)), broken(version=0),
                        broken(exempt={"no_such_law": "why"}),
                        broken(exempt={"worse_samples_score_worse": ""})],
    "the_same_question_has_the_same_answer": [
        broken(doing(remembering)),
        broken(doing(lambda x, e: x + 0.1 * torch.rand(1)))],
    "points_and_reference_stay_as_they_were": [
        broken(doing(lambda x, e: x.mul_(2.0))),
        broken(doing(lambda x, e: e.reference.add_(1.0) is None or None))],
    "leaves_global_generators_alone": [broken(doing(lambda x, e: torch.rand(1) is None or None))],
    "order_of_points_does_not_matter": [broken(doing(lambda x, e: x[: len(x) // 2]))],
    "points_that_are_none_are_refused": [broken(unchecked)],
    "exact_samples_score_at_zero": [
        broken(changed(value=lambda v: v + 0.05)), broken(changed(value=lambda v: math.nan)),
        broken(signed=False)],
    "worse_samples_score_worse": [broken(changed(value=lambda v: -v)),
                                  broken(changed(value=lambda v: 0.0))],
    "standard_errors_are_honest": [broken(changed(se=lambda se: se / 2)),
                                   broken(changed(se=lambda se: 2 * se))],
}


def named(law: str) -> Law:
    (found,) = [x for x in LAWS if x.name == law]
    return found


def test_each_law_has_a_metric_that_breaks_it() -> None:
    assert [law.name for law in LAWS] == list(BREAKS)


@pytest.mark.parametrize("made", [Sound(), Elbo()], ids=["points", "weights"])
def test_a_sound_metric_keeps_every_law(made: Metric) -> None:
    assert {law.examine(MetricCase(made), {}).status for law in LAWS} <= {"ok", "not applicable"}
    points = [law.examine(MetricCase(Sound()), {}).status for law in LAWS]
    assert points == ["ok"] * len(LAWS)


@pytest.mark.parametrize(("law", "made"), [(law, made) for law in BREAKS for made in BREAKS[law]])
def test_each_law_can_fail(law: str, made: Metric) -> None:
    outcome = named(law).examine(MetricCase(made), {})
    assert outcome.status == "failed" and outcome.said and outcome.expected
    assert not outcome.said.startswith("it raised")


def test_laws_that_do_not_apply_say_why() -> None:
    trains = MetricCase(broken(trains=True))
    assert "trains a network" in named("worse_samples_score_worse").examine(trains, {}).said
    silent = MetricCase(broken(changed(se=lambda se: None)))
    assert "no standard error" in named("standard_errors_are_honest").examine(silent, {}).said

    def never(self: Metric, target: Target) -> bool:
        return False
    nowhere = MetricCase(broken(applies=never))
    assert "neither in the plane" in named("worse_samples_score_worse").examine(nowhere, {}).said
    assert "log-weights" in named("order_of_points_does_not_matter").examine(
        MetricCase(Elbo()), {}).said


def test_settings_are_read() -> None:
    assert read_settings(type(broken(law_settings={"n": 50}))) == Settings(n=50)
    with pytest.raises(UserError, match="law_settings has no 'm'"):
        read_settings(type(broken(law_settings={"m": 3})))
