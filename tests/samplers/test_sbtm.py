"""Score-based transport and annealed Langevin against the laws they are derived from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench.conformance.distributions import DISTRIBUTIONS
from bench.conformance.trial import Trial
from bench.core.density import Density
from samplers.base import normal
from samplers.mcmc.ula_annealed import UlaAnnealed, UlaAnnealedState
from samplers.particles import score_transport as transport
from samplers.particles.sbtm import SBTM
from samplers.particles.sbtm_annealed import SBTMAnnealed
from samplers.particles.score_transport import (
    ResidualNet,
    TransportState,
    divergence,
    estimated_divergence,
    implicit_loss,
)
from samplers.transitions.annealing import path_score
from targets.base import Target
from targets.mixtures.sbtm_analytic import SbtmAnalytic

START = 1.0 - math.exp(-0.2)  # variance of the start of the paper's analytic case
DOUBLE = torch.float64


def analytic() -> Target:
    """N(0, 1), started from N(0, START)."""
    return SbtmAnalytic().declaring(math.sqrt(START)).to("cpu", DOUBLE)


def points(n: int, dim: int = 2, seed: int = 3) -> Tensor:
    return torch.randn((n, dim), generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


# ---- the exact gradient flow --------------------------------------------------------------------


def variance(t: float) -> float:
    """Of the Langevin law at time t: 1 - (1 - START) e^(-2t)."""
    return 1.0 - (1.0 - START) * math.exp(-2.0 * t)


def kl(v: float, mean: float = 0.0) -> float:
    """KL(N(mean, v) || N(0, 1))."""
    return (v + mean**2 - 1.0 - math.log(v)) / 2.0


def fisher(v: float) -> float:
    """E |grad log N(0, v) - grad log N(0, 1)|^2 = (1/v - 1)^2 v."""
    return (1.0 / v - 1.0) ** 2 * v


@dataclass(frozen=True)
class Frozen(SBTM):
    """Known bad: the network is never fitted to the particles."""

    name = "frozen"

    def fit(self, target: Density, state: TransportState, rng: torch.Generator) -> TransportState:
        if state.updates < self.start_updates:
            return super().fit(target, state, rng)
        state.updates += 1
        state.turn += 1
        return state


def halved_loss(net: nn.Module, u: Tensor, probes: Tensor | None = None) -> Tensor:
    """Known bad: mean(|s|^2 + div s), which is least at half the score."""
    u = u.detach().requires_grad_()
    s = net(u)
    return (s.square().sum(dim=1) + divergence(s, u)).mean()


MOVES, DT = 100, 0.005  # to t = .5, in units of x


def flow(kind: type[SBTM] = SBTM) -> list[tuple[float, float, float]]:
    """(t, KL of the particles' moments, relative Fisher information said) before every move."""
    target = analytic()
    sampler = kind(particles=400, step_size=DT / START, layers=2, width=32, learning_rate=1e-3,
                   start_updates=300)
    run = Trial(sampler, target, 0).run(300)
    at = (torch.arange(400, dtype=DOUBLE) + 0.5) / 400  # a start without chance
    order = torch.randperm(400, generator=torch.Generator().manual_seed(2))
    u = torch.special.ndtri(at)[order, None]
    run.state.u = u / u.square().mean().sqrt()
    curve = []
    for k in range(MOVES):
        x = run.state.u * target.scale
        run.run(sampler.fits + 1)
        curve.append((k * DT, kl(float(x.var(correction=0)), float(x.mean())),
                      float(run.state.fisher)))
    return curve


@cache
def sound_flow() -> list[tuple[float, float, float]]:
    return flow()


def error_of_kl(curve: list[tuple[float, float, float]]) -> float:
    """Largest departure from the exact KL, as a share of the KL at the start."""
    return max(abs(found - kl(variance(t))) for t, found, _ in curve) / kl(START)


def error_of_dissipation(curve: list[tuple[float, float, float]]) -> float:
    """Largest departure of the Fisher information spent so far from the KL lost, as such a share.

    The integral is by trapezoids, which are good here to a thousandth.
    """
    worst = spent = 0.0
    for (_, _, before), (_, now, after) in zip(curve, curve[1:], strict=False):
        spent += DT * (before + after) / 2
        worst = max(worst, abs(curve[0][1] - now - spent))
    return worst / kl(START)


def error_of_fisher(curve: list[tuple[float, float, float]]) -> float:
    """Largest departure from the exact relative Fisher information, as a share of the largest."""
    return max(abs(found - fisher(variance(t))) for t, _, found in curve) / fisher(START)


def test_kl_falls_along_the_exact_gradient_flow() -> None:
    assert error_of_kl(sound_flow()) < 0.02


def test_kl_is_dissipated_by_the_relative_fisher_information() -> None:
    assert error_of_dissipation(sound_flow()) < 0.03
    assert error_of_fisher(sound_flow()) < 0.06


def test_a_frozen_score_misses_the_flow() -> None:
    curve = flow(Frozen)
    assert error_of_kl(curve) > 0.1
    assert error_of_dissipation(curve) > 0.1


def test_a_loss_with_the_wrong_factor_misses_the_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "implicit_loss", halved_loss)
    curve = flow()
    assert error_of_kl(curve) > 0.1
    assert error_of_dissipation(curve) > 0.1


# ---- the displayed equations --------------------------------------------------------------------


class LinearScore(nn.Module):
    """u -> A u + b."""

    def __init__(self, a: Tensor, b: Tensor) -> None:
        super().__init__()
        self.a, self.b = nn.Parameter(a.clone()), nn.Parameter(b.clone())

    def forward(self, u: Tensor) -> Tensor:
        return u @ self.a.T + self.b


def with_score_of(target: Target, sampler: Any, x: Tensor, v: float) -> Trial:
    """A run past all fits, with particles x and the score of N(0, v) in place of the network."""
    run = Trial(sampler, target, 1)
    state = run.state
    state.u, state.updates, state.turn = x / target.scale, sampler.start_updates, sampler.fits
    eye = torch.eye(target.dim, dtype=DOUBLE)
    state.net = LinearScore(-eye * target.scale**2 / v, torch.zeros(target.dim, dtype=DOUBLE))
    return run


def test_a_move_is_the_displayed_equation() -> None:
    target, x = DISTRIBUTIONS["skewed"], points(50)
    run = with_score_of(target, SBTM(particles=50), x, 0.7).run(1)
    dt = 0.01 * target.scale**2
    moved = target.scale * run.state.u
    torch.testing.assert_close(moved, x + dt * (target.score(x) + x / 0.7))
    assert run.state.turn == 0


def test_weighing_is_the_relative_fisher_information() -> None:
    target, x, v = analytic(), math.sqrt(0.5) * points(2000, 1), 0.5
    run = with_score_of(target, SBTM(particles=2000), x, v)
    log_weights = run.sampler.log_weights(target, run.state, 2000, None, torch.Generator())
    gap = log_weights.gap.sort().values
    torch.testing.assert_close(gap, ((1 / v - 1) ** 2 * x[:, 0].square()).sort().values)
    run.state.net.a.data *= target.scale**2  # twin: forgets its units
    wrong = run.sampler.log_weights(target, run.state, 2000, None, torch.Generator())
    assert abs(float(wrong.gap.mean()) / fisher(v) - 1) > 0.3


def test_says_nothing_of_its_law_before_it_knows_the_start() -> None:
    sampler = SBTM(particles=100, start_updates=30, layers=1, width=8)
    run = Trial(sampler, analytic(), 1).run(29)
    assert sampler.log_weights(run.target, run.state, 50, None, torch.Generator()) is None
    run.run(1)
    assert sampler.log_weights(run.target, run.state, 50, None, torch.Generator()) is not None


def test_fits_come_before_moves_and_go_through_all_particles() -> None:
    run = Trial(SBTM(particles=10, batch=4, fits=3, start_updates=5), analytic(), 1)
    still = run.state.u
    run.run(5 + 3)
    assert run.state.u is still and run.state.updates == 8 and run.state.cursor == 2
    run.run(1)
    assert run.state.u is not still and run.state.updates == 8
    batches = torch.cat([run.sampler.minibatch(run.state) for _ in range(5)])
    expected = run.state.u.roll(-2, 0).repeat(2, 1)
    torch.testing.assert_close(batches, expected)


def gradients(loss: Tensor, net: nn.Module) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(net.parameters())))


def test_implicit_and_explicit_score_matching_have_one_gradient() -> None:
    """Of linear scores, where both depend on the sample through its first two moments alone."""
    x = points(200) @ torch.tensor([[1.3, 0.4], [0.0, 0.6]], dtype=DOUBLE) + 0.5
    centred = x - x.mean(0)
    precision = torch.linalg.inv(centred.T @ centred / len(x))
    net = LinearScore(points(2, seed=4), points(1, seed=5)[0])
    explicit = gradients(transport.explicit_loss(net, x, -centred @ precision), net)
    implicit = gradients(implicit_loss(net, x), net)
    torch.testing.assert_close(implicit, explicit)
    assert not torch.allclose(gradients(halved_loss(net, x), net)[0], explicit[0], rtol=0.05)


def test_divergence_is_the_trace_of_the_jacobian() -> None:
    target = DISTRIBUTIONS["skewed"]
    net = ResidualNet(target, torch.Generator().manual_seed(0), 16, 3)
    u = points(5).requires_grad_()
    s = net(u)
    jacobians = torch.stack([torch.autograd.functional.jacobian(net, row[None])[0, :, 0]
                             for row in u.detach()])
    trace = jacobians.diagonal(dim1=1, dim2=2).sum(1)
    torch.testing.assert_close(divergence(s, u), trace)
    signs = torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=DOUBLE)  # all there are, up to v = -v
    probes = signs[:, None].expand(2, 5, 2)
    torch.testing.assert_close(estimated_divergence(s, u, probes), trace)
    assert not torch.allclose(estimated_divergence(s, u, probes[:1]), trace, rtol=0.01)


def test_hutchinson_s_probes_aresigns() -> None:
    v = SBTM(probes=3).signs(DISTRIBUTIONS["skewed"], 500, torch.Generator().manual_seed(0))
    assert v is not None and v.shape == (3, 500, 2) and bool((v.abs() == 1).all())
    assert abs(float(v.mean())) < 4 / math.sqrt(v.numel())


# ---- annealing ----------------------------------------------------------------------------------


def of_path(target: Target, x: Tensor, lam: float, path: str) -> Tensor:
    """grad log pi_lambda by autograd of its definition."""
    leaf = x.clone().requires_grad_()
    start = -leaf.square().sum(1) / (2 * target.scale**2)
    log_p = (lam * target.log_prob(leaf) + (1 - lam) * start if path == "geometric"
             else target.log_prob(leaf / lam))
    (gradient,) = torch.autograd.grad(log_p.sum(), leaf)
    return gradient


@pytest.mark.parametrize("path", ["geometric", "dilation"])
@pytest.mark.parametrize("lam", [0.2, 0.55, 1.0])
def test_score_of_a_path_is_the_gradient_of_its_density(path: Any, lam: float) -> None:
    target, x = DISTRIBUTIONS["skewed"], points(40)
    torch.testing.assert_close(path_score(target, x, lam, path), of_path(target, x, lam, path))
    torch.testing.assert_close(path_score(target, x, 1.0, path), target.score(x))


def test_the_released_dilation_is_no_score_of_the_dilated_law() -> None:
    target, x = DISTRIBUTIONS["skewed"], points(40)
    released = path_score(target, x, 0.5, "dilation", chain_rule=False)
    torch.testing.assert_close(released, target.score(2 * x))
    true = of_path(target, x, 0.5, "dilation")
    assert float((released - true).norm() / true.norm()) > 0.4


def test_paths_start_where_they_should() -> None:
    target, x = DISTRIBUTIONS["skewed"], points(40)
    torch.testing.assert_close(path_score(target, x, 0.0, "geometric"), -x / target.scale**2)
    torch.testing.assert_close(path_score(target, x, 0.0, "dilation"),
                               of_path(target, x, 0.2, "dilation"))


def test_an_unknown_path_is_refused() -> None:
    for kind in (SBTMAnnealed, UlaAnnealed):
        with pytest.raises(ValueError, match="geometric or dilation"):
            kind(path="arithmetic")


@pytest.mark.parametrize("path", ["geometric", "dilation"])
def test_a_langevin_step_is_the_displayed_equation(path: Any) -> None:
    target, x = DISTRIBUTIONS["skewed"], points(30)
    sampler = UlaAnnealed(step_size=0.02, path=path)
    state = sampler.step(target, UlaAnnealedState(x), 0.4, torch.Generator().manual_seed(8))
    z = normal(target, (30, 2), torch.Generator().manual_seed(8))
    dt = 0.02 * 1.5**2
    mean = x + dt * of_path(target, x, 0.4, path)
    torch.testing.assert_close(state.x, mean + math.sqrt(2 * dt) * z)
    assert not torch.allclose(state.x, mean + math.sqrt(dt) * z, rtol=0.01)


def test_annealed_chains_obey_their_moment_equation() -> None:
    """On N(0, 1) all laws of the path are normal, and so is the chains': variances are known."""
    target, steps = analytic(), 60
    sampler = UlaAnnealed(chains=40_000, step_size=0.02)
    run = Trial(sampler, target, steps).run()
    dt, v, ignored = 0.02 * START, START, START
    for k in range(steps):
        lam = k / steps
        v = (1 - dt * (lam + (1 - lam) / START)) ** 2 * v + 2 * dt
        ignored = (1 - dt) ** 2 * ignored + 2 * dt  # twin: plain Langevin
    chance = 4 * math.sqrt(2 / 40_000)
    assert abs(float(run.state.x.var()) / v - 1) < chance
    assert abs(float(run.state.x.var()) / ignored - 1) > chance


def test_the_share_of_the_path_runs_from_the_first_move_to_the_end() -> None:
    """On N(0, 1), with a network that says 0, every move multiplies x by a known factor."""
    target, fits, moves = analytic(), 2, 5
    sampler = SBTMAnnealed(particles=8, fits=fits, start_updates=5, learning_rate=0.0,
                           layers=1, width=4)
    run = Trial(sampler, target, 5 + moves * (fits + 1))
    for weight in run.state.net.last.parameters():
        nn.init.zeros_(weight)
    start, expected = run.state.u.clone(), 1.0
    first = 5 + fits
    for k in range(moves):
        lam = k * (fits + 1) / (run.steps - first)
        expected *= 1 - 0.01 * START * (lam + (1 - lam) / START)
    run.run()
    torch.testing.assert_close(run.state.u, start * expected)
