"""What the transitions share: paths between densities, leapfrog, Langevin, the Metropolis step."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from bench.conformance.distributions import DISTRIBUTIONS
from bench.core.density import Density
from bench.harness.meter import Ledger, MeteredTarget
from samplers.one_step.denoising_posterior import InUnits, Noised, Posterior
from samplers.transitions.interpolation import Interpolated, Normal
from samplers.transitions.langevin import langevin
from samplers.transitions.leapfrog import DIVERGENT, divergent, leapfrog, trajectory
from samplers.transitions.metropolis import (
    Evaluated,
    acceptance_probability,
    evaluated,
    metropolis,
    moved,
)


def phase_points(n: int) -> tuple[Tensor, Tensor]:
    """Points of the skewed distribution and momenta, (n, 2) each."""
    rng = torch.Generator().manual_seed(8)
    x = DISTRIBUTIONS["skewed"].sample(n, rng)
    return x, torch.randn(x.shape, generator=rng, dtype=x.dtype)


# ---- interpolation ------------------------------------------------------------------------------


def paths(beta: float | Tensor) -> list[Any]:
    """A path from the initial distribution, and the posterior path of noised points."""
    target: Any = DISTRIBUTIONS["skewed"]
    full = torch.full((40, 1), 0.7, dtype=torch.float64)
    noised = Noised(phase_points(40)[1], full, (1 - full**2).sqrt(), 2.0)
    return [Interpolated(Normal(target.scale), target, beta), InUnits(target),
            Posterior(target, noised, beta)]


@pytest.mark.parametrize("beta", [0.0, 0.3, 1.0, 1.5])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_derivatives_on_a_path_are_those_of_its_log_density(beta: float, which: int) -> None:
    path = paths(beta)[which]
    x = phase_points(40)[0].requires_grad_()
    log_p = path.log_prob(x)
    (gradient,) = torch.autograd.grad(log_p.sum(), x, create_graph=True)
    both = path.log_prob_and_score(x)
    for found in (path.score(x), both[1]):
        torch.testing.assert_close(found, gradient)
    torch.testing.assert_close(both[0], log_p)
    v = phase_points(40)[1]
    (product,) = torch.autograd.grad(gradient, x, v)
    torch.testing.assert_close(path.hvp(x, v), product)
    assert isinstance(path, Density)


def test_a_path_goes_from_its_base_to_its_target() -> None:
    target: Any = DISTRIBUTIONS["skewed"]
    x, base = phase_points(30)[0], Normal(target.scale)
    normal = torch.distributions.Normal(0.0, target.scale)
    torch.testing.assert_close(base.log_prob(x), normal.log_prob(x).sum(1))
    ends = [Interpolated(base, target, beta).log_prob(x) for beta in (0.0, 1.0)]
    torch.testing.assert_close(ends[0], base.log_prob(x))
    torch.testing.assert_close(ends[1], target.log_prob(x))


def test_each_point_may_have_its_own_place_on_the_path() -> None:
    target: Any = DISTRIBUTIONS["skewed"]
    x, betas = phase_points(5)[0], torch.tensor([0.0, 0.2, 0.5, 0.9, 1.0]).double()
    together = Interpolated(Normal(target.scale), target, betas).log_prob_and_score(x)
    for i, beta in enumerate(betas.tolist()):
        alone = Interpolated(Normal(target.scale), target, beta).log_prob_and_score(x[i : i + 1])
        for one, all_ in zip(alone, together, strict=True):
            torch.testing.assert_close(all_[i : i + 1], one)


def test_an_evaluation_on_a_path_is_charged_as_one_and_what_is_known_is_free() -> None:
    ledger = Ledger(torch.device("cpu"))
    target: Any = MeteredTarget(DISTRIBUTIONS["skewed"], ledger)
    base, x = Normal(target.scale), phase_points(7)[0]
    path = Interpolated(base, target, 0.4)
    spent = []
    for ask in (path.log_prob, path.score, path.log_prob_and_score):
        before = ledger.cost("train")
        ask(x)
        cost = ledger.cost("train") - before
        spent.append((cost.density, cost.score))
    assert spent == [(7, 0), (0, 7), (0, 7)]
    before = ledger.cost("train")
    other = Interpolated(base, target, 0.9)
    known = other.known(x, path.at_base, path.at_target)
    assert ledger.cost("train") == before
    torch.testing.assert_close(known[1:], other.log_prob_and_score(x))


def test_a_point_without_density_is_left_from_anywhere_on_the_path() -> None:
    """log p = -inf stays -inf for every beta above 0, so that any finite proposal is accepted."""
    target: Any = DISTRIBUTIONS["skewed"]
    x, nothing = torch.zeros(1, 2).double(), torch.tensor([-math.inf]).double()
    for beta in (0.1, 0.5, 0.9, 1.0):
        path = Interpolated(Normal(target.scale), target, beta)
        at = path.known(x, path.base.log_prob_and_score(x), (nothing, x))
        assert float(at.log_p) == -math.inf


# ---- leapfrog -----------------------------------------------------------------------------------


def orbit(eps: float, steps: int, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """End of a trajectory on the skewed distribution, and its change of energy."""
    target: Any = DISTRIBUTIONS["skewed"]
    size = torch.tensor(eps).double()
    (y, log_p, score), w = leapfrog(target, x, v, target.score(x), size, steps)
    torch.testing.assert_close(score, target.score(y))
    change = (w.square().sum(-1) - v.square().sum(-1)) / 2 - (log_p - target.log_prob(x))
    fall = trajectory(target, evaluated(target, x), v, size, steps)[2]
    torch.testing.assert_close(fall, -change)
    return y, w, change


def test_leapfrog_runs_backward() -> None:
    x, v = phase_points(50)
    y, w, _ = orbit(0.2, 7, x, v)
    for back, u, _ in (orbit(0.2, 7, y, -w), orbit(-0.2, 7, y, w)):
        torch.testing.assert_close(back, x)
        torch.testing.assert_close(u.abs(), v.abs())


def test_leapfrog_energy_error_is_of_second_order() -> None:
    x, v = phase_points(500)
    coarse, fine = (orbit(0.8 / k, k, x, v)[2].abs().mean() for k in (16, 32))
    assert float(coarse / fine) == pytest.approx(4.0, abs=0.25)


def test_leapfrog_keeps_volume() -> None:
    x, v = phase_points(1)

    def flow(z: Tensor) -> Tensor:
        y, w, _ = orbit(0.5, 3, z[None, :2], z[None, 2:])
        return torch.cat([y, w], 1)[0]

    z, h = torch.cat([x, v], 1)[0], 1e-5
    columns = [(flow(z + h * e) - flow(z - h * e)) / (2 * h) for e in torch.eye(4).double()]
    assert float(torch.linalg.det(torch.stack(columns, 1))) == pytest.approx(1.0, abs=1e-6)


def test_a_trajectory_diverges_beyond_the_limit_of_stability() -> None:
    """On N(0, I) the leapfrog is stable for eps < 2 and grows geometrically above."""
    base: Any = Normal(1.0)
    x, v = phase_points(20)
    for eps, wild in ((1.9, False), (2.5, True)):
        fall = trajectory(base, evaluated(base, x), v, torch.tensor(eps).double(), 12)[2]
        assert divergent(fall).tolist() == [wild] * 20
    falls = torch.tensor([0.0, 5.0, 1 - DIVERGENT, -DIVERGENT - 1, -math.inf, math.nan])
    assert divergent(falls).tolist() == [False, False, False, True, True, True]


# ---- the Metropolis step ------------------------------------------------------------------------


def test_metropolis_accepts_with_the_probability_it_says() -> None:
    rng = torch.Generator().manual_seed(2)
    log_ratio = torch.tensor([0.7, -0.5, -3.0, -1e30, math.nan, -math.inf]).repeat(40_000, 1)
    accepted, probability = metropolis(log_ratio, torch.rand(log_ratio.shape, generator=rng))
    rates = accepted.double().mean(0)
    wanted = torch.tensor([1.0, math.exp(-0.5), math.exp(-3.0), 0, 0, 0], dtype=torch.float64)
    assert bool(((rates - wanted).abs() <= 4 * (wanted * (1 - wanted) / 40_000).sqrt()).all())
    torch.testing.assert_close(probability[0].double(), wanted, rtol=1e-5, atol=1e-30)
    assert torch.equal(probability, acceptance_probability(log_ratio))


def test_metropolis_never_accepts_the_impossible_at_the_ends_of_u() -> None:
    impossible = torch.full((2,), -1e30)
    u = torch.tensor([0.0, 1 - 2.0**-24])
    assert not metropolis(impossible, u)[0].any()
    assert metropolis(torch.zeros(2), u)[0].tolist() == [False, True]  # 1 - u in (0, 1]


def test_moved_goes_by_rows() -> None:
    accepted = torch.tensor([True, False])
    new, old = (Evaluated(torch.full((2, 3), k), torch.full((2,), k), torch.full((2, 3), k))
                for k in (1.0, 0.0))
    x, log_p, score = moved(accepted, new, old)
    assert x.tolist() == score.tolist() == [[1.0] * 3, [0.0] * 3] and log_p.tolist() == [1.0, 0.0]


def flow_between(propose: Any, n: int = 200_000) -> float:
    """Largest difference, in standard errors, between the flows A -> B and B -> A.

    From exact points of the skewed distribution, A and B the sides of a line: detailed balance
    makes the two equal for every A and B.
    """
    target: Any = DISTRIBUTIONS["skewed"]
    rng = torch.Generator().manual_seed(5)
    here = evaluated(target, target.sample(n, rng))
    z = torch.randn(here.x.shape, generator=rng, dtype=torch.float64)
    u = torch.rand(n, generator=rng, dtype=torch.float64)
    there, log_a = propose(target, here, z)
    x = moved(metropolis(log_a, u)[0], there, here)[0]
    worst = 0.0
    for level in (-0.5, 0.0, 0.5, 1.0):
        before, after = (p[:, 1] > level for p in (here.x, x))
        gap = (before & ~after).double() - (~before & after).double()
        worst = max(worst, abs(float(gap.mean())) / float(gap.std()) * math.sqrt(n))
    return worst


EPS = torch.tensor(0.6, dtype=torch.float64)


def by_langevin(target: Any, here: Evaluated, z: Tensor) -> tuple[Evaluated, Tensor]:
    return langevin(target, here, EPS, z)


def by_leapfrog(target: Any, here: Evaluated, z: Tensor) -> tuple[Evaluated, Tensor]:
    end, _, log_a = trajectory(target, here, z, EPS, 3)
    return end, log_a


def by_a_walk(target: Any, here: Evaluated, z: Tensor) -> tuple[Evaluated, Tensor]:
    there = evaluated(target, here.x + z)
    return there, there.log_p - here.log_p


@pytest.mark.parametrize("propose", [by_langevin, by_leapfrog, by_a_walk])
def test_a_coarse_metropolis_step_is_in_detailed_balance(propose: Any) -> None:
    assert flow_between(propose) < 4.5

    def without_ratio(target: Any, here: Evaluated, z: Tensor) -> tuple[Evaluated, Tensor]:
        there, log_a = propose(target, here, z)
        return there, torch.zeros_like(log_a)

    assert flow_between(without_ratio) > 9
