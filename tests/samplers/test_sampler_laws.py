"""The conformance kit: the same laws for every sampler that discovery finds.

A new sampler is tested with its default hyperparameters and 1,000 steps. Those of this project
that need other settings to be tested in seconds have them in the one table below, ``bias`` being
the systematic error that the method itself leaves, with its reason. A setting must hold whatever
the seed: ``KIT_SEED=3 python -m pytest tests/test_sampler_laws.py -m "slow or not slow" -k
recovers_law`` repeats the law at another than 0; docs/samplers.md says at which it was.
"""

from __future__ import annotations

import io
import math
import os
import random
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
import torch

from bench.conformance.exemptions import EXEMPTIONS
from bench.core.density import Density
from bench.core.errors import MissingPackage
from bench.core.registry import catalogue, load
from bench.harness.meter import Ledger, MeteredTarget
from samplers.base import Sampler
from samplers.mcmc.hmc import Hmc, HmcState
from samplers.particles.svgd import Svgd, SvgdState
from tests.support.laws import LAWS, Trial, law, verdict
from tests.support.persist import load as load_state
from tests.support.persist import save

SEED = int(os.environ.get("KIT_SEED", "0"))  # of the trial that must recover the law
USUAL_BUDGET = 1_000_000  # evaluations, on a toy target


@dataclass(frozen=True)
class Setting:
    """How a sampler is tested."""

    steps: int = 1000
    bias: float = 0.0
    why: str = ""
    slow: bool = False
    parameters: dict[str, Any] = field(default_factory=dict)


DIFFUSION = {"unit": 2.0, "sigma_min": 0.05, "sde_steps": 100, "mc_samples": 150, "batch": 128,
             "clip": 20.0, "width": 64, "embedding": 32,
             "ema": 0.995}  # without the average a mean wanders by half a deviation
TRANSPORT = {"particles": 2000, "step_size": 0.02, "start_updates": 200, "learning_rate": 2e-3,
             "layers": 2, "width": 64}
PAIR = {"width": 64, "layers": 3, "learning_rate": 5e-4, "score_learning_rate": 2e-3}
SETTINGS = {
    "exact": Setting(0),
    "initial": Setting(0),
    "ula": Setting(400, 0.03, "a step of .02 biases variances by a few per cent",
                   parameters={"chains": 4000, "step_size": 0.02}),
    "mala": Setting(120, parameters={"chains": 4000}),
    "hmc": Setting(60, parameters={"chains": 1500}),
    "mh": Setting(200, parameters={"chains": 4000}),
    "nuts": Setting(60, parameters={"chains": 1200, "max_depth": 4}),
    "parallel_tempering": Setting(60, parameters={"replicas": 4, "chains": 1500,
                                                  "leapfrog_steps": 3}),
    "ais": Setting(150, parameters={"particles": 4000}),
    "smc": Setting(120, parameters={"particles": 500}),
    "nested": Setting(10, parameters={"live": 200, "queue": 50, "bootstrap": 0}),
    "svgd": Setting(600, 0.05, "400 particles leave the tails out",
                    parameters={"particles": 400, "step_size": 0.02}),
    "ula_annealed": Setting(400, parameters={"chains": 4000}),
    "sbtm": Setting(1850, slow=True, parameters=TRANSPORT),
    "sbtm_annealed": Setting(1850, slow=True, parameters=TRANSPORT),
    "drifting": Setting(1000, 0.1, "the mean-shift over a finite batch counts each point itself, "
                        "which shrinks the law", slow=True,
                        parameters={"estimator": "second_order", "width": 128}),
    "drifting_multiscale": Setting(700, parameters={"codes": 64, "width": 64, "batch": 128,
                                                    "support": 256, "walkers": 32, "window": 50}),
    "dft": Setting(12_000, 0.05, "samples are narrower than the target by the noise's variance, "
                   "sigma x scale = .15", slow=True,
                   parameters={"batch": 1024, "width": 64, "layers": 3, "score_updates": 9,
                               "learning_rate": 1e-3, "score_learning_rate": 2e-3}),
    "kl_ns": Setting(5000, 0.1, "narrower by the noise's variance, as dft", slow=True,
                     parameters={**PAIR, "batch": 512, "score_updates": 9}),
    "fisher_ns": Setting(4000, 0.2, "f lags behind the generator: means are off by up to .26 sd",
                         slow=True,
                         parameters={**PAIR, "batch": 256, "layers": 2, "learning_rate": 1e-3,
                                     "score_learning_rate": 5e-3}),
    "ksd_ns": Setting(2500, 0.1, "means and variances wander with the noise of batches of 256",
                      slow=True, parameters={"batch": 256, "width": 64, "layers": 3,
                                             "learning_rate": 3e-4}),
    "steingan": Setting(1200, 0.1, "each point is in its own sum, which narrows the law, and "
                        "means wander with the noise of the batch", slow=True,
                        parameters={"batch": 512, "width": 64, "layers": 3,
                                    "learning_rate": 5e-4}),
    "dikl": Setting(4000, 0.3, "noised scores by importance samples are biased: the first mean is "
                    ".2 sd too large at every seed, a variance by up to .36", slow=True,
                    parameters={**PAIR, "batch": 128, "score_updates": 4, "score_batch": 256,
                                "embedding": 16, "temperatures": 5, "candidates": 6}),
    "idem": Setting(3000, 0.1, "150 samples estimate the score with bias", slow=True,
                    parameters={**DIFFUSION, "learning_rate": 5e-4, "warm_start": "prior",
                                "outer_batch": 1024}),
    "pdem": Setting(2500, 0.1, "as idem", slow=True,
                    parameters={**DIFFUSION, "learning_rate": 5e-4}),
    "pis": Setting(400, 0.05, "so short a training leaves variances off by a tenth", slow=True,
                   parameters={"loss": "log_variance", "learning_rate": 2e-3}),
    "dds": Setting(400, 0.2, "so short a training over 64 SDE steps leaves variances off by up to "
                   "a fifth", slow=True, parameters={"prior": 1.0, "noise": 3.0}),
    "dis": Setting(400, 0.2, "as dds", slow=True, parameters={"prior": 1.0}),
    "coupling_flow": Setting(900, slow=True,
                             parameters={"layers": 4, "width": 32, "learning_rate": 1e-3}),
    "boltzmann_generator": Setting(700, slow=True, parameters={
        "layers": 4, "width": 32, "learning_rate": 2e-3}),
    "fab": Setting(1500, slow=True, parameters={"layers": 4, "width": 32, "learning_rate": 1e-3,
                                                "buffer_batches": 8, "least": 1280}),
}
FAMILIES = ("mcmc", "particles", "diffusion", "flow", "one-step", "baseline")
FINE = 0.1  # the bias up to which the kit tells the skewed law from a Gaussian of its moments
SAMPLERS = sorted(catalogue()["samplers"])


def setting(name: str) -> Setting:
    return SETTINGS.get(name, Setting())


def sampler(name: str) -> Sampler:
    try:
        return load("samplers", name, **setting(name).parameters)
    except MissingPackage as error:
        pytest.skip(str(error))


def trial(name: str, steps: int | None = None, seed: int = 0) -> Trial:
    """A run on the skewed law, by default as short as shows the sampler's own behaviour."""
    target: Any = law("skewed")
    made = sampler(name)
    if made.kind == "baseline" and name != "exact":
        target = MeteredTarget(target, Ledger(target.device))
    return Trial(made, target, 8 if steps is None else steps, seed)


def same(a: Any, b: Any) -> bool:
    """Whether two saved states are equal bit for bit."""
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)


def marked(name: str) -> Any:
    return pytest.param(name, marks=pytest.mark.slow) if setting(name).slow else name


# ---- the law ------------------------------------------------------------------------------------


def missed(name: str, where: str, seed: int) -> list[str]:
    """What a sampler's points get wrong of a law at a seed."""
    chosen = setting(name)
    points = Trial(sampler(name), law(where), chosen.steps, seed).run().draw(4000)
    return verdict(points, where, chosen.bias)


@pytest.mark.parametrize("name", [marked(name) for name in SAMPLERS])
@pytest.mark.parametrize("where", LAWS)
def test_recovers_law(name: str, where: str) -> None:
    """At the seed; a learned sampler at two of three seeds.

    A training takes another course on another processor, so that no one seed holds everywhere:
    on one of two, with unchanged code, fisher_ns misses 1 and pis 2 of seeds 0 to 7.
    """
    wrong = missed(name, where, SEED)
    if wrong and sampler(name).learned:
        wrong = missed(name, where, SEED + 1) or missed(name, where, SEED + 2)
    if (name, "recovers_law") in EXEMPTIONS:
        assert wrong, "an exempted sampler recovers the law: strike the exemption"
    else:
        assert not wrong


def test_only_controls_are_exempt_from_the_law() -> None:
    entries = catalogue()["samplers"]
    for (name, of), reason in EXEMPTIONS.items():
        assert reason and name in entries
        assert of != "recovers_law" or entries[name].attributes["kind"] == "baseline"


@dataclass(frozen=True)
class RecklessHmc(Hmc):
    """Known bad: a large step, never refused."""

    name = "reckless"

    def step(self, target: Density, state: HmcState, progress: float,
             rng: torch.Generator) -> HmcState:
        v = torch.randn(state.x.shape, generator=rng)
        x = state.x
        for _ in range(5):
            v = v + 0.3 * target.score(x)
            x = x + 0.6 * v
            v = v + 0.3 * target.score(x)
        return replace(state, x=x, history=state.history.append(x))


@dataclass(frozen=True)
class LonelySvgd(Svgd):
    """Known bad: no repulsion, so that particles gather at the mode."""

    name = "lonely"

    def step(self, target: Density, state: SvgdState, progress: float,
             rng: torch.Generator) -> SvgdState:
        h2 = self.square_bandwidth(state.x, rng)
        k = torch.exp(-torch.cdist(state.x, state.x).square() / (2 * h2))
        phi = k @ target.score(state.x) / len(state.x)
        past = self.decay if state.steps else 0.0
        squares = past * state.squares + (1 - past) * phi.square()
        x = state.x + self.step_size * phi / (1e-6 + squares.sqrt())
        return replace(state, x=x, squares=squares, steps=state.steps + 1)


@dataclass(frozen=True)
class WrongSignHmc(Hmc):
    """Known bad: coasts on the mirror image of the law, which only an asymmetric law betrays."""

    name = "mirrored"

    def draw(self, target: Density, state: HmcState, n: int, rng: torch.Generator) -> torch.Tensor:
        centre = state.x.mean(0)
        return 2 * centre - super().draw(target, state, n, rng)


@pytest.mark.parametrize("where", LAWS)
@pytest.mark.parametrize("bad", [RecklessHmc(chains=1500), LonelySvgd(particles=400,
                                                                     step_size=0.02)])
def test_known_bad_samplers_are_refused(bad: Sampler, where: str) -> None:
    largest = max(chosen.bias for chosen in SETTINGS.values())
    x = Trial(bad, law(where), 600 if isinstance(bad, Svgd) else 60).run().draw(4000)
    assert verdict(x, where, largest)


def test_a_mirrored_law_is_refused() -> None:
    x = Trial(WrongSignHmc(chains=1500), law("skewed"), 60).run().draw(4000)
    assert verdict(x, "skewed", max(chosen.bias for chosen in SETTINGS.values()))


def test_a_gaussian_of_the_right_moments_is_refused() -> None:
    mean, covariance, _ = LAWS["skewed"].cumulants()
    z = torch.randn((4000, 2), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    x = z @ torch.linalg.cholesky(covariance).T + mean
    assert verdict(x, "skewed", FINE)


@pytest.mark.parametrize("where", LAWS)
def test_the_kit_s_own_targets_are_what_they_say(where: str) -> None:
    target = LAWS[where]
    x = target.sample(400_000, torch.Generator().manual_seed(5))
    assert not verdict(x, where)
    points = x[:50].requires_grad_()
    (gradient,) = torch.autograd.grad(target.log_prob(points).sum(), points)
    torch.testing.assert_close(target.score(points), gradient)


# ---- the contract -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SAMPLERS)
def test_declares_itself(name: str) -> None:
    said = catalogue()["samplers"][name].attributes
    assert said["kind"] in ("amortised", "continuing", "one-shot", "baseline")
    assert said["family"] in FAMILIES
    assert said["update"] and said["citation"] and said["limitations"]
    if said["kind"] == "baseline":
        assert isinstance(said["steps"], int)


@pytest.mark.parametrize("name", SAMPLERS)
def test_is_deterministic_under_a_seed(name: str) -> None:
    one, two, other = trial(name).run(), trial(name).run(), trial(name, seed=1).run()
    assert same(save(one.state), save(two.state))
    assert torch.equal(one.draw(50), two.draw(50))
    assert not torch.equal(one.draw(50), one.draw(50, seed=2))
    assert one.state is None or not same(save(one.state), save(other.state))


@pytest.mark.parametrize("name", SAMPLERS)
def test_leaves_global_generators_alone(name: str) -> None:
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    trial(name).run().draw(50)
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])
    assert before[2] == random.getstate()


@pytest.mark.parametrize("name", SAMPLERS)
def test_checkpoints_do_not_change_training(name: str) -> None:
    straight, watched = trial(name).run(), trial(name)
    for i in range(8):
        watched.draw(30 + i, seed=i)
        watched.sampler.diagnostics(watched.state)
        watched.run(1)
    assert same(save(straight.state), save(watched.state))
    assert torch.equal(straight.draw(50), watched.draw(50))


@pytest.mark.parametrize("name", SAMPLERS)
def test_draw_leaves_the_state(name: str) -> None:
    run = trial(name).run()
    before = save(run.state)
    run.draw(5000).fill_(float("nan"))
    run.draw(10).fill_(float("nan"))
    assert same(before, save(run.state))


@pytest.mark.parametrize("name", SAMPLERS)
def test_step_cost_is_bounded(name: str) -> None:
    target = law("skewed")
    ledger = Ledger(target.device)
    run = trial(name)
    if name != "exact":
        run.target = MeteredTarget(target, ledger)
    for _ in range(8):
        before = ledger.cost("train").evaluations()
        run.run(1)
        assert ledger.cost("train").evaluations() - before <= 0.02 * USUAL_BUDGET


@pytest.mark.parametrize("name", SAMPLERS)
def test_saves_and_loads(name: str) -> None:
    run, file = trial(name).run(5), io.BytesIO()
    torch.save(save(run.state), file)
    file.seek(0)
    resumed = trial(name, seed=9)
    resumed.state = load_state(resumed.state, torch.load(file, weights_only=True))
    assert same(save(resumed.state), save(run.state))
    resumed.made = run.made
    resumed.rng.set_state(run.rng.get_state())
    assert same(save(run.run(5).state), save(resumed.run(5).state))
    assert torch.equal(run.draw(50), resumed.draw(50))


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("steps", [0, 1, 8])
def test_draws_what_is_asked_or_what_there_is(name: str, steps: int) -> None:
    run = trial(name).run(steps)
    for n in (1, 100, 6000):
        x = run.draw(n)
        assert x.ndim == 2 and x.shape[1] == 2 and x.dtype == torch.float32
        assert bool(torch.isfinite(x).all())
        assert 1 <= len(x) <= n
        if run.sampler.kind in ("amortised", "baseline"):
            assert len(x) == n
        if run.sampler.kind == "one-shot":  # no point is given twice
            assert len(x.unique(dim=0)) == len(x)


@pytest.mark.parametrize("name", SAMPLERS)
def test_independent_steps_and_diagnostics_are_numbers(name: str) -> None:
    run = trial(name).run()
    assert all(isinstance(v, float) for v in run.sampler.diagnostics(run.state).values())
    if run.sampler.kind in ("continuing", "one-shot"):
        points, steps = run.sampler.independent_steps(run.state)
        assert points >= 1 and steps >= 1
    if run.sampler.learned:
        assert run.state.updates <= 8


@pytest.mark.parametrize("name", SAMPLERS)
def test_weighing_leaves_state_and_points_and_says_numbers(name: str) -> None:
    run = trial(name).run()
    before, points = save(run.state), law("skewed").sample(60, torch.Generator().manual_seed(4))
    for given in (None, points):
        kept = None if given is None else given.clone()
        said, again = (run.sampler.log_weights(run.target, run.state, 60, given,
                                         torch.Generator().manual_seed(6)) for _ in range(2))
        assert same(before, save(run.state))
        assert given is None or torch.equal(given, kept)
        if said is None or again is None:
            assert again is None and said is None
            continue
        for part in (said.at_draws, said.at_target, said.gap):
            assert part is None or (part.ndim == 1 and bool(torch.isfinite(part).all()))
        assert said.at_target is None or (given is not None and len(said.at_target) == 60)
        assert said.log_z is None or (math.isfinite(said.log_z[0]) and said.log_z[1] >= 0)
        for one, two in zip(vars(said).values(), vars(again).values(), strict=True):
            assert torch.equal(one, two) if isinstance(one, torch.Tensor) else one == two


@pytest.mark.parametrize("name", SAMPLERS)
def test_works_in_double_precision(name: str) -> None:
    target = LAWS["skewed"].to("cpu", torch.float64)
    x = Trial(sampler(name), target, 4).run().draw(20)
    assert x.dtype == torch.float64 and bool(torch.isfinite(x).all())
