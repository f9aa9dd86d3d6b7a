"""Flows and what is trained with them, against closed forms, quadrature and known constants."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

pytest.importorskip("zuko")

from bench.conformance.distributions import DISTRIBUTIONS
from bench.conformance.trial import Trial
from bench.conformance.verdict import verdict
from bench.core.log_weights import log_z_with_error
from bench.harness.meter import Ledger, MeteredTarget
from samplers.flow import coupling_layers as flows
from samplers.flow import fab
from samplers.flow.boltzmann_generator import BoltzmannGenerator
from samplers.flow.coupling_flow import CoupFlow
from samplers.flow.coupling_layers import CouplingFlow, carried, log_normal
from samplers.flow.fab import Fab, FabState
from samplers.flow.flow_ais import Points, hamiltonian, random_walk
from samplers.flow.replay_buffer import Buffer
from samplers.learning.optimisation import descend
from targets.base import Target
from tests.support.law_cases import LOG_Z, WEIGHTS, log_z_case, two_modes

Z = 4.0  # how many standard errors are chance


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def bent(target: Target, size: float = 0.3, layers: int = 4, seed: int = 0) -> CouplingFlow:
    """A flow in double precision that is no longer the initial law: all weights disturbed."""
    rng = seeded(seed)
    flow = CouplingFlow(target, rng, layers, 16)
    with torch.no_grad():
        for p in flow.parameters():
            p += size * torch.randn(p.shape, generator=rng, dtype=p.dtype) / p.shape[-1] ** 0.5
    return flow


def grid(reach: float, count: int) -> tuple[Tensor, float]:
    """Points of a square grid (count^2, 2) and the area that each stands for."""
    line = torch.linspace(-reach, reach, count, dtype=torch.float64)
    step = float(line[1] - line[0])
    return torch.cartesian_prod(line, line), step**2


class Gaussian(Target):
    """exp(-x' P x / 2) in the plane, P with a correlation."""

    dim, scale = 2, 1.5

    def __init__(self) -> None:
        self.precision = torch.tensor([[2.0, 0.6], [0.6, 0.5]], dtype=torch.float64)

    def log_prob(self, x: Tensor) -> Tensor:
        return -(x @ self.precision * x).sum(-1) / 2

    def score(self, x: Tensor) -> Tensor:
        return -x @ self.precision


# ---- the flow -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_an_untrained_flow_is_the_initial_law(dim: int) -> None:
    target = Gaussian()
    target.dim = dim
    flow = CouplingFlow(target, seeded(0), 4, 16)
    x, log_q = flow.sample(target, 100, seeded(1))
    normal = torch.distributions.Normal(0.0, target.scale)
    torch.testing.assert_close(log_q, normal.log_prob(x).sum(1))
    torch.testing.assert_close(x, target.scale * torch.randn((100, dim), generator=seeded(1),
                                                             dtype=torch.float64))


def log_jacobian(flow: CouplingFlow, x: Tensor) -> Tensor:
    """log |det dz / dx| of the whole flow by autograd, one point at a time."""
    def to_latent(point: Tensor) -> Tensor:
        z = point[None] / flow.scale
        for part in flow.chain:
            z = part()(z)
        return z[0]
    return torch.stack([torch.linalg.slogdet(torch.autograd.functional.jacobian(to_latent, p))[1]
                        for p in x])


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_density_is_the_change_of_variables(dim: int) -> None:
    target = Gaussian()
    target.dim = dim
    flow = bent(target)
    x, log_q = flow.sample(target, 20, seeded(1))
    z = torch.randn((20, dim), generator=seeded(1), dtype=torch.float64)
    wanted = log_normal(z) + log_jacobian(flow, x)
    torch.testing.assert_close(log_q, wanted)
    torch.testing.assert_close(flow.log_prob(x), wanted)
    assert float((wanted - log_normal(z)).std()) > 0.05 or dim == 1  # no mere rescaling


def total(log_q: Tensor, area: float) -> float:
    return float(log_q.exp().sum()) * area


def test_density_integrates_to_one() -> None:
    flow = bent(Gaussian())
    points, area = grid(32.0, 600)
    with torch.no_grad():
        log_q = flow.log_prob(points)
        assert total(log_q, area) == pytest.approx(1.0, abs=1e-4)
        first = flow.chain[0]().call_and_ladj(points / flow.scale)[1]
        assert abs(total(log_q - first, area) - 1.0) > 0.02  # broken twin: a coupling left out


def test_score_is_the_gradient_and_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = bent(Gaussian())
    x = 2 * torch.randn((50, 2), generator=seeded(2), dtype=torch.float64)
    log_q, score = flow.log_prob_and_score(x)
    h = 1e-5
    with torch.no_grad():
        slopes = [(flow.log_prob(x + h * e) - flow.log_prob(x - h * e)) / (2 * h)
                  for e in torch.eye(2, dtype=torch.float64)]
    torch.testing.assert_close(score, torch.stack(slopes, 1), atol=1e-7, rtol=1e-6)
    monkeypatch.setattr(flows, "block", lambda device: 7)
    torch.testing.assert_close(flow.log_prob_and_score(x), (log_q, score))
    y, log_q = flow.sample_in_blocks(Gaussian(), 50, seeded(3))
    assert y.shape == (50, 2) and len(y.unique(dim=0)) == 50
    torch.testing.assert_close(log_q, flow.log_prob(y).detach())


def test_gradients_are_shortened_and_bad_ones_are_nothing() -> None:
    target = Gaussian()
    flow = bent(target)
    before = [p.detach().clone() for p in flow.parameters()]
    plain = torch.optim.SGD(flow.parameters(), lr=1.0)
    x = torch.randn((30, 2), generator=seeded(4), dtype=torch.float64)
    descend(plain, flow.log_prob(x).mean() * math.inf, longest=0.5, skip_infinite=True)
    assert all(torch.equal(p, b) for p, b in zip(flow.parameters(), before, strict=True))
    descend(plain, flow.log_prob(x).mean() * 1e3, longest=0.5, skip_infinite=True)
    moved = sum(float((p.detach() - b).square().sum())
                for p, b in zip(flow.parameters(), before, strict=True))
    assert math.sqrt(moved) == pytest.approx(0.5, rel=1e-4)


# ---- reverse KL ---------------------------------------------------------------------------------


class OneMap(torch.nn.Module):
    """q = N(m, (e^a)^2 I) in the plane, in the place of a flow."""

    def __init__(self) -> None:
        super().__init__()
        self.m = torch.nn.Parameter(torch.tensor([0.7, -0.3], dtype=torch.float64))
        self.a = torch.nn.Parameter(torch.tensor(0.2, dtype=torch.float64))

    def sample(self, target: Any, n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        z = torch.randn((n, 2), generator=rng, dtype=torch.float64)
        return self.m + self.a.exp() * z, log_normal(z) - 2 * self.a


@pytest.mark.parametrize("through", [True, False])
def test_reverse_kl_has_the_gradient_of_the_closed_form(through: bool) -> None:
    """KL = -2 a + (e^2a tr P + m' P m) / 2 + const; the twin does not go through the points."""
    target, law = Gaussian(), OneMap()
    losses = []
    for i in range(20):
        x, log_q = law.sample(target, 5000, seeded(i))
        log_p = carried(target, x) if through else target.log_prob(x.detach())
        losses.append(torch.cat([g.reshape(-1) for g in torch.autograd.grad(
            (log_q - log_p).mean(), (law.m, law.a), allow_unused=True,
            materialize_grads=True)]))
    found = torch.stack(losses)
    wanted = torch.cat([target.precision @ law.m, (
        -2 + (2 * law.a).exp() * target.precision.trace()).reshape(1)]).detach()
    off = (found.mean(0) - wanted).abs() / (found.std(0) / math.sqrt(20) + 1e-12)
    assert bool((off < Z).all()) == through


def test_a_gradient_through_log_p_costs_one_score_row_a_point() -> None:
    target = DISTRIBUTIONS["skewed"]
    ledger = Ledger(target.device)
    metered = MeteredTarget(target, ledger)
    x = torch.randn((40, 2), generator=seeded(5), dtype=torch.float64, requires_grad=True)
    value = carried(metered, x)
    (slope,) = torch.autograd.grad(value.sum(), x)
    torch.testing.assert_close(value, target.log_prob(x))
    torch.testing.assert_close(slope, target.score(x))
    rows = ledger.cost("train")
    assert (rows.density, rows.score, rows.hvp) == (0, 40, 0)


@pytest.mark.parametrize("sampler", [CoupFlow(layers=2, width=16, batch=64),
                                     BoltzmannGenerator(layers=2, width=16, batch=64, chains=32)])
def test_cost_of_an_update(sampler: Any) -> None:
    target = DISTRIBUTIONS["skewed"].to("cpu", torch.float32)
    ledger = Ledger(target.device)
    run = Trial(sampler, MeteredTarget(target, ledger), 10)
    before = ledger.cost("train").score
    run.run()
    chains = getattr(sampler, "chains", 0)
    rows = ledger.cost("train")
    assert (rows.density, rows.score - before) == (0, 10 * (64 + chains))


# ---- the Boltzmann generator --------------------------------------------------------------------


@pytest.mark.parametrize("reweight", [True, False])
def test_weights_mend_a_flow_that_is_off(reweight: bool) -> None:
    """An untrained flow, N(0, 1.5^2 I): its weighed points follow the target, its own do not."""
    sampler = BoltzmannGenerator(candidates=50, reweight=reweight)
    run = Trial(sampler, DISTRIBUTIONS["skewed"], 0)
    assert bool(verdict(run.draw(2000), "skewed")) != reweight


def test_examples_alone_fit_the_flow_to_the_chains() -> None:
    """lambda = 1 on two far modes: the shares of the chains, hence of the start, not of p."""
    target = two_modes()
    run = Trial(BoltzmannGenerator(layers=4, width=32, example=1.0, learning_rate=2e-3,
                                   reweight=False), target, 150).run()
    chains = float((run.state.chains.x[:, 0] < 0).float().mean())
    drawn = float((run.draw(4000)[:, 0] < 0).float().mean())
    assert chains > 0.3 and abs(drawn - chains) < 0.1  # p has .1 there


# ---- annealing and the buffer -------------------------------------------------------------------


def quadrature(flow: CouplingFlow, target: Target, alpha: float) -> float:
    points, area = grid(12.0, 400)
    with torch.no_grad():
        return total(alpha * target.log_prob(points) + (1 - alpha) * flow.log_prob(points), area)


class Forgetful(Fab):
    """Broken twin: the last law's ratio is left out of the weight."""

    def _store(self, state: FabState, rng: torch.Generator) -> None:
        spacing = self.alpha / (self.intermediates + 1)
        state.log_w = state.log_w - spacing * state.points.ratio()
        super()._store(state, rng)


def of_the_next_law(move: Any, target: Any, flow: CouplingFlow, here: Points, c: float,
                    *rest: Any) -> Any:
    """Broken twin of a kernel: it keeps a law further on than the weights believe."""
    return move(target, flow, here, c + 1.0, *rest)


ANNEALED = [dict(intermediates=1), dict(intermediates=3),
            dict(intermediates=2, transition="hmc", step_size=0.2),
            dict(intermediates=2, alpha=1.5)]
TWINS = ["right", "a ratio forgotten", "the wrong kernel"]


@pytest.mark.parametrize("which", TWINS)
@pytest.mark.parametrize("parameters", ANNEALED)
def test_annealed_weights_are_unbiased(which: str, parameters: dict[str, Any],
                                       monkeypatch: pytest.MonkeyPatch) -> None:
    """E w = integral of p^alpha q^(1 - alpha), by quadrature."""
    target = DISTRIBUTIONS["skewed"]
    if which == "the wrong kernel":
        for move in (random_walk, hamiltonian):
            monkeypatch.setattr(fab, move.__name__, partial(of_the_next_law, move))
    sampler = (Forgetful if which == "a ratio forgotten" else Fab)(
        batch=50_000, buffer_batches=1, least=50_000, buffer=50_000, layers=4, width=16,
        **{"step_size": 0.5, **parameters})
    run = Trial(sampler, target, sampler.intermediates)
    run.state.flow = bent(target, 0.1)
    w = run.run().state.buffer.log_w.exp()
    goal = quadrature(run.state.flow, target, sampler.alpha)
    off = abs(float(w.mean()) - goal) / (float(w.std()) / math.sqrt(len(w)))
    assert 0.1 < float(run.state.rate) < 0.95  # refusals matter
    assert (off < Z) == (which == "right")


@pytest.mark.parametrize("c", [0.5, 1.0, 1.5])
def test_transitions_keep_their_law(c: float) -> None:
    """Points resampled to pi_c by weight keep it: means of functions against the grid."""
    target, flow = DISTRIBUTIONS["skewed"], bent(DISTRIBUTIONS["skewed"], 0.1)
    points, _ = grid(12.0, 400)
    with torch.no_grad():
        log_pi = (1 - c) * flow.log_prob(points) + c * target.log_prob(points)
    share = torch.softmax(log_pi, 0)
    rng = seeded(6)
    start = points[torch.multinomial(share, 8000, replacement=True, generator=rng)]
    jitter = (torch.rand(start.shape, generator=rng, dtype=torch.float64) - 0.5) * 24.0 / 399
    eps = torch.tensor(0.5, dtype=torch.float64)
    here = {s: Points.at(target, flow, start + jitter, s) for s in (True, False)}
    walk, leap = here[False], here[True]
    for _ in range(10):
        walk, _ = random_walk(target, flow, walk, c, eps, rng)
        leap, _ = hamiltonian(target, flow, leap, c, eps, 3, rng)
    for moved in (walk, leap):
        assert float((moved.x != start + jitter).any(1).double().mean()) > 0.9
        for f in (lambda x: x[:, 0], lambda x: x[:, 1] ** 2, lambda x: (x[:, 0] * x[:, 1])):
            value, goal = f(moved.x), float((share * f(points)).sum())
            assert abs(float(value.mean()) - goal) < Z * float(value.std()) / math.sqrt(8000)
        # what the points carry is theirs
        torch.testing.assert_close(moved.at_q[0], flow.log_prob(moved.x).detach())
        torch.testing.assert_close(moved.at_p[0], target.log_prob(moved.x))


def filled(log_w: Tensor) -> Buffer:
    target = Gaussian()
    buffer = Buffer.empty(target, len(log_w))
    buffer.add(torch.zeros((len(log_w), 2), dtype=torch.float64), log_w, torch.zeros_like(log_w))
    return buffer


@pytest.mark.parametrize("fair", [True, False])
def test_picks_are_in_proportion_to_weights(fair: bool) -> None:
    """First and second picks against their laws by chi-square; the twin picks by sqrt(w)."""
    log_w = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64).log() + 7.0
    buffer, rng, trials = filled(log_w if fair else log_w / 2), seeded(7), 20_000
    picks = torch.stack([buffer.pick(2, rng) for _ in range(trials)])
    p = (log_w - 7.0).exp()
    pairs = p[:, None] * p / (1 - p[:, None])  # first i, then j out of those left
    pairs.fill_diagonal_(0.0)
    chi = []
    for found, law in ((picks[:, 0], p), (picks[:, 0] * 4 + picks[:, 1], pairs.flatten())):
        law = law[law > 0] if law.shape == (4,) else law
        counts = torch.bincount(found, minlength=len(law)).double()
        assert float(counts[law == 0].sum()) == 0.0  # none twice
        kept = law > 0
        chi.append((float(((counts - trials * law).square() / (trials * law))[kept].sum()),
                    int(kept.sum()) - 1))
    assert all(c < k + Z * math.sqrt(2 * k) for c, k in chi) == fair


def test_the_buffer_is_a_ring() -> None:
    target = Gaussian()
    buffer = Buffer.empty(target, 5)
    for i in range(1, 4):
        x = torch.full((2, 2), float(i), dtype=torch.float64)
        buffer.add(x, x[:, 0] * 10, x[:, 1] * 100)
    assert buffer.filled == 5 and buffer.place == 1
    assert buffer.x[:, 0].tolist() == [3.0, 1.0, 2.0, 2.0, 3.0]
    assert buffer.log_w.tolist() == [30.0, 10.0, 20.0, 20.0, 30.0]
    nothing = torch.tensor([0.0, 5.0, -math.inf], dtype=torch.float64)
    assert sorted(filled(nothing).pick(2, seeded(0)).tolist()) == [0, 1]


@pytest.mark.parametrize("alpha", [2.0, 1.5])
def test_an_update_clips_the_loss_and_corrects_the_buffer(alpha: float) -> None:
    """The second update after an annealing meets weights of a flow that is one update older."""
    sampler = Fab(layers=4, width=16, batch=500, buffer_batches=2, least=500 * 2, buffer=4000,
                  learning_rate=3e-2, alpha=alpha, clip_weight=1.02)
    run = Trial(sampler, DISTRIBUTIONS["skewed"], 3).run()
    buffer, at = run.state.buffer, run.state.picks[1]
    assert run.state.updates == 1 and buffer.filled == 1000
    log_w, log_q_old = buffer.log_w.clone(), buffer.log_q.clone()
    log_q = run.state.flow.log_prob(buffer.x).detach()
    run.run(1)
    change = torch.zeros_like(log_w)
    change[at] = (1 - alpha) * (log_q - log_q_old)[at]
    torch.testing.assert_close(buffer.log_w, log_w + change)
    torch.testing.assert_close(buffer.log_q, torch.where(change == 0, log_q_old, log_q))
    w_adj = change[at].exp()
    assert 0.1 < float((w_adj > 1.02).double().mean()) < 0.9
    goal = -(w_adj.clamp(max=1.02) * log_q[at]).mean()
    torch.testing.assert_close(run.state.loss, goal)


def gradient_of(loss: Tensor, flow: CouplingFlow) -> Tensor:
    grads = torch.autograd.grad(loss, list(flow.parameters()), retain_graph=True)
    return torch.cat([g.flatten() for g in grads])


@pytest.mark.parametrize("adjusted", [True, False])
def test_the_loss_on_old_weights_has_the_gradient_of_the_new_divergence(adjusted: bool) -> None:
    """Points by p^2 / q_old, corrected by q_old / q, give - p^2 / q grad log q of quadrature.

    The twin does not correct. Up to one factor, the ratio of both laws' masses.
    """
    target = DISTRIBUTIONS["skewed"]
    old, new = bent(target, 0.1), bent(target, 0.1, seed=1)
    points, area = grid(12.0, 300)
    log_p, log_old = target.log_prob(points), old.log_prob(points).detach()
    log_new = new.log_prob(points)
    goal = gradient_of(-((2 * log_p - log_new.detach()).exp() * log_new).sum() * area, new)
    law = torch.softmax(2 * log_p - log_old, 0)
    mass = total(2 * log_p - log_old, area)
    w_adj = (log_old - log_new.detach()).exp() if adjusted else torch.ones_like(log_old)
    found = gradient_of(-(law * w_adj * log_new).sum(), new) * mass
    assert torch.allclose(found, goal, rtol=1e-6, atol=1e-9) == adjusted


# ---- FAB as a whole -----------------------------------------------------------------------------

FULL = dict(layers=8, width=64, batch=256, least=2560, buffer_batches=8, learning_rate=1e-3,
            transition="hmc")  # chosen on another mixture of that sort, seed 5
SMALL = dict(layers=6, width=48, batch=256, least=2560, buffer_batches=8, learning_rate=1e-3)


def weighed(run: Trial, target: Target, n: int) -> Tensor:
    found = run.sampler.log_weights(target, run.state, n, None, seeded(11))
    assert found is not None and found.at_draws is not None
    return found.at_draws.double()


@pytest.mark.slow
def test_fab_finds_log_z_in_ten_dimensions() -> None:
    """By the weights p / q at its own draws; twins: a Jacobian too many, an untrained flow."""
    target = log_z_case()
    run = Trial(Fab(**FULL), target, 800).run()
    value, error = log_z_with_error(weighed(run, target, 10_000))
    assert abs(value - LOG_Z) < Z * error and abs(value - LOG_Z) < 0.15 and error < 0.05
    scaled = weighed(run, target, 10_000) + 10 * math.log(target.scale)
    assert abs(log_z_with_error(scaled)[0] - LOG_Z) > 0.15
    raw = weighed(Trial(Fab(**FULL), target, 0), target, 10_000)
    value, error = log_z_with_error(raw)
    assert error > 0.05


@pytest.mark.slow
def test_fab_weighs_two_modes() -> None:
    """.1 and .9, ten deviations apart: by raw draws and by weighed ones."""
    target = two_modes()
    run = Trial(Fab(**SMALL), target, 1000).run()
    x = run.draw(10_000)
    left = (x[:, 0] < 0).double()
    raw = float(left.mean())
    state = run.state
    points, log_q = state.flow.sample_in_blocks(target, 10_000, seeded(12))
    w = torch.softmax((target.log_prob(points) - log_q).double(), 0)
    side = (points[:, 0] < 0).double()
    share = float((w * side).sum())
    error = float(((w * (side - share)).square().sum()).sqrt())
    assert abs(share - WEIGHTS[0]) < Z * error and error < 0.02
    assert abs(raw - WEIGHTS[0]) < 0.05
