"""Langevin and Hamiltonian samplers against what is known of them exactly."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from bench.conformance.distributions import DISTRIBUTIONS, distribution
from bench.conformance.trial import Trial
from bench.conformance.verdict import ksd2, verdict
from bench.core.registry import load
from bench.harness.meter import Ledger, MeteredTarget
from samplers.mcmc.hmc import Hmc
from samplers.mcmc.mala import Mala, transition
from samplers.mcmc.mh import Mh
from samplers.mcmc.nuts import Nuts
from samplers.mcmc.ula import Ula, UlaState
from samplers.transitions.dual_averaging import StepSize
from samplers.transitions.leapfrog import trajectory
from samplers.transitions.metropolis import Evaluated
from targets.base import Target


class Normal(Target):
    """N(0, I) with whatever scale is declared."""

    dim = 1

    def __init__(self, scale: float = 1.0, sd: float = 1.0) -> None:
        self.scale, self.sd = scale, sd

    def log_prob(self, x: Tensor) -> Tensor:
        return -(x / self.sd).square().sum(-1) / 2

    def score(self, x: Tensor) -> Tensor:
        return -x / self.sd**2


class Quartic(Normal):
    """exp(-sum x^4): scores of thousands where the initial law puts its chains."""

    def log_prob(self, x: Tensor) -> Tensor:
        return -x.square().square().sum(-1)

    def score(self, x: Tensor) -> Tensor:
        return -4 * x**3


class Cliff(Normal):
    """N(0, 1) where x > 0, and no number elsewhere."""

    def log_prob(self, x: Tensor) -> Tensor:
        value = super().log_prob(x)
        return torch.where(x.sum(-1) > 0, value, torch.full_like(value, math.nan))


def settled(sampler: Any, target: Target, x: Tensor, eps: float) -> Trial:
    """A run whose chains are at x and whose step is frozen at eps."""
    run = Trial(sampler, target, 1)
    log_p, score = target.log_prob_and_score(x)
    size = StepSize.start(target, len(x), eps)
    there = {"x": x, "log_p": log_p, "score": score, "size": size}
    run.state = replace(run.state, **{k: v for k, v in there.items() if hasattr(run.state, k)})
    run.made = 1  # past the warm-up
    return run


EXACT = [(Mala(chains=8000), 0.6), (Hmc(chains=8000, leapfrog_steps=3), 1.1),
         (Mh(chains=8000), 1.5), (Nuts(chains=8000), 0.7)]
ADAPTED = [Mala(chains=1000), Hmc(chains=500), Nuts(chains=500, max_depth=4)]


@pytest.mark.parametrize(("sampler", "eps"), EXACT)
@pytest.mark.parametrize("where", DISTRIBUTIONS)
def test_exact_points_stay_exact_at_a_coarse_step(sampler: Any, eps: float, where: str) -> None:
    target = distribution(where)
    start = target.sample(8000, torch.Generator().manual_seed(4))
    run = settled(sampler, target, start, eps).run(40)
    acceptance = run.sampler.diagnostics(run.state)["acceptance"]
    assert 0.1 < acceptance < 0.9  # refusals matter
    assert not verdict(run.state.x, where)


def test_unadjusted_steps_as_coarse_do_not() -> None:
    target = distribution("correlated")
    run = Trial(Ula(chains=8000, step_size=0.15), target, 40).run()
    assert verdict(run.state.x, "correlated")


@pytest.mark.parametrize(("sampler", "eps"), EXACT)
def test_detailed_balance(sampler: Any, eps: float) -> None:
    """(x, y) and (y, x) have one law, where y follows x: E f(x) g(y) = E g(x) f(y)."""
    target = distribution("skewed")
    many = replace(sampler, chains=100_000)
    x = target.sample(100_000, torch.Generator().manual_seed(6))
    y = settled(many, target, x, eps).run(1).state.x
    assert float((x != y).any(1).float().mean()) > 0.1
    features = {"x0": lambda p: p[:, 0], "x1^2": lambda p: p[:, 1] ** 2,
                "exp": lambda p: torch.exp(-p[:, 0]), "far": lambda p: (p[:, 1] > 2).float()}
    for f in features.values():
        for g in features.values():
            gap = (f(x) * g(y) - g(x) * f(y)).double()
            assert abs(float(gap.mean())) <= 4 * float(gap.std()) / math.sqrt(len(gap)) + 1e-12


def test_mala_accepts_by_the_density_of_the_langevin_step() -> None:
    target, rng = DISTRIBUTIONS["skewed"], torch.Generator().manual_seed(1)
    x = target.sample(2000, rng)
    z, u = (f(x.shape[:k], generator=rng, dtype=x.dtype)
            for f, k in ((torch.randn, 2), (torch.rand, 1)))
    eps = torch.tensor(0.3, dtype=torch.float64)
    log_p, score = target.log_prob_and_score(x)
    (moved, *_), accepted, _ = transition(target, Evaluated(x, log_p, score), eps, z, u)

    def log_q(to: Tensor, at: Tensor) -> Tensor:
        mean = at + eps * target.score(at)
        return torch.distributions.Normal(mean, (2 * eps).sqrt()).log_prob(to).sum(-1)

    y = x + eps * score + (2 * eps).sqrt() * z
    log_a = target.log_prob(y) - log_p + log_q(x, y) - log_q(y, x)
    assert torch.equal(accepted, (1 - u).log() < log_a)
    assert 0.2 < float(accepted.double().mean()) < 0.9
    torch.testing.assert_close(moved, torch.where(accepted[:, None], y, x))


def test_a_random_walk_finds_the_acceptance_that_theory_wants() -> None:
    """.234 and 2.38 / sqrt(dim) on a product of normal laws (Roberts, Gelman, Gilks 1997)."""
    target = Normal()
    target.dim = 30
    run = Trial(Mh(chains=400), target, 1500).run()
    found = run.sampler.diagnostics(run.state)
    assert found["acceptance"] == pytest.approx(0.234, abs=0.01)
    assert found["step_size"] == pytest.approx(2.38 / math.sqrt(30), rel=0.05)


def test_a_random_walk_takes_no_gradient() -> None:
    target = Normal()
    ledger = Ledger(target.device)
    Trial(Mh(chains=10), MeteredTarget(target, ledger), 25).run()
    assert (ledger.cost("train").density, ledger.cost("train").score) == (10 * 26, 0)


def test_ula_variance_is_that_of_its_own_chain() -> None:
    """x <- (1 - eps) x + sqrt(2 eps) z has the stationary variance 1/(1 - eps/2)."""
    eps, chains = 0.5, 60_000
    run = Trial(Ula(chains=chains, step_size=eps), Normal(), 40).run()
    variance = float(run.state.x.double().var())
    assert variance == pytest.approx(1 / (1 - eps / 2), rel=4 * math.sqrt(2 / chains))


# ---- adaptation ---------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", ADAPTED)
@pytest.mark.parametrize("scale", [0.02, 1.0, 50.0])
def test_step_reaches_the_wanted_acceptance_from_any_declared_scale(sampler: Any,
                                                                    scale: float) -> None:
    target = Normal(scale).to("cpu", torch.float32)
    run = Trial(sampler, target, 600).run()
    found = run.sampler.diagnostics(run.state)
    assert found["acceptance"] == pytest.approx(sampler.acceptance, abs=0.06)
    assert found["adaptive_steps"] == 120


@pytest.mark.parametrize("sampler", ADAPTED)
def test_step_is_frozen_after_the_warm_up(sampler: Any) -> None:
    run = Trial(sampler, distribution("skewed"), 100).run(20)
    before = run.sampler.diagnostics(run.state)["step_size"]
    assert run.run(80).sampler.diagnostics(run.state)["step_size"] == before


@pytest.mark.parametrize("sampler", ADAPTED)
def test_no_chain_stays_stuck_where_the_score_is_huge(sampler: Any) -> None:
    target = Quartic(scale=20.0).to("cpu", torch.float32)
    run = Trial(sampler, target, 400).run()
    x = run.state.x
    assert float(x.abs().max()) < 3.0
    # E x^2 = Gamma(3/4) / Gamma(1/4)
    assert float(x.square().mean()) == pytest.approx(0.338, abs=0.05)


@pytest.mark.parametrize("sampler", ADAPTED)
def test_what_is_no_number_is_never_entered(sampler: Any) -> None:
    target = Cliff().to("cpu", torch.float32)
    run = settled(sampler, target, torch.linspace(0.01, 1, sampler.chains)[:, None], 0.3)
    run.run(200)
    assert bool((run.state.x > 0).all())
    assert float(run.state.x.mean()) == pytest.approx(math.sqrt(2 / math.pi), abs=0.1)


# ---- divergences --------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", [Hmc(chains=50, leapfrog_steps=8), Nuts(chains=50)])
def test_divergences_are_counted_where_the_step_is_too_large(sampler: Any) -> None:
    """exp(-x^4) has no step that is stable everywhere; a normal law has one up to 2."""
    x = torch.full((50, 1), 0.8).double()
    wild, calm = (run.sampler.diagnostics(run.state) for run in (
        settled(sampler, Quartic(), x, 1.5).run(20), settled(sampler, Normal(), x, 0.5).run(20)))
    assert calm["divergences"] == calm["divergent_share"] == 0.0
    assert wild["divergences"] > 0
    assert wild["divergent_share"] == pytest.approx(wild["divergences"] / (20 * 50))


def test_a_funnel_makes_trajectories_diverge_and_a_small_step_does_not() -> None:
    funnel = load("targets", "funnel").to("cpu", torch.float64)
    start = funnel.sample(500, torch.Generator().manual_seed(1))
    sampler = Hmc(chains=500, leapfrog_steps=10)
    share = [run.sampler.diagnostics(run.state)["divergent_share"] for run in (
        settled(sampler, funnel, start, eps).run(10) for eps in (1.0, 0.01))]
    assert share[0] > 0.01 > 0.002 > share[1]


def test_nothing_is_told_of_divergences_before_the_step_is_frozen() -> None:
    run = Trial(Hmc(chains=20), distribution("skewed"), 100).run(10)
    assert "divergences" not in run.sampler.diagnostics(run.state)


# ---- published numbers --------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("steps", "published"), [(50, 0.669), (100, 0.277), (200, 0.141)])
def test_ula_reproduces_the_ld_row_of_dft(steps: int, published: float) -> None:
    """Table 1 of arXiv 2411.01453, Gaussian column; root of the V-statistic, 500 chains, N(0, I).

    Our own independent runs of it gave .709, .255 and .140; the last digits are noise of theirs.
    """
    target = load("targets", "gaussian").to("cpu", torch.float32)
    values = []
    for seed in range(10):
        run = Trial(Ula(chains=500), target, steps, seed)
        x = torch.randn((500, 2), generator=run.rng)
        run.state = UlaState(x, run.state.history.start(x))
        x = run.run().state.x.double()
        s = target.to("cpu", torch.float64).score(x)
        diagonal = float((s.square().sum(-1) + 2).mean())
        values.append(math.sqrt((499 * ksd2(x, s) + diagonal) / 500))
    assert sum(values) / 10 == pytest.approx(published, rel=0.12)


def test_a_given_step_and_length_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[float, int]] = []

    def spy(target: Any, start: Evaluated, v: Tensor, eps: Tensor, steps: int) -> Any:
        made.append((float(eps.max()), steps))
        return trajectory(target, start, v, eps, steps)

    monkeypatch.setattr("samplers.mcmc.hmc.trajectory", spy)
    plain = Hmc(chains=4, leapfrog_steps=7, step_size=0.01, fixed_length=True, jitter=0.0)
    Trial(plain, Normal(), 50).run()
    assert {steps for _, steps in made} == {7}
    assert all(abs(eps - 0.01) < 1e-8 for eps, _ in made)
    made.clear()
    Trial(Hmc(chains=4, leapfrog_steps=7), Normal(), 50).run()
    assert len({steps for _, steps in made}) > 1 and len({eps for eps, _ in made}) > 10


def test_without_history_only_the_chains_are_drawn() -> None:
    run = Trial(Ula(chains=5, history=False), Normal(), 30).run()
    rng = torch.Generator().manual_seed(0)
    drawn = run.sampler.draw(run.target, run.state, 100, rng)
    assert sorted(drawn.flatten().tolist()) == sorted(run.state.x.flatten().tolist())
    assert Ula(chains=5, history=False).points(100) == 5
    more = Trial(Ula(chains=5), Normal(), 30).run()
    assert len(more.sampler.draw(more.target, more.state, 50, rng)) == 50
