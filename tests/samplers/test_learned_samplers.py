"""Identities and laws of the learned samplers: drifting, iDEM, pDEM and DFT."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.core.registry import load
from bench.harness.budget import Budget
from bench.harness.loop import JobLoop
from bench.suite.suite import read_preset
from metrics.base import Evidence
from samplers.diffusion import energy_matching as dem
from samplers.learning import networks as nets
from samplers.learning.networks import Affine, TimedNet
from samplers.learning.smoothed_score import gradient_score, monte_carlo_score, second_order_score
from samplers.one_step import dft
from samplers.one_step.kernels import mean_shift
from targets.base import Target

SMALL: dict[str, dict[str, Any]] = {
    "drifting": {"batch": 32, "perturbations": 8, "width": 16},
    "dft": {"batch": 32, "width": 16},
    "pdem": {"batch": 16, "mc_samples": 4, "sde_steps": 4, "width": 16, "embedding": 8},
    "idem": {"batch": 16, "mc_samples": 4, "sde_steps": 4, "width": 16, "embedding": 8,
             "initial": 12, "outer_batch": 10, "inner_updates": 3, "capacity": 25},
}


class Normals(Target):
    """An equal mixture of Gaussians of one covariance, with everything in closed form."""

    def __init__(self, means: list[list[float]], covariance: list[list[float]],
                 scale: float = 1.0) -> None:
        self.means = torch.tensor(means, dtype=torch.float64)
        self.covariance = torch.tensor(covariance, dtype=torch.float64)
        self.dim, self.scale = self.means.shape[1], scale
        self.rows = 0

    def smoothed(self, x: Tensor, variance: float) -> Tensor:
        """The score of p * N(0, variance I)."""
        cov = self.covariance + variance * torch.eye(self.dim, dtype=torch.float64)
        pulls = (self.means - x.unsqueeze(1)) @ torch.linalg.inv(cov)
        logits = -0.5 * (pulls * (self.means - x.unsqueeze(1))).sum(-1)
        return (logits.softmax(-1).unsqueeze(-1) * pulls).sum(1)

    def log_prob(self, x: Tensor) -> Tensor:
        self.rows += len(x)
        gaps = self.means - x.unsqueeze(1)
        precision = torch.linalg.inv(self.covariance)
        return torch.logsumexp(-0.5 * ((gaps @ precision) * gaps).sum(-1), dim=-1)


def skewed() -> Normals:
    return Normals([[0.6, -0.3]], [[0.5, 0.2], [0.2, 0.3]])


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def points(n: int, dim: int = 2, seed: int = 7) -> Tensor:
    return torch.randn((n, dim), generator=generator(seed), dtype=torch.float64)


def assert_mean(draws: Tensor, truth: Tensor) -> None:
    """The mean over the first dimension is the truth, within five standard errors."""
    se = draws.std(dim=0) / math.sqrt(len(draws))
    gap = (draws.mean(dim=0) - truth).abs()
    assert (gap < 5.0 * se + 1e-3).all(), (gap / se).max()


# ---- drifting -----------------------------------------------------------------------------------


def test_monte_carlo_estimate_is_the_smoothed_score() -> None:
    target, x = skewed(), points(5)
    found = [monte_carlo_score(target, x, 0.4, 20_000, generator(s))[0]
             for s in range(24)]
    assert_mean(torch.stack(found), target.smoothed(x, 0.16))


def test_gradient_estimate_is_the_smoothed_score_at_every_width_and_in_any_unit() -> None:
    target, x = skewed(), points(5)
    widths = torch.tensor([[0.1], [0.2], [0.4], [0.8], [1.6]], dtype=torch.float64)
    truth = torch.cat([target.smoothed(x[i:i + 1], float(s) ** 2) for i, s in enumerate(widths)])
    for unit in (1.0, 2.5):
        found = [gradient_score(target, x / unit, widths / unit, 20_000, generator(s), unit)[0]
                 for s in range(24)]
        assert_mean(torch.stack(found), unit * truth)


def test_by_gradient_has_less_variance_where_the_kernel_is_narrow_and_more_where_wide() -> None:
    target, x = skewed(), points(40)
    spread = {}
    for s in (0.05, 4.0):
        width = torch.full_like(x[:, :1], s)
        spread[s] = [torch.stack([estimate(seed)[0] for seed in range(60)]).var(dim=0).sum()
                     for estimate in (
                         lambda i, w=width: gradient_score(target, x, w, 64, generator(i)),
                         lambda i, s=s: monte_carlo_score(target, x, s, 64, generator(i)))]
    assert spread[0.05][0] < 0.1 * spread[0.05][1]
    assert spread[4.0][0] > 2.0 * spread[4.0][1]


def test_second_order_estimate_is_exact_on_a_gaussian() -> None:
    target, x = skewed(), points(5)
    found = second_order_score(target, x, 0.4)
    torch.testing.assert_close(found, target.smoothed(x, 0.16), rtol=1e-10, atol=1e-12)


def test_second_order_estimate_is_guarded_where_the_energy_is_concave() -> None:
    target = Normals([[-1.0, -1.0], [1.0, 1.0]], [[0.04, 0.0], [0.0, 0.04]])
    x = torch.tensor([[0.01, 0.01], [0.2, 0.1], [0.41, 0.4]], dtype=torch.float64)
    found, score = second_order_score(target, x, 0.22), target.score(x)
    assert ((found * score).sum(dim=1) > 0).all()  # still uphill
    assert (found.norm(dim=1) <= 10.0 * score.norm(dim=1)).all()


def test_mean_shift_is_the_double_loop() -> None:
    x, sigma = points(17), 0.5
    expected = torch.empty_like(x)
    for i in range(len(x)):
        total, weight = torch.zeros(2, dtype=torch.float64), 0.0
        for j in range(len(x)):
            k = math.exp(-float((x[j] - x[i]).square().sum()) / (2 * sigma**2))
            total, weight = total + k * x[j], weight + k
        expected[i] = (total / weight - x[i]) / sigma**2
    torch.testing.assert_close(mean_shift(x, sigma), expected)


@pytest.mark.parametrize("estimator", ["monte_carlo", "second_order"])
def test_drifting_descends_along_the_drift(estimator: str) -> None:
    """grad L = -(2/N) sum_i V_i . dx_i/dtheta, with V from the step's own random numbers."""
    target = Normals([[0.6, -0.3]], [[0.5, 0.2], [0.2, 0.3]], scale=1.7)
    sampler = load("samplers", "drifting", estimator=estimator, batch=20, perturbations=6,
                   width=8, eta=0.3)
    state = sampler.init(target, generator(1))
    before = copy.deepcopy(state.generator)
    sampler.step(target, state, 0.0, generator(2))

    rng = generator(2)
    z = torch.randn((20, 32), generator=rng, dtype=torch.float64)
    x = 1.7 * before(z)
    at = x.detach()
    if estimator == "monte_carlo":
        target_side, _ = monte_carlo_score(target, at, 0.22, 6, rng)
    else:
        target_side = second_order_score(target, at, 0.22)
    v = 0.3 * (target_side - mean_shift(at, 0.22))
    expected = torch.autograd.grad(x, list(before.parameters()), -2.0 * v / 20)
    for parameter, gradient in zip(state.generator.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)
    assert float(state.loss) == pytest.approx(float(v.square().sum(dim=1).mean()))


def test_drifting_pays_density_rows_only() -> None:
    target = skewed()
    sampler = load("samplers", "drifting", batch=20, perturbations=6, width=8)
    sampler.step(target, sampler.init(target, generator()), 0.0, generator(1))
    assert target.rows == 120


# ---- iDEM and pDEM ------------------------------------------------------------------------------


def test_k_sample_estimate_is_the_noised_score() -> None:
    """In units of unit x scale = 6: S_K -> 6 times the score of p * N(0, 36 h) at 6 x."""
    target = Normals([[-3.0, 1.0], [2.0, 2.0]], [[1.5, 0.3], [0.3, 0.8]], scale=3.0)
    sampler = load("samplers", "pdem", mc_samples=20_000)
    x, variance = 0.4 * points(5), 0.05
    h = torch.full((5, 1), variance, dtype=torch.float64)
    found = [sampler.estimate(target, x, h, generator(s))[0] for s in range(24)]
    assert_mean(torch.stack(found), 6.0 * target.smoothed(6.0 * x, 36.0 * variance))


def test_schedule_ends_and_grows_at_its_rate() -> None:
    schedule = dem.Geometric(0.01, 2.0)
    t = torch.tensor([0.0, 0.3, 1.0], dtype=torch.float64)
    assert schedule.variance(t)[0] == 0.0
    assert float(schedule.variance(t)[2]) == pytest.approx(schedule.end_variance())
    assert schedule.end_variance() == pytest.approx(4.0 - 1e-4)
    slope = (schedule.variance(t + 1e-6) - schedule.variance(t - 1e-6)) / 2e-6
    assert float(slope[1]) == pytest.approx(schedule.rate(0.3), rel=1e-6)


def test_reverse_sde_with_the_exact_score_gives_the_target() -> None:
    """Two skewed modes at 500 steps; the first two moments within five standard errors."""
    target = Normals([[-0.5, 0.1], [0.4, 0.4]], [[0.02, 0.01], [0.01, 0.03]])
    sampler = load("samplers", "pdem", sigma_min=0.005, sde_steps=500)
    rng, n = generator(3), 8000
    start = torch.linalg.cholesky(target.covariance)
    x = target.means[torch.arange(n) % 2] + points(n) @ start.T + sampler.prior(target, n, rng)
    for step in range(500):
        variance = float(sampler.schedule.variance(torch.tensor(1.0 - step / 500)))
        x = sampler.backward(target, x, target.smoothed(x, variance), step, rng)
    assert_mean(x, target.means.mean(dim=0))
    second = target.covariance + target.means.T @ target.means / 2
    assert_mean(x.unsqueeze(2) * x.unsqueeze(1), second)
    assert_mean((x[:, 0] > 0).double(), torch.tensor(0.5, dtype=torch.float64))


def test_clipping_shortens_only_what_is_too_long() -> None:
    score = torch.tensor([[3.0, 4.0], [0.3, 0.4]])
    torch.testing.assert_close(dem.clipped(score, 1.0), torch.tensor([[0.6, 0.8], [0.3, 0.4]]))


def test_simulation_uses_the_averaged_weights() -> None:
    """Without averaging the network itself, with it the moving average by hand."""
    for decay in (0.0, 0.6):
        target, sampler = skewed(), load("samplers", "pdem", **SMALL["pdem"], ema=decay)
        state = sampler.init(target, generator())
        by_hand = state.net.last.weight.detach().clone()
        for k in range(1, 20):
            state = sampler.step(target, state, 0.0, generator(k))
            used = min(decay, k / (k + 10))
            by_hand = used * by_hand + (1 - used) * state.net.last.weight.detach()
        torch.testing.assert_close(state.average.last.weight.detach(), by_hand)
        drawn = sampler.draw(target, state, 5, generator())
        with torch.no_grad():
            state.average.last.weight.add_(1.0)
        assert not torch.equal(drawn, sampler.draw(target, state, 5, generator()))


def test_a_time_shared_by_all_rows_is_the_same_as_one_a_row() -> None:
    net, x = TimedNet(skewed(), generator(), 16, 8), points(6)
    shared = torch.full((1, 1), 0.3, dtype=torch.float64)
    torch.testing.assert_close(net(x, shared), net(x, shared.expand(6, 1)))
    assert not torch.allclose(net(x, shared), net(x, shared + 0.3))


def test_idem_unrolls_its_loops() -> None:
    """Warm start by the Monte-Carlo score, then slices and updates, into a FIFO buffer."""
    target = skewed()
    sampler = load("samplers", "idem", **SMALL["idem"])
    state = sampler.init(target, generator())
    rows, updates, sizes = [], [], []
    for k in range(16):
        before, target.rows = state.updates, 0
        state = sampler.step(target, state, 0.0, generator(k))
        rows.append(target.rows)
        updates.append(state.updates - before)
        sizes.append(len(state.buffer))
    # four SDE steps of 12 points at K = 4; then rounds of three updates and one free slice
    assert rows == [48] * 4 + [64, 64, 64, 0] * 3
    assert updates == [0] * 4 + [1, 1, 1, 0] * 3
    assert sizes == [0, 0, 0, 12, 12, 12, 12, 22, 22, 22, 22, 25, 25, 25, 25, 25]


def test_idem_buffer_forgets_the_oldest_first() -> None:
    target = skewed()
    sampler = load("samplers", "idem", **(SMALL["idem"] | {"warm_start": "prior"}))
    state = sampler.init(target, generator())
    first = state.buffer.clone()
    for k in range(8):
        state = sampler.step(target, state, 0.0, generator(k))
    torch.testing.assert_close(state.buffer[:5], first[7:])


# ---- DFT ----------------------------------------------------------------------------------------


def _quadrature(theta: Tensor, sigma: float) -> tuple[Tensor, Tensor, Tensor]:
    """Nodes x = theta_0 + theta_1 z + sigma e, their noise e and their weights, exactly."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(12)
    z, e = (torch.tensor(g.ravel()) for g in np.meshgrid(nodes, nodes))
    w = torch.tensor(np.outer(weights, weights).ravel() / weights.sum() ** 2)
    return theta[0] + theta[1] * z + sigma * e, e, w


@pytest.mark.parametrize("gradient", ["full", "partial"])
def test_dft_gradient_is_that_of_the_fisher_divergence(gradient: str) -> None:
    """A Gaussian generator N(theta_0, theta_1^2) against N(mu, tau^2), where all is known.

    D = ((theta_0 - mu) / tau^2)^2 + v (1/v - 1/tau^2)^2 with v = theta_1^2 + sigma^2.
    """
    theta = torch.tensor([0.7, 0.8], dtype=torch.float64, requires_grad=True)
    mu, tau2, sigma = -0.2, 0.5, 0.3
    x, e, w = _quadrature(theta, sigma)
    frozen = theta.detach()

    def own_score(at: Tensor, parameters: Tensor) -> Tensor:
        return -(at - parameters[0]) / (parameters[1] ** 2 + sigma**2)

    score, target_score = own_score(x, frozen), -(x - mu) / tau2
    root = (w * len(w)).sqrt()  # all terms are quadratic, so roots of weights weigh them
    terms = [(root * t).unsqueeze(1) for t in (target_score - score, score, e / sigma)]
    (found,) = torch.autograd.grad(dft.fisher_loss(*terms, gradient), theta)

    if gradient == "full":
        v = theta[1] ** 2 + sigma**2
        truth = ((theta[0] - mu) / tau2) ** 2 + v * (1 / v - 1 / tau2) ** 2
    else:  # the second part of eq. 5: s_theta changes, x stays
        at = x.detach()
        gap = -(at - mu) / tau2 - own_score(at, frozen)
        truth = (w * -2.0 * gap * own_score(at, theta)).sum()
    (expected,) = torch.autograd.grad(truth, theta)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_dft_generator_update_is_the_naive_gradient() -> None:
    """The step's shortcut equals going backward through everything, score network frozen."""
    target = Normals([[0.6, -0.3], [-1.0, 0.5]], [[0.5, 0.2], [0.2, 0.3]], scale=1.7)
    sampler = load("samplers", "dft", batch=20, width=8, score_updates=0, latent=4)
    state = sampler.init(target, generator(1))
    net, score_net = copy.deepcopy(state.generator), copy.deepcopy(state.score_net)
    sampler.step(target, state, 0.0, generator(2))

    rng = generator(2)
    z = torch.randn((20, 4), generator=rng, dtype=torch.float64)
    e = torch.randn((20, 2), generator=rng, dtype=torch.float64)
    x = net(z) + 0.1 * e
    s_q, s = 1.7 * target.score(1.7 * x), score_net(x)
    loss = ((s_q - s) ** 2 + 2 * (s_q - s) * (s + e / 0.1)).sum(dim=1).mean()
    expected = torch.autograd.grad(loss, list(net.parameters()))
    for parameter, gradient in zip(state.generator.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)
    assert all(p.grad is None for p in state.score_net.parameters())


def test_dft_alternates_as_algorithm_1() -> None:
    target = skewed()
    sampler = load("samplers", "dft", **SMALL["dft"], score_updates=2)
    state = sampler.init(target, generator())
    moved = []
    for k in range(6):
        before = copy.deepcopy((state.generator, state.score_net))
        state = sampler.step(target, state, 0.0, generator(k))
        moved.append("".join(
            key for key, old, new in zip("gs", before, (state.generator, state.score_net),
                                         strict=True)
            if not torch.equal(old.last.weight, new.last.weight)))
    assert moved == ["s", "s", "g", "s", "s", "g"]


def test_denoising_score_matching_learns_a_gaussian_score() -> None:
    """A linear generator has a Gaussian law, whose smoothed score is known."""
    target = skewed()
    sampler = load("samplers", "dft", score_updates=10**9, batch=256, width=32, layers=2,
                   latent=3, sigma=0.5, score_learning_rate=5e-3)
    state = sampler.init(target, generator(1))
    state.generator.activation = torch.nn.Identity()
    origin = torch.zeros((1, 3), dtype=torch.float64)
    mean = state.generator(origin).detach()
    jacobian = torch.autograd.functional.jacobian(state.generator, origin)[0, :, 0]
    law = Normals(mean.tolist(), (jacobian @ jacobian.T).tolist())
    for k in range(800):
        state = sampler.step(target, state, 0.0, generator(k))
    x = mean + points(400, 3) @ jacobian.T + 0.5 * points(400, seed=8)
    truth = law.smoothed(x, 0.25)
    error = (state.score_net(x) - truth).square().mean() / truth.square().mean()
    assert error < 0.03


# ---- all of them --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SMALL)
def test_nothing_touches_the_global_generator(name: str) -> None:
    target, sampler = skewed(), load("samplers", name, **SMALL[name])
    drawn = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        state = sampler.init(target, generator())
        for k in range(9):
            state = sampler.step(target, state, 0.0, generator(k))
        drawn.append(sampler.draw(target, state, 7, generator(5)))
        assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(*drawn)


@pytest.mark.parametrize("name", ["drifting", "dft", "pdem", "idem"])
def test_drawing_is_bounded_in_memory(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nets, "BLOCK", 50)
    target, sampler = skewed(), load("samplers", name, **SMALL[name])
    state, rows = sampler.init(target, generator()), []
    for layer in (getattr(state, "generator", None) or state.average).modules():
        if isinstance(layer, Affine):
            layer.register_forward_hook(lambda _, __, out: rows.append(len(out)))
    drawn = sampler.draw(target, state, 170, generator(1))
    assert drawn.shape == (170, 2)
    assert max(rows) == 50
    assert len(drawn.unique(dim=0)) == 170  # blocks are not copies of each other


# ---- learning, with the presets -----------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("name", "preset", "where", "evals"), [
    ("drifting", "toy5s", "random_mixture", 4e6),
    ("idem", "toy5s", "random_mixture", 4e6),
    ("pdem", "toy5s", "random_mixture", 4e6),
    # the Fisher divergence is blind to the weights of modes, so dft is asked for one mode
    ("dft", "smoke", "gaussian", 5e5),
])
def test_presets_learn(name: str, preset: str, where: str, evals: float) -> None:
    """At most half the MMD^2 of the initial law, on a tuning mixture of two modes."""
    parameters = {"seed": 2} if where == "random_mixture" else {}
    target = load("targets", where, **parameters).to("cpu", torch.float32)
    sampler = load("samplers", name, **read_preset(preset)[name])
    checkpoints: list[Any] = []
    JobLoop(sampler, target, where, Budget("evals", evals), 0, 1000,
        1000).play(checkpoints.append, (1.0,))
    metric, evidence = load("metrics", "mmd"), Evidence(target, target.sample(1000, generator(9)))
    start = target.scale * torch.randn((1000, 2), generator=generator(1))
    learnt = metric.estimate(checkpoints[-1].points, evidence).value
    assert learnt < 0.5 * metric.estimate(start, evidence).value
