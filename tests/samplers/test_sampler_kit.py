"""The conformance kit of samplers notices: each of its laws is broken by a sampler made for it."""

from __future__ import annotations

import pytest
import torch

from bench.conformance.distributions import DISTRIBUTIONS, distribution
from bench.conformance.law import Law
from bench.conformance.samplers import (
    LAWS,
    SamplerCase,
    Settings,
    read_settings,
    recovers_distribution,
)
from bench.conformance.trial import Trial
from bench.conformance.verdict import verdict
from bench.core.errors import UserError
from bench.core.registry import catalogue
from samplers.base import Sampler
from samplers.baselines.initial import Initial
from samplers.mcmc.hmc import Hmc
from samplers.particles.svgd import Svgd
from tests.support.lawless_samplers import (
    BREAKS,
    LonelySvgd,
    RecklessHmc,
    Sound,
    WrongSignHmc,
    broken,
)

FINE = 0.1  # the bias up to which the kit distinguishes the skewed distribution from a Gaussian
CASES = [(law, made, i) for law, all_made in BREAKS.items() for i, made in enumerate(all_made)]
LARGEST = max((e.attributes.get("law_settings") or {}).get("bias", 0.0)
              for e in catalogue()["samplers"].values())


def case(made: Sampler) -> SamplerCase:
    return SamplerCase(made, read_settings(type(made)))


def test_each_law_has_a_sampler_that_breaks_it() -> None:
    assert {law.name for law in LAWS} == {*BREAKS, "recovers_distribution"}


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_a_sound_sampler_keeps_every_law(law: Law) -> None:
    assert law.examine(case(Sound()), {}).status == "ok"


@pytest.mark.parametrize(("law", "made"), [c[:2] for c in CASES],
                         ids=[f"{law}{i}" for law, _, i in CASES])
def test_each_law_can_fail(law: str, made: Sampler) -> None:
    (of,) = [x for x in LAWS if x.name == law]
    outcome = of.examine(case(made), {})
    assert outcome.status == "failed" and outcome.said and outcome.expected


def test_what_a_law_raises_is_what_was_measured() -> None:
    lost = broken(draw=lambda self, target, state, n, rng: state.nowhere)
    outcome = LAWS[1].examine(case(lost), {})
    assert outcome.status == "failed" and "it raised AttributeError" in outcome.said


def test_a_state_without_a_plain_form_is_not_held_to_saving() -> None:
    odd = broken(init=lambda self, t, r: {"x": object()}, step=lambda self, t, s, p, r: s)
    (saves,) = [law for law in LAWS if law.name == "saves_and_loads"]
    outcome = saves.examine(case(odd), {})
    assert outcome.status == "not applicable" and "object" in outcome.said


def test_an_exemption_holds_only_while_it_is_needed() -> None:
    law = Law(recovers_distribution)
    start = SamplerCase(Initial(), Settings(steps=0))
    assert law.examine(start, {law.name: "a baseline"}).said == "exempt: a baseline"
    kept = LAWS[0].examine(case(Sound()), {LAWS[0].name: "I like to"})
    assert kept.status == "failed" and "take the exemption out" in kept.said


def test_settings_that_are_none_are_refused() -> None:
    with pytest.raises(UserError, match="law_settings has no 'stepps'"):
        read_settings(type(broken(law_settings={"stepps": 3})))


# ---- the judge of distributions -----------------------------------------------------------------


@pytest.mark.parametrize("where", DISTRIBUTIONS)
@pytest.mark.parametrize("bad", [RecklessHmc(chains=1500), LonelySvgd(particles=400,
                                                                     step_size=0.02)])
def test_known_bad_samplers_are_noticed(bad: Sampler, where: str) -> None:
    x = Trial(bad, distribution(where), 600 if isinstance(bad, Svgd) else 60).run().draw(4000)
    assert verdict(x, where, LARGEST)


def test_a_mirrored_distribution_is_noticed() -> None:
    x = Trial(WrongSignHmc(chains=1500), distribution("skewed"), 60).run().draw(4000)
    assert verdict(x, "skewed", LARGEST)
    mirrored = SamplerCase(WrongSignHmc(chains=1500), Settings(60))
    assert Law(recovers_distribution).examine(mirrored, {}).status == "failed"
    sound = SamplerCase(Hmc(chains=1500), Settings(60))
    assert Law(recovers_distribution).examine(sound, {}).status == "ok"


def test_a_gaussian_of_the_right_moments_is_noticed() -> None:
    mean, covariance, _ = DISTRIBUTIONS["skewed"].cumulants()
    z = torch.randn((4000, 2), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    x = z @ torch.linalg.cholesky(covariance).T + mean
    assert verdict(x, "skewed", FINE)


@pytest.mark.parametrize("where", DISTRIBUTIONS)
def test_the_kit_s_own_targets_are_what_they_say(where: str) -> None:
    target = DISTRIBUTIONS[where]
    x = target.sample(400_000, torch.Generator().manual_seed(5))
    assert not verdict(x, where)
    points = x[:50].requires_grad_()
    (gradient,) = torch.autograd.grad(target.log_prob(points).sum(), points)
    torch.testing.assert_close(target.score(points), gradient)
