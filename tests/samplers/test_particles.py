"""Annealed particles against what is known of them exactly, each beside a twin that is broken."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor

import samplers.particles.annealed_particles as particles
import samplers.particles.smc as smc
from bench.conformance.distributions import DISTRIBUTIONS, Correlated, Skewed
from bench.conformance.trial import Trial
from bench.core.compilation import compile_cost, compiling, forget
from bench.core.density import Density
from bench.core.log_weights import (
    LogWeights,
    effective_size,
    log_mean_exp,
    normalised,
    systematic,
)
from samplers.base import Sampler
from samplers.particles.ais import Ais, AisState
from samplers.particles.annealed_particles import (
    log_ratio,
    move,
    next_beta,
)
from samplers.particles.smc import Smc, SmcState
from samplers.transitions.interpolation import Normal
from samplers.transitions.metropolis import Evaluated, evaluated
from samplers.transitions.tempering import tempered_move
from targets.base import Target
from tests.support.law_cases import LOG_Z, WEIGHTS, log_z_case, two_modes

CORRELATED_LOG_Z = math.log(2 * math.pi * 1.2 * 0.42)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def off(values: Tensor, truth: float) -> float:
    """How many standard errors the mean of independent values lies from the truth."""
    values = values.double()
    return abs(float(values.mean()) - truth) / (float(values.std()) / math.sqrt(len(values)))


def within(log_weights: LogWeights | None, truth: float) -> bool:
    """Whether log Z is right within its own error, and that error says something."""
    assert log_weights is not None and log_weights.log_z is not None
    found, se = log_weights.log_z
    return abs(found - truth) <= 4 * se and se < 0.1


# ---- the path and the moves ---------------------------------------------------------------------


def unadjusted(target: Density, here: Evaluated, beta: Tensor, v: Tensor, eps: Tensor, steps: int,
               u: Tensor) -> Any:
    """Known bad: every trajectory is accepted."""
    certain = u.new_full(u.shape, 1 - 1e-12)
    found, accepted, rate = tempered_move(target, here, beta, v, eps, steps, certain)
    return found, torch.ones_like(accepted), rate


def at_beta_one(target: Density, here: Evaluated, beta: Tensor, *rest: Any) -> Any:
    """Known bad: moves for the target in place of pi_beta."""
    return tempered_move(target, here, torch.ones_like(beta), *rest)


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize(("kernel", "right"),
                         [(tempered_move, True), (unadjusted, False), (at_beta_one, False)])
def test_a_coarse_move_keeps_the_interpolated_density(kernel: Any, right: bool, steps: int,
                                        monkeypatch: pytest.MonkeyPatch) -> None:
    """pi_beta of a Gaussian is one of precision beta P + (1 - beta) / scale^2."""
    monkeypatch.setattr(particles, "tempered_move", kernel)
    target, beta, n = Correlated(), 0.4, 20_000
    precision = beta * target.precision + (1 - beta) / target.scale**2 * torch.eye(2)
    mean = torch.linalg.solve(precision, beta * target.precision @ target.mean)
    root = torch.linalg.cholesky(torch.linalg.inv(precision))
    rng = generator(2)
    here = evaluated(target, torch.randn((n, 2), generator=rng).double() @ root.T + mean)
    for _ in range(15):
        here, accepted = move(target, here, beta, torch.tensor(-0.1).double(), steps, rng)
    z = torch.linalg.solve(root, (here.x - mean).T).T  # standard normal
    wrong = [*(off(z[:, i], 0.0) for i in range(2)),
             *(off(z[:, i].square(), 1.0) for i in range(2)), off(z[:, 0] * z[:, 1], 0.0)]
    assert (max(wrong) < 4) == right
    assert kernel is not tempered_move or 0.3 < float(accepted.double().mean()) < 0.95


def test_what_is_no_density_weighs_nothing_and_spoils_nothing() -> None:
    log_p = torch.tensor([-1.0, math.nan, -math.inf])
    g = log_ratio(torch.zeros(3, 2), log_p, 1.0)
    assert bool(torch.isfinite(0.0 * g).all())
    assert normalised(0.01 * g).tolist() == pytest.approx([1.0, 0.0, 0.0])


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # Dynamo trips over deprecations of torch's
@pytest.mark.parametrize("sampler", [Ais(particles=300), Smc(particles=50)])
def test_compiled_moves_are_the_moves_as_written(sampler: Sampler) -> None:
    target = DISTRIBUTIONS["skewed"].to("cpu", torch.float64)
    plain = Trial(sampler, target, 8).run().state
    forget()
    with compiling():
        compiled = Trial(sampler, target, 8).run().state
    torch.testing.assert_close(compiled.x, plain.x)
    made = compile_cost()
    assert made.graphs > 0 and not made.notes
    forget()


# ---- levels ------------------------------------------------------------------------------------


def test_a_level_leaves_the_wanted_effective_size() -> None:
    g = 30 * torch.randn((4, 500), generator=generator(4), dtype=torch.float64)
    for share in (0.3, 0.5, 0.9):
        beta = next_beta(0.1, g, share)
        assert 0.1 < beta < 1
        size = float(effective_size(normalised((beta - 0.1) * g)).mean())
        assert size == pytest.approx(share * 500, rel=1e-3)
    assert next_beta(0.1, 0.01 * g, 0.5) == 1.0
    assert 0.0 < next_beta(0.0, 1e9 * g, 0.5) < 1e-8


# ---- annealed importance sampling ---------------------------------------------------------------


@dataclass(frozen=True)
class Unbridged(AisState):
    """Known bad: the last bridge is missing."""

    def log_weights(self) -> Tensor:
        return self.log_w


@dataclass(frozen=True)
class Late(Ais):
    """Known bad: weighs after the move, with the point that the new level has already had."""

    def step(self, target: Density, state: AisState, progress: float,
             rng: torch.Generator) -> AisState:
        after = super().step(target, state, progress, rng)
        g = log_ratio(after.x, after.log_p, target.scale)[: self.particles]
        return replace(after, log_w=state.log_w + (after.beta - state.beta) * g)


def few_levels(sampler: Ais, bad_state: bool = False) -> tuple[Tensor, Tensor]:
    """Weights, as shares of Z, and points of many particles after four levels of poor moves."""
    target = Correlated()
    run = Trial(sampler, target, 4, seed=5)
    poor = run.state.log_eps + math.log(3.0)  # about one move in four is accepted
    run.state = replace(run.state, log_eps=poor)
    for k in range(4):
        run.state = replace(run.run(1).state, log_eps=poor - 0.2 * k)
    state = Unbridged(**vars(run.state)) if bad_state else run.state
    return (state.log_weights() - CORRELATED_LOG_Z).exp(), state.x[: sampler.particles]


def test_ais_weighs_without_bias_whatever_the_levels_and_moves() -> None:
    w, x = few_levels(Ais(particles=200_000))
    target = Correlated()
    assert off(w, 1.0) < 4
    assert max(off(w * (x[:, i] - target.mean[i]), 0.0) for i in range(2)) < 4
    assert off(w * ((x[:, 0] - 0.4).square() - 1.44), 0.0) < 4
    assert float(w.std()) > 0.3  # the weights matter


@pytest.mark.parametrize(("bad", "bad_state"),
                         [(Ais(particles=200_000), True), (Late(particles=200_000), False)])
def test_broken_weights_of_ais_are_seen(bad: Ais, bad_state: bool) -> None:
    assert off(few_levels(bad, bad_state)[0], 1.0) > 8


def test_ais_tunes_its_step_on_scouts_alone() -> None:
    target = DISTRIBUTIONS["skewed"]
    run = Trial(Ais(particles=50), target, 10).run(5)
    lost = run.state.x.clone()
    lost[:50] += 40.0  # where all is refused
    other = replace(run.state, x=lost)
    one, two = (run.sampler.step(target, s, 0.5, generator(6)) for s in (run.state, other))
    assert not torch.equal(one.x[:50] - run.state.x[:50], two.x[:50] - lost[:50])
    assert torch.equal(one.log_eps, two.log_eps) and one.log_eps != run.state.log_eps


def test_the_schedule_shrinks_a_gaussian_at_a_constant_rate() -> None:
    a = 7.0
    sampler = Ais(narrowing=a)
    for t in (0.0, 0.1, 0.5, 0.9, 1.0):
        beta = sampler.beta(t)
        assert (1 - beta) + beta * a**2 == pytest.approx(a ** (2 * t))


# ---- sequential Monte Carlo ---------------------------------------------------------------------


@dataclass(frozen=True)
class PooledByLog(Smc):
    """Known bad: log Z is the mean of the populations' log Z^."""

    def log_weights(self, target: Density, state: SmcState, n: int, points: Tensor | None,
              rng: torch.Generator) -> LogWeights:
        log_z = log_mean_exp(state.weighted()[1])
        return LogWeights(log_z=(float(log_z.mean()), float(log_z.std()) / math.sqrt(len(log_z))))


def populations(run: Trial) -> tuple[Tensor, Tensor]:
    """Z^ and the points of each finished population, (m,) and (m, kept, dim)."""
    x, log_w = run.state.weighted()
    return log_mean_exp(log_w).exp(), x


def test_smc_estimates_without_bias_from_small_populations() -> None:
    target = Correlated()
    run = Trial(Smc(islands=1000, particles=12, moves=1), target, 1).run(40)
    z, x = populations(run)
    z = z / math.exp(CORRELATED_LOG_Z)
    assert run.state.rounds > 5 and len(run.state.ladder) > 1
    assert off(z, 1.0) < 4
    first = (x[..., 0] - target.mean[0]).mean(1)
    square = ((x[..., 0] - target.mean[0]).square() - 1.44).mean(1)
    assert off(z * first, 0.0) < 4 and off(z * square, 0.0) < 4
    assert off(square, 0.0) > 4  # populations counted alike are biased, and so is the mean log
    assert within(run.sampler.log_weights(target, run.state, 1, None, run.rng), CORRELATED_LOG_Z)
    bad = PooledByLog().log_weights(target, run.state, 1, None, run.rng)
    assert not within(bad, CORRELATED_LOG_Z)


def test_the_pilot_counts_until_a_round_after_it_is_complete() -> None:
    run = Trial(Smc(islands=4, particles=50), Skewed(), 1)
    pilot = None
    while run.state.rounds < 3:
        before = run.run(1).state
        if before.rounds == 1 and pilot is None:
            pilot = before.finished[0][0]
            frozen = before.ladder, before.log_sizes
    kept = [x for x, _ in run.state.finished]
    assert pilot is not None and len(kept) == 2
    assert not any(torch.equal(pilot, x) for x in kept)
    assert (run.state.ladder, run.state.log_sizes) == frozen and frozen[0][-1] == 1.0


def test_kept_points_are_thinned_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smc, "KEPT", 300)
    run = Trial(Smc(islands=2, particles=40, moves=1), Skewed(), 1)
    while run.state.rounds < 12:
        run.run(1)
    x, log_w = run.state.weighted()
    assert run.state.stride > 1 and log_w.shape == (22, 40 // run.state.stride)
    assert x.shape == (*log_w.shape, 2)


def left_mass(run: Trial) -> tuple[float, float]:
    """The left mode's share by populations weighted by Z^, and its standard error."""
    z, x = populations(run)
    left = (x[..., 0] < 0).double().mean(1)
    share = float((z * left).sum() / z.sum())
    return share, float((z * (left - share)).std()) / float(z.mean()) / math.sqrt(len(z))


def unresampled(weights: Tensor, n: int, u: Tensor) -> Tensor:
    """Known bad: every particle is kept."""
    return torch.arange(n).expand(len(weights), n)


@pytest.mark.parametrize(("resample", "right"), [(systematic, True), (unresampled, False)])
def test_smc_finds_the_weights_of_two_modes(resample: Any, right: bool,
                                            monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smc, "systematic", resample)
    share, se = left_mass(Trial(Smc(islands=20), two_modes(), 1).run(100))
    assert se < 0.01
    assert (abs(share - WEIGHTS[0]) < 4 * se) == right


# ---- log Z --------------------------------------------------------------------------------------


ESTIMATORS: list[tuple[Sampler, int]] = [(Ais(particles=1000), 300), (Smc(), 150)]


def unnormalised(self: Normal, x: Tensor) -> Tensor:
    """Known bad: p0 without its constant."""
    return -x.square().sum(1) / (2 * self.scale**2)


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize(("sampler", "steps"), ESTIMATORS)
def test_log_z_of_the_case_within_its_error(sampler: Sampler, steps: int, right: bool,
                                            monkeypatch: pytest.MonkeyPatch) -> None:
    if not right:
        monkeypatch.setattr(Normal, "log_prob", unnormalised)
    target: Target = log_z_case()
    run = Trial(sampler, target, steps).run()
    said = sampler.log_weights(target, run.state, 100, None, run.rng)
    assert within(said, LOG_Z) == right
    assert said is not None and said.log_z is not None
    if said.at_draws is not None:
        assert float(log_mean_exp(said.at_draws)) == pytest.approx(said.log_z[0])


def test_a_draw_is_distinct_and_follows_uneven_weights() -> None:
    """Half the particles of two modes carry .9 of the weight; copies are moved apart."""
    target, rng = two_modes(torch.float64), generator(8)
    left = torch.arange(2000) < 1000
    x = torch.randn((2000, 2), generator=rng).double()
    x[:, 0] += torch.where(left, -5.0, 5.0)
    log_w = torch.where(left, math.log(WEIGHTS[0]), math.log(WEIGHTS[1])).double()
    drawn = particles.redrawn(target, x, log_w, 2000, torch.tensor(0.3).double(), 1, rng)
    assert len(drawn) == len(drawn.unique(dim=0)) == 2000
    assert float((drawn[:, 0] < 0).double().mean()) == pytest.approx(WEIGHTS[0], abs=0.01)
    right = drawn[drawn[:, 0] > 0, 0] - 5
    assert off(right, 0.0) < 5 and abs(float(right.var()) - 1) < 0.15


# ---- nested sampling ----------------------------------------------------------------------------


def nested(target: Target, steps: int, **setting: Any) -> Trial:
    """A finished trial; skipped where dynesty is not installed."""
    pytest.importorskip("dynesty")
    from samplers.particles.nested import Nested

    return Trial(Nested(**{"live": 200, "queue": 50, "bootstrap": 0} | setting), target,
                 steps).run()


def test_merging_one_ended_run_gives_what_dynesty_gives() -> None:
    run = nested(Skewed(), 0)
    while run.state.run.advance(run.target, 1000):
        pass
    found, se = run.sampler.log_weights(run.target, run.state, 1, None, run.rng).log_z
    inner = run.state.run.inner
    for _ in inner.add_live_points():
        pass
    assert found == pytest.approx(float(inner.results.logz[-1]), abs=1e-6)
    # of dynesty's two ways of adding it up, the one for merged runs counts the live points more
    assert 1.0 < se / float(inner.results.logzerr[-1]) < 1.5


def test_nested_runs_merge_to_the_right_log_z_and_a_smaller_error() -> None:
    run = nested(Correlated(), 20)
    said = run.sampler.log_weights(run.target, run.state, 1, None, run.rng)
    alone = run.state.run  # the start of another run
    first = replace(run.state, runs=0, x=run.state.x[:0], log_l=run.state.log_l[:0],
                    live=run.state.live[:0])
    while alone.advance(run.target, 1000):
        pass
    one = run.sampler.log_weights(run.target, first, 1, None, run.rng)
    assert run.state.runs >= 3 and within(said, CORRELATED_LOG_Z)
    assert said.log_z[1] < 0.65 * one.log_z[1]
    bad = replace(run.state, runs=2 * run.state.runs)  # known bad: too many taken to be alive
    assert not within(run.sampler.log_weights(run.target, bad, 1, None, run.rng), CORRELATED_LOG_Z)


@pytest.mark.slow
@pytest.mark.parametrize("right", [True, False])
def test_nested_log_z_of_the_case_within_its_error(right: bool,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("dynesty")
    if not right:
        monkeypatch.setattr(Normal, "log_prob", unnormalised)
    target = log_z_case()
    run = nested(target, 150, live=500, queue=100)
    assert run.state.runs >= 2
    assert within(run.sampler.log_weights(target, run.state, 1, None, run.rng), LOG_Z) == right


@pytest.mark.parametrize("kind", ["WithinBounds", "Walk"])
@pytest.mark.parametrize("right", [True, False])
def test_replacements_are_uniform_above_the_least_likelihood(kind: str, right: bool) -> None:
    """In the cube where u_0 < .3 and u_1 > .5; the twin lets in a little more."""
    pytest.importorskip("dynesty")
    import numpy as np

    import samplers.particles.nested_proposals as module

    def evaluate(u: Any) -> Any:
        return u, ((u[:, 0] < (0.3 if right else 0.33)) & (u[:, 1] > 0.5)).astype(float)

    rng = np.random.default_rng(7)
    start = rng.random((4000, 2)) * [0.3, 0.5] + [0.0, 0.5]
    made = getattr(module, kind)(ndim=2, ncdim=2, evaluate=evaluate, walks=25)
    from dynesty.bounding import UnitCube

    where = type("Where", (), {"rstate": rng, "bound": UnitCube(2)})
    found = made.prepare_sampler(loglstar=0.5, points=list(start), nested_sampler=where,
                                 axes=[np.eye(2) * 0.3] * 4000)
    u = torch.tensor(np.array([f.u for f in found]))
    z = torch.stack([u[:, 0] / 0.3, (u[:, 1] - 0.5) / 0.5], 1)
    wrong = [off(z[:, i] ** k, 1 / (k + 1)) for i in range(2) for k in (1, 2)]
    assert (max(wrong) < 4) == right
    assert all(f.logl == 1.0 for f in found)
    share = float((torch.tensor(start) == u).all(1).double().mean())
    assert share < 0.05
