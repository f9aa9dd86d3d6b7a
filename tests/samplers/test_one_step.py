"""Laws of the one-step samplers beside dft: kl_ns, fisher_ns, ksd_ns, steingan and dikl.

A linear generator of a Gaussian target has every divergence in closed form: what a sampler
descends is held against its gradient, and what is broken by one term must miss it.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.conformance.distributions import DISTRIBUTIONS
from bench.conformance.verdict import ksd2
from bench.core.errors import UserError
from bench.core.registry import load
from bench.harness.meter import Ledger, MeteredTarget
from samplers.learning.networks import MLP
from samplers.one_step.denoising_posterior import InUnits, Noised, Posterior, annealed, transition
from samplers.one_step.fisher_ns import probed, trace
from samplers.one_step.ksd_ns import square_discrepancy
from samplers.transitions.metropolis import Evaluated, evaluated
from targets.base import Target
from tests.samplers.test_learned_samplers import Normals, generator, points
from tests.samplers.test_svgd import naive_field

MU, TAU2 = -0.2, 0.5
THETA = (0.7, 0.8)
SMALL: dict[str, dict[str, Any]] = {
    "kl_ns": {"batch": 20, "width": 8, "latent": 4, "score_updates": 0},
    "fisher_ns": {"batch": 20, "width": 8, "latent": 4, "score_updates": 0},
    "ksd_ns": {"batch": 20, "width": 8, "latent": 4},
    "steingan": {"batch": 20, "width": 8, "latent": 4, "median_rows": 0},
}


class OneNormal(Target):
    """N(mu, tau^2) on the line."""

    dim = 1

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale

    def log_prob(self, x: Tensor) -> Tensor:
        return -(x[:, 0] - MU).square() / (2 * TAU2)

    def score(self, x: Tensor) -> Tensor:
        return -(x - MU) / TAU2


class Quartic(OneNormal):
    """exp(-x^4 / 4), whose score is no line, so that no divergence is a constant."""

    def log_prob(self, x: Tensor) -> Tensor:
        return -x[:, 0] ** 4 / 4

    def score(self, x: Tensor) -> Tensor:
        return -x**3


def nodes(count: int = 12) -> tuple[Tensor, Tensor]:
    """Gauss-Hermite nodes and weights of N(0, 1): exact for polynomials below 2 count."""
    at, weights = np.polynomial.hermite_e.hermegauss(count)
    return torch.tensor(at), torch.tensor(weights / weights.sum())


def skewed_mixture(scale: float = 1.7) -> Normals:
    return Normals([[0.6, -0.3], [-1.0, 0.5]], [[0.5, 0.2], [0.2, 0.3]], scale=scale)


def gradient_of(truth: Callable[[Tensor], Tensor]) -> Tensor:
    theta = torch.tensor(THETA, dtype=torch.float64, requires_grad=True)
    (found,) = torch.autograd.grad(truth(theta), theta)
    return found


def close(a: Tensor, b: Tensor) -> bool:
    return torch.allclose(a, b, rtol=1e-8, atol=1e-8)


def stepped(name: str, target: Target, **more: Any) -> tuple[MLP, Any, torch.Generator]:
    """The generator before one step, the state after it, and the step's own random numbers."""
    sampler = load("samplers", name, **(SMALL[name] | more))
    state = sampler.init(target, generator(1))
    before = copy.deepcopy(state.generator)
    state = sampler.step(target, state, 0.0, generator(2))
    return before, state, generator(2)


def assert_gradient(state: Any, expected: tuple[Tensor, ...]) -> None:
    for parameter, gradient in zip(state.generator.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


def differs(state: Any, expected: tuple[Tensor, ...]) -> bool:
    return not all(torch.allclose(p.grad, g, rtol=1e-3)
                   for p, g in zip(state.generator.parameters(), expected, strict=True))


# ---- kl_ns --------------------------------------------------------------------------------------


def kl_gradient(pull: Callable[[Any, Tensor, Tensor], Tensor], sigma: float = 0.3) -> Tensor:
    """E pull . dx/dtheta for x = theta_0 + theta_1 z + sigma e, by quadrature."""
    z, w = nodes()
    grid_z, grid_e = (g.flatten()[:, None] for g in torch.meshgrid(z, z, indexing="ij"))
    weights = torch.outer(w, w).flatten()
    theta = torch.tensor(THETA, dtype=torch.float64, requires_grad=True)
    x = theta[0] + theta[1] * grid_z + sigma * grid_e
    spread = THETA[1] ** 2 + sigma**2
    each = pull(lambda at: -(at - THETA[0]) / spread, x.detach(), grid_e)
    (found,) = torch.autograd.grad(x, theta, each * weights[:, None])
    return found


def test_kl_gradient_is_that_of_the_kl_divergence() -> None:
    """Half of (v + (theta_0 - mu)^2) / tau^2 - log v, where v = theta_1^2 + sigma^2."""
    sampler, target, sigma = load("samplers", "kl_ns", sigma=0.3), OneNormal(), 0.3

    def divergence(theta: Tensor) -> Tensor:
        v = theta[1] ** 2 + sigma**2
        return ((v + (theta[0] - MU) ** 2) / TAU2 - v.log()) / 2

    def ours(score: Any, x: Tensor, e: Tensor) -> Tensor:
        return len(x) * sampler.pull(target, score, x, e)[0]

    truth = gradient_of(divergence)
    torch.testing.assert_close(kl_gradient(ours), truth, rtol=1e-9, atol=1e-9)
    broken = {"sign": lambda s, x, e: -ours(s, x, e),
              "no entropy": lambda s, x, e: -target.score(x),
              "score of the clean law": lambda s, x, e: -(x - THETA[0]) / THETA[1] ** 2
              - target.score(x)}
    for twin in broken.values():
        assert not close(kl_gradient(twin), truth)


def test_kl_ns_step_contracts_the_scores_gap_in_units_of_the_scale() -> None:
    target = skewed_mixture()
    before, state, rng = stepped("kl_ns", target)
    z = torch.randn((20, 4), generator=rng, dtype=torch.float64)
    e = torch.randn((20, 2), generator=rng, dtype=torch.float64)
    clean = before(z)
    x = (clean + 0.1 * e).detach()
    gap = state.score_net(x).detach() - 1.7 * target.score(1.7 * x)
    weights = list(before.parameters())
    assert_gradient(state, torch.autograd.grad(clean, weights, gap / 20, retain_graph=True))
    unscaled = state.score_net(x).detach() - target.score(x)
    assert differs(state, torch.autograd.grad(clean, weights, unscaled / 20))
    assert all(p.grad is None for p in state.score_net.parameters())


# ---- fisher_ns ----------------------------------------------------------------------------------


def best_function(penalty: float) -> Callable[[Tensor], Tensor]:
    """(s_p - s_theta) / (2 lambda) of the linear generator at THETA, held fixed."""
    return lambda x: (-x**3 + (x - THETA[0]) / THETA[1] ** 2) / (2 * penalty)


@pytest.mark.parametrize("penalty", [0.5, 2.0])
def test_fisher_game_has_the_gradient_of_the_fisher_divergence(penalty: float) -> None:
    """D / (4 lambda), D = E |s_p(x) - s_theta(x)|^2 where both x and s_theta change with theta."""
    sampler, target = load("samplers", "fisher_ns", penalty=penalty), Quartic()
    f, (z, w) = best_function(penalty), nodes()

    def divergence(theta: Tensor) -> Tensor:
        x = theta[0] + theta[1] * z
        own = -(x - theta[0]) / theta[1] ** 2
        return (w * (-x**3 - own).square()).sum() / (4 * penalty)

    def game(theta: Tensor, broken: str = "") -> Tensor:
        x = (theta[0] + theta[1] * z)[:, None]
        score = target.score(x)
        values = sampler.values(f, x, score.detach() if broken == "no hvp" else score, generator())
        if broken == "no divergence":
            values = values - trace(f(x), x)
        return (w * values).sum()

    found, truth = gradient_of(game), gradient_of(divergence)
    torch.testing.assert_close(found, truth, rtol=1e-9, atol=1e-9)
    at = torch.tensor(THETA, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(game(at), divergence(at))
    assert not close(-found, truth)
    assert not close(gradient_of(lambda t: game(t, "no divergence")), truth)
    assert not close(gradient_of(lambda t: game(t, "no hvp")), truth)


def test_fisher_game_is_largest_at_the_difference_of_scores() -> None:
    sampler, target, f = load("samplers", "fisher_ns"), Quartic(), best_function(0.5)
    z, w = nodes()
    x = (THETA[0] + THETA[1] * z)[:, None].requires_grad_()

    def value(g: Callable[[Tensor], Tensor]) -> float:
        return float((w * sampler.values(g, x, target.score(x), generator())).sum().detach())

    best = value(f)
    for off in (lambda x: 0.1 * x, lambda x: 0.1 + 0 * x, lambda x: 0.1 * x.sin()):
        for sign in (1.0, -1.0):
            assert value(lambda x, o=off, s=sign: f(x) + s * o(x)) < best
    assert value(lambda x: -f(x)) < 0 < best


def test_fisher_ns_climbs_with_f_and_descends_with_the_generator() -> None:
    target = skewed_mixture()
    before, state, rng = stepped("fisher_ns", target)
    z = torch.randn((20, 4), generator=rng, dtype=torch.float64)
    x = before(z)
    f = copy.deepcopy(state.score_net)
    jacobian = torch.stack([torch.autograd.functional.jacobian(f, at, create_graph=True)
                            for at in x])
    divergence = jacobian.diagonal(dim1=1, dim2=2).sum(dim=1)
    out = f(x)
    value = ((1.7 * target.score(1.7 * x) - 0.5 * out) * out).sum(dim=1) + divergence
    assert_gradient(state, torch.autograd.grad(value.mean(), list(before.parameters()),
                                               retain_graph=True))
    assert differs(state, torch.autograd.grad((value - divergence).mean(),
                                              list(before.parameters())))

    sampler = load("samplers", "fisher_ns", **(SMALL["fisher_ns"] | {"score_updates": 9}))
    state = sampler.init(target, generator(1))
    sampler.step(target, state, 0.0, generator(2))
    f.load_state_dict(sampler.init(target, generator(1)).score_net.state_dict())
    out, x = f(x.detach()), x.detach()
    rows = torch.stack([torch.autograd.functional.jacobian(f, at, create_graph=True) for at in x])
    value = (((1.7 * target.score(1.7 * x) - 0.5 * out) * out).sum(dim=1)
             + rows.diagonal(dim1=1, dim2=2).sum(dim=1)).mean()
    for p, g in zip(state.score_net.parameters(),
                    torch.autograd.grad(-value, list(f.parameters()), allow_unused=True),
                    strict=True):
        torch.testing.assert_close(p.grad, torch.zeros_like(p) if g is None else g)


def test_random_probes_estimate_the_divergence_without_bias() -> None:
    net = load("samplers", "fisher_ns", **SMALL["fisher_ns"]).init(skewed_mixture(),
                                                                   generator()).score_net
    x = points(6).requires_grad_()
    exact = trace(net(x), x).detach()
    found = torch.stack([probed(net(x), x, 1, generator(s)).detach() for s in range(400)])
    error = (found.mean(0) - exact).abs() / (found.std(0) / 20 + 1e-9)
    assert float(error.max()) < 4
    assert float(found.std(0).max()) > 1e-3  # it is an estimate
    many = probed(net(x), x, 200, generator(0)).detach()
    assert float((many - exact).abs().max()) < 0.5 * float((found - exact).abs().max())


# ---- ksd_ns -------------------------------------------------------------------------------------


@pytest.mark.parametrize("c", [1.0, 2.5])
def test_discrepancy_is_the_stein_kernel_s_sum(c: float) -> None:
    x = points(30)
    s = DISTRIBUTIONS["skewed"].score(x)
    # with y = x / c the kernel is that of width one, and scores are multiplied by c
    found, wanted = float(square_discrepancy(x, s, c)), ksd2(x / c, c * s) / c**2
    assert found == pytest.approx(wanted, rel=1e-9)
    own = float((s.square().sum(1) + 2 / c**2).mean())  # of pairs (i, i), which are left out
    assert found != pytest.approx((29 * wanted + own) / 30, rel=1e-3)


def test_ksd_ns_descends_its_discrepancy_by_finite_differences() -> None:
    target = skewed_mixture()
    before, state, rng = stepped("ksd_ns", target)
    z = torch.randn((20, 4), generator=rng, dtype=torch.float64)

    def ksd(net: MLP) -> float:
        x = net(z).detach()
        return ksd2(x, 1.7 * target.score(1.7 * x))

    assert float(state.loss) == pytest.approx(ksd(before), rel=1e-9)
    for name, at in (("last.bias", (0,)), ("first.weight", (3, 1)), ("rest.1.weight", (2, 5))):
        ends, h = [], 1e-5
        for shift in (h, -h):
            net = copy.deepcopy(before)
            with torch.no_grad():
                net.get_parameter(name)[at] += shift
            ends.append(ksd(net))
        slope = (ends[0] - ends[1]) / (2 * h)
        gradient = state.generator.get_parameter(name).grad[at]
        assert float(gradient) == pytest.approx(slope, rel=1e-5)


def test_ksd_s_gradient_needs_the_target_s_hessian_and_pays_for_it() -> None:
    target = skewed_mixture()
    ledger = Ledger(target.device)
    before, state, rng = stepped("ksd_ns", MeteredTarget(target, ledger))
    z = torch.randn((20, 4), generator=rng, dtype=torch.float64)
    x = before(z)
    blind = square_discrepancy(x, 1.7 * target.score(1.7 * x).detach(), 1.0)
    assert differs(state, torch.autograd.grad(blind, list(before.parameters())))
    spent = ledger.cost("train")
    assert (spent.density, spent.score, spent.hvp) == (0, 20, 20)


# ---- steingan -----------------------------------------------------------------------------------


def test_steingan_contracts_the_field_of_svgd() -> None:
    target = skewed_mixture()
    before, state, rng = stepped("steingan", target)
    z = torch.randn((20, 4), generator=rng, dtype=torch.float64)
    clean = before(z)
    x = clean.detach()
    h2 = float(torch.cdist(x, x).square().flatten().median()) / (2 * math.log(21))
    score = 1.7 * target.score(1.7 * x)
    phi = naive_field(x, score, h2)
    k = torch.exp(-torch.cdist(x, x).square() / (2 * h2))
    weights = list(before.parameters())

    def contracted(field: Tensor) -> tuple[Tensor, ...]:
        return torch.autograd.grad(clean, weights, -field / 20, retain_graph=True)

    assert_gradient(state, contracted(phi))  # Adam descends, so the points move along phi
    broken = {"sign": -phi, "no repulsion": k @ score / 20, "no drive": phi - k @ score / 20,
              "the score alone": score, "unscaled": naive_field(x, target.score(x), h2)}
    for twin in broken.values():
        assert differs(state, contracted(twin))


# ---- dikl: the posterior ------------------------------------------------------------------------


def gaussian_posterior(target: Normals, noised: Noised, s: float) -> tuple[Tensor, Tensor]:
    """Means (n, dim) and covariances (n, dim, dim) of pi_s, in units of the scale; one mode."""
    unit = torch.eye(target.dim, dtype=torch.float64)
    precision = torch.linalg.inv(target.covariance) * target.scale**2
    mean = target.means[0] / target.scale
    cov = torch.linalg.inv(s * precision + (1 - s) * unit / noised.tau**2
                           + (noised.a / noised.b)[..., None] ** 2 * unit)
    shift = s * precision @ mean + noised.a * noised.x_t / noised.b**2
    return (cov @ shift[..., None])[..., 0], cov


def unrefused(target: Any, noised: Noised, at: Evaluated, s: float, eps: Tensor, z: Tensor,
              u: Tensor) -> tuple[Evaluated, Tensor]:
    """Known bad: the plain Langevin step."""
    pull = Posterior(target, noised, s).known(at).score
    y = at.x + eps * pull + (2 * eps).sqrt() * z
    return evaluated(InUnits(target), y), torch.ones_like(u, dtype=torch.bool)


def one_noised(n: int, a: float = 0.8) -> Noised:
    """n times the same noised point."""
    x_t = torch.tensor([[0.9, -0.4]], dtype=torch.float64).expand(n, 2)
    full = torch.full((n, 1), a, dtype=torch.float64)
    return Noised(x_t, full, (1 - full**2).sqrt(), 2.0)


def standardised(x: Tensor, mean: Tensor, cov: Tensor) -> Tensor:
    """x as it would be N(0, I) under N(mean, cov)."""
    root = torch.linalg.cholesky(cov)
    return torch.linalg.solve_triangular(root, (x - mean)[..., None], upper=False)[..., 0]


def off(u: Tensor) -> float:
    """Largest error of the first two moments of what should be N(0, I), in standard errors."""
    second = u[:, :, None] * u[:, None] - torch.eye(2, dtype=u.dtype)
    features = torch.cat([u, second.flatten(1)], dim=1)
    return float((features.mean(0).abs() / (features.std(0) / math.sqrt(len(u)))).max())


@pytest.mark.parametrize(("s", "step"), [(0.4, 0.9), (1.0, 0.4)])
def test_posterior_transitions_leave_the_posterior_at_a_coarse_step(s: float, step: float) -> None:
    target = Normals([[0.6, -0.3]], [[0.5, 0.2], [0.2, 0.3]], scale=1.5)
    n, rng = 20_000, generator(3)
    noised = one_noised(n)
    mean, cov = gaussian_posterior(target, noised, s)
    start = mean + points(n) @ torch.linalg.cholesky(cov[0]).T

    def run(law: Noised, at: float, corrected: bool = True) -> tuple[Tensor, float]:
        chain, rate, eps = evaluated(InUnits(target), start), 1.0, step * law.variance
        for _ in range(6):
            z = torch.randn((n, 2), generator=rng, dtype=torch.float64)
            u = torch.rand(n, generator=rng, dtype=torch.float64)
            step_of = transition if corrected else unrefused
            chain, accepted = step_of(target, law, chain, at, eps, z, u)
            rate = float(accepted.double().mean())
        return chain[0], rate

    x, rate = run(noised, s)
    assert 0.1 < rate < 0.9  # refusals matter
    assert off(standardised(x, mean, cov)) < 4.5
    wrong_noise = Noised(noised.x_t, noised.a, 1.3 * noised.b, noised.tau)
    for twin in ((noised, s, False), (wrong_noise, s, True), (noised, s / 2, True)):
        assert off(standardised(run(*twin)[0], mean, cov)) > 8


@dataclass
class Case:
    """Noised points, a few of them many times, and the score of p_t there in closed form."""

    target: Normals
    x_t: Tensor
    level: Tensor
    truth: Tensor
    copies: int


def smoothed_case(level: int, copies: int = 1500) -> tuple[Any, Case]:
    """Two modes of a target with scale 1.5, noised in units of it."""
    target = Normals([[1.5, -0.3], [-1.0, 0.5]], [[0.5, 0.2], [0.2, 0.3]], scale=1.5)
    sampler = load("samplers", "dikl")
    a, b = (float(part[level]) for part in sampler.schedule(target))
    x_t = torch.tensor([[0.5, 0.1], [-0.8, 0.6], [0.0, 0.0]], dtype=torch.float64)
    # x_t = a x + b e with x = X / 1.5: X_t = (1.5 / a) x_t has the law p * N(0, (1.5 b / a)^2)
    clean = 1.5 * x_t / a
    truth = 1.5 / a * target.smoothed(clean, (1.5 * b / a) ** 2)
    n = len(x_t) * copies
    return sampler, Case(target, x_t.repeat_interleave(copies, 0),
                         torch.full((n,), level), truth, copies)


def estimate_error(found: Tensor, case: Case) -> float:
    """Largest error of the mean estimates, in standard errors."""
    each = found.view(len(case.truth), case.copies, 2)
    se = each.std(dim=1) / math.sqrt(case.copies)
    return float(((each.mean(dim=1) - case.truth).abs() / se).max())


@pytest.mark.parametrize("level", [2, 8, 18, 29])
def test_posterior_estimate_is_the_score_of_the_noised_target(level: int) -> None:
    sampler, case = smoothed_case(level)
    state = sampler.init(case.target, generator())
    found = sampler.target_score(case.target, state, case.x_t, case.level, generator(5))
    assert estimate_error(found, case) < 4.5
    state = sampler.init(case.target, generator())
    other = torch.full_like(case.level, 12 if level == 2 else 2)
    wrong = sampler.target_score(case.target, state, case.x_t, other, generator(5))
    assert estimate_error(wrong, case) > 8


@pytest.mark.parametrize(("broken", "eps", "transitions"), [
    ("transition", 0.12, 3), ("Noised.log_ratio", 1.0, 1)])
def test_a_short_estimate_needs_its_acceptance_and_its_weights(
        broken: str, eps: float, transitions: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two temperatures and a few transitions: nothing that is left out can be made up for."""
    sampler, case = smoothed_case(18)
    sampler = replace(sampler, candidates=30, temperatures=2, transitions=transitions)
    bad = {"transition": unrefused, "Noised.log_ratio": lambda _, chain: 0 * chain.log_p}

    def error() -> float:
        state = sampler.init(case.target, generator())
        state.log_steps = torch.full_like(state.log_steps, eps).log()
        found = sampler.target_score(case.target, state, case.x_t, case.level, generator(5))
        return estimate_error(found, case)

    assert error() < 4.5
    monkeypatch.setattr(f"samplers.one_step.denoising_posterior.{broken}", bad[broken])
    assert error() > 8


def test_annealed_weights_alone_are_right_without_any_transition() -> None:
    """One temperature is plain importance sampling: with many candidates it is exact."""
    target = Normals([[0.6, -0.3]], [[0.5, 0.2], [0.2, 0.3]], scale=1.5)
    noised = one_noised(4000)
    (x, _, _), _ = annealed(target, noised, 200, torch.zeros((4000, 0), dtype=torch.float64),
                            generator(2))
    mean, cov = gaussian_posterior(target, noised, 1.0)
    assert off(standardised(x, mean, cov)) < 5
    wide = noised.start(points(4000))
    assert off(standardised(wide, *gaussian_posterior(target, noised, 0.0))) < 4.5
    assert off(standardised(wide, mean, cov)) > 8


def test_points_that_are_no_number_are_left_and_never_entered() -> None:
    class Half(OneNormal):
        def log_prob(self, x: Tensor) -> Tensor:
            return torch.where(x[:, 0] > 0, super().log_prob(x), torch.nan)

    noised = Noised(*(torch.full((500, 1), v, dtype=torch.float64) for v in (0.1, 0.7, 0.7)), 2.0)
    steps = torch.full((500, 14), 0.5, dtype=torch.float64)
    (x, log_p, score), _ = annealed(Half(), noised, 10, steps, generator(4))
    assert bool((x > 0).all()) and bool(log_p.isfinite().all() & score.isfinite().all())


# ---- dikl: the generator ------------------------------------------------------------------------


def dikl_gradient(power: float, monkeypatch: pytest.MonkeyPatch) -> Tensor:
    """Of a step with exact scores; the pull is multiplied by a_t^power. A linear generator."""
    target = OneNormal()
    sampler = load("samplers", "dikl", batch=400_000, score_updates=0, latent=1, width=2,
                   layers=1, grad_clip=1e9)
    state = sampler.init(target, generator(1))
    state.generator = linear = torch.nn.Linear(1, 1).double()
    with torch.no_grad():
        linear.bias.fill_(THETA[0])
        linear.weight.fill_(THETA[1])
    state.generator_optimiser = torch.optim.Adam(linear.parameters(), lr=1e-9)

    def exact(mean: float, variance: float) -> Callable[[Tensor, Tensor], Tensor]:
        def score(x_t: Tensor, level: Tensor) -> Tensor:
            a, b = (part[level] for part in sampler.schedule(target))
            return -(x_t - a * mean) / (a**2 * variance + b**2)
        return score

    def noise(self: Any, state: Any, x_t: Tensor, level: Tensor) -> Tensor:
        a, b = (part[level] for part in sampler.schedule(target))
        own = exact(THETA[0], THETA[1] ** 2)(x_t, level)
        theirs = exact(MU, TAU2)(x_t, level)
        return -b * (theirs + a**power * (own - theirs))

    kind = type(sampler)
    monkeypatch.setattr(kind, "noise_in", noise)
    monkeypatch.setattr(kind, "target_score", lambda self, t, s, x_t, level, rng:
                        exact(MU, TAU2)(x_t, level))
    sampler.step(target, state, 0.0, generator(2))
    return torch.stack([linear.bias.grad[0], linear.weight.grad[0, 0]])


def test_dikl_gradient_is_that_of_the_weighted_divergences(
        monkeypatch: pytest.MonkeyPatch) -> None:
    """Mean over levels of KL(N(a theta_0, v_q) | N(a mu, v_p)) / a, v = a^2 var + b^2."""
    a, b = load("samplers", "dikl").schedule(OneNormal())

    def divergence(theta: Tensor, power: float = -1.0) -> Tensor:
        ours, theirs = a**2 * theta[1] ** 2 + b**2, a**2 * TAU2 + b**2
        kl = (ours / theirs + a**2 * (theta[0] - MU) ** 2 / theirs - (ours / theirs).log()) / 2
        return (a**power * kl)[1:].mean()

    truth = gradient_of(divergence)
    found = dikl_gradient(0.0, monkeypatch)
    torch.testing.assert_close(found, truth, rtol=0.02, atol=0.0)
    for power in (1.0, -1.0):  # a square root of alpha too many, or one missing
        assert not torch.allclose(dikl_gradient(power, monkeypatch), truth, rtol=0.1)
    assert not torch.allclose(-found, truth, rtol=0.1)
    other = gradient_of(lambda theta: divergence(theta, 0.0))
    torch.testing.assert_close(dikl_gradient(1.0, monkeypatch), other, rtol=0.02, atol=0.0)


def test_dikl_score_network_learns_the_scores_at_all_levels() -> None:
    """Of a linear generator, whose law is Gaussian at every level."""
    target = Normals([[0.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]])
    sampler = load("samplers", "dikl", score_updates=10**9, score_batch=256, width=64, layers=1,
                   latent=3, embedding=16, score_learning_rate=5e-3)
    state = sampler.init(target, generator(1))
    state.generator.activation = torch.nn.Identity()
    origin = torch.zeros((1, 3), dtype=torch.float64)
    mean = state.generator(origin).detach()
    root = torch.autograd.functional.jacobian(state.generator, origin)[0, :, 0]
    law = Normals(mean.tolist(), (root @ root.T).tolist())
    for k in range(600):
        state = sampler.step(target, state, 0.0, generator(k))
    a, b = sampler.schedule(target)
    clean, e = mean + points(400, 3) @ root.T, points(400, seed=8)
    for level in (8, 18, 29):
        x_t = a[level] * clean + b[level] * e
        truth = law.smoothed(x_t / a[level], float(b[level] / a[level]) ** 2) / a[level]
        with torch.no_grad():
            found = -sampler.noise_in(state, x_t, torch.full((400,), level)) / b[level]

        def error(twin: Tensor, truth: Tensor = truth) -> float:
            return float((twin - truth).square().mean() / truth.square().mean())

        assert error(found) < 0.1
        assert error(-found) > 1
        assert level == 8 or error(a[level] * found) > 0.11  # a = .9 there


def test_dikl_pays_what_it_says_and_alternates() -> None:
    target = skewed_mixture()
    ledger = Ledger(target.device)
    metered = MeteredTarget(target, ledger)
    sampler = load("samplers", "dikl", batch=6, width=8, score_batch=10, score_updates=2,
                   candidates=3, temperatures=4, transitions=5, embedding=8)
    state, rows = sampler.init(metered, generator()), []
    for k in range(6):
        before = ledger.cost("train").score
        state = sampler.step(metered, state, 0.0, generator(k))
        rows.append(ledger.cost("train").score - before)
    assert rows == [0, 0, 6 * (3 * 4 + 5)] * 2
    made = load("samplers", "dikl")
    assert made.batch * (made.candidates * made.temperatures + made.transitions) == 19_840


def test_dikl_steps_settle_at_the_wanted_acceptance() -> None:
    target = skewed_mixture(scale=1.0)
    sampler = load("samplers", "dikl", batch=256, width=8, layers=1, score_updates=0,
                   temperatures=3, candidates=4, embedding=8, learning_rate=0.0)
    state = sampler.init(target, generator())
    found = []
    for k in range(120):
        state = sampler.step(target, state, 0.0, generator(k))
        found.append(float(state.acceptance))
    assert abs(sum(found[60:]) / 60 - 0.574) < 0.02
    assert float(state.log_steps[1:].std()) > 0.05  # levels and temperatures differ
    assert bool((state.log_steps[0] == math.log(0.5)).all())  # level 0 is not used


# ---- all that alternate -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["kl_ns", "fisher_ns"])
def test_networks_are_updated_in_turns(name: str) -> None:
    target = skewed_mixture()
    sampler = load("samplers", name, **(SMALL[name] | {"score_updates": 2}))
    state = sampler.init(target, generator())
    moves = []
    for k in range(6):
        before = copy.deepcopy((state.generator, state.score_net))
        state = sampler.step(target, state, 0.0, generator(k))
        moves.append("".join(
            key for key, old, new in zip("gs", before, (state.generator, state.score_net),
                                         strict=True)
            if not torch.equal(old.last.weight, new.last.weight)))
    assert moves == ["s", "s", "g", "s", "s", "g"]


@pytest.mark.parametrize(("name", "wrong", "says"), [
    ("fisher_ns", {"penalty": 0.0}, "penalty must be positive"),
    ("ksd_ns", {"batch": 1}, "at least 2"),
    ("dikl", {"levels": 1}, "levels must be at least 2"),
    ("dikl", {"candidates": 0}, "at least 1"),
])
def test_wrong_settings_are_refused(name: str, wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        load("samplers", name, **wrong)
