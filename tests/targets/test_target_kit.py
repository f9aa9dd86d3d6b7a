"""The conformance kit of targets notices: each of its laws is broken by a target made for it."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from bench.conformance.law import Law
from bench.conformance.targets import LAWS, Settings, TargetCase, read_settings
from bench.core.errors import UserError
from bench.core.registry import load
from targets.base import Target, Tempered, Truth


class Sound(Target):
    """N(0, I) in the plane with everything that a target may have."""

    name = "sound"
    dim = 2
    scale = 1.0
    has_reference = True
    mode_weights = torch.tensor([1 - math.exp(-0.5), math.exp(-0.5)], dtype=torch.float64)
    log_z = math.log(2 * math.pi)

    def log_prob(self, x: Tensor) -> Tensor:
        return -x.square().sum(1) / 2

    def score(self, x: Tensor) -> Tensor:
        return -x

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        z = torch.randn((n, 2), generator=rng, dtype=torch.float64)
        return z.to(self.dtype)

    def truths(self) -> tuple[Truth, ...]:
        return (Truth("x0^2", lambda x: x[:, 0] ** 2, 1.0),)

    def mode_of(self, x: Tensor) -> Tensor:
        return (x.norm(dim=1) > 1.0).long()

    def view(self) -> tuple[float, float, float, float]:
        return (-4.0, 4.0, -4.0, 4.0)


def broken(**body: Any) -> Target:
    made: Target = type("Broken", (Sound,), body)()
    return made


def wide_sample(self: Target, n: int, rng: torch.Generator) -> Tensor:
    return 1.05 * Sound.sample(self, n, rng)


def global_sample(self: Target, n: int, rng: torch.Generator) -> Tensor:
    return torch.randn((n, 2), dtype=self.dtype)


def uniform_sample(self: Target, n: int, rng: torch.Generator) -> Tensor:
    """The right means and variances, the wrong shape."""
    u = torch.rand((n, 2), generator=rng, dtype=torch.float64)
    return ((2 * u - 1) * math.sqrt(3)).to(self.dtype)


class Halved(Tempered):
    """Tempered twice over."""

    def log_prob(self, x: Tensor) -> Tensor:
        return super().log_prob(x) / self.temperature


def rough(self: Target, x: Tensor) -> Tensor:
    """Loses digits in single precision only."""
    extra = 0.0 if x.dtype == torch.float64 else 1e-2
    return Sound.log_prob(self, x) * (1 + extra)


#: Law: targets that break it, each in its own way.
BREAKS: dict[str, list[Target]] = {
    "keeps_the_contract": [broken(log_prob=lambda self, x: -x.square().mean()),
                           broken(exempt={"no_such_law": "why"})],
    "score_is_the_gradient": [
        broken(score=lambda self, x: -1.0001 * x),
        broken(log_prob_and_score=lambda self, x: (Sound.log_prob(self, x), x))],
    "hvp_is_the_derivative_of_the_score": [broken(hvp=lambda self, x, v: -1.001 * v)],
    "tempering_divides_the_log_density": [broken(tempered=lambda self, t: Halved(self, t))],
    "a_single_precision_copy_agrees": [
        broken(log_prob=rough),
        broken(sample=lambda self, n, rng: torch.randn((n, 2), generator=rng,
                                                       dtype=torch.float64))],
    "points_come_from_the_generator_alone": [
        broken(sample=global_sample),
        broken(sample=lambda self, n, rng: Sound.sample(self, n, torch.Generator()))],
    "exact_points_agree_with_the_truths": [
        broken(truths=lambda self: (Truth("x0^2", lambda x: x[:, 0] ** 2, 1.03),))],
    "exact_points_obey_stein": [broken(sample=wide_sample)],
    "single_precision_points_obey_stein": [broken(sample=wide_sample)],
    "exact_points_fill_cells": [broken(sample=uniform_sample), broken(sample=wide_sample)],
    "log_z_and_truths_by_quadrature": [
        broken(log_z=Sound.log_z + 1e-4),
        broken(truths=lambda self: (Truth("x0^2", lambda x: x[:, 0] ** 2, 1.001),))],
    "mode_weights_are_shares": [
        broken(mode_weights=torch.tensor([0.5, 0.6], dtype=torch.float64)),
        broken(mode_weights=torch.tensor([0.41, 0.59], dtype=torch.float64))],
    "scale_is_about_the_size": [broken(scale=4.0)],
    "the_window_shows_the_points": [broken(view=lambda self: (-2.0, 2.0, -2.0, 2.0))],
}


class Bare(Target):
    """The least that a target may be."""

    name, dim, scale = "bare", 2, 1.0

    def log_prob(self, x: Tensor) -> Tensor:
        return -x.square().sum(1) / 2


def named(law: str) -> Law:
    (found,) = [x for x in LAWS if x.name == law]
    return found


def test_each_law_has_a_target_that_breaks_it() -> None:
    assert [law.name for law in LAWS] == list(BREAKS)


def test_a_sound_target_keeps_every_law() -> None:
    case = TargetCase(Sound())
    assert [law.examine(case, {}).status for law in LAWS] == ["ok"] * len(LAWS)


@pytest.mark.parametrize(("law", "made"), [(law, made) for law in BREAKS for made in BREAKS[law]])
def test_each_law_can_fail(law: str, made: Target) -> None:
    outcome = named(law).examine(TargetCase(made, Settings(points=60_000)), {})
    assert outcome.status == "failed" and outcome.said and outcome.expected
    assert not outcome.said.startswith("it raised")


def test_the_least_of_a_target_is_held_to_what_it_says() -> None:
    found = [law.examine(TargetCase(Bare()), {}) for law in LAWS]
    assert [o.status for o in found] == ["ok"] * 5 + ["not applicable"] * 9
    assert {o.said for o in found[5:]} == {"the target has no exact points (sample and "
                                           "has_reference)"}


@pytest.mark.parametrize("law", ["exact_points_fill_cells", "log_z_and_truths_by_quadrature"])
def test_the_funnel_needs_its_exemptions(law: str) -> None:
    funnel = load("targets", "funnel")
    case = TargetCase(funnel, read_settings(type(funnel)))
    assert named(law).examine(case, funnel.exempt).said.startswith("exempt: ")


def test_settings_that_are_none_are_refused() -> None:
    with pytest.raises(UserError, match="law_settings has no 'point'"):
        read_settings(type(broken(law_settings={"point": 3})))
