"""Stein variational gradient descent against its defining sums."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from bench.conformance.distributions import DISTRIBUTIONS, distribution
from bench.conformance.trial import Trial
from bench.conformance.verdict import ksd2
from bench.core.registry import load
from samplers.particles.svgd import Svgd, stein_field


def naive_field(x: Tensor, score: Tensor, h2: float) -> Tensor:
    """phi(x_i) = mean_j k(x_j, x_i) s(x_j) + grad_{x_j} k(x_j, x_i), term by term, by autograd."""
    rows = []
    for at in x:
        total = torch.zeros_like(at)
        for other, s in zip(x, score, strict=True):
            leaf = other.clone().requires_grad_()
            k = torch.exp(-(leaf - at).square().sum() / (2 * h2))
            (gradient,) = torch.autograd.grad(k, leaf)
            total += k.detach() * s + gradient
        rows.append(total / len(x))
    return torch.stack(rows)


def some_points(n: int) -> Tensor:
    return 1.5 * torch.randn((n, 2), generator=torch.Generator().manual_seed(3)).double()


def test_field_is_the_sum_it_stands_for() -> None:
    x = some_points(12)
    score = DISTRIBUTIONS["skewed"].score(x)
    ours = stein_field(x, score, torch.tensor(0.7).double())
    torch.testing.assert_close(ours, naive_field(x, score, torch.tensor(0.7).double()))


def test_repulsion_moves_no_centre_and_pushes_apart() -> None:
    x = some_points(200)
    push = stein_field(x, torch.zeros_like(x), torch.tensor(1.0).double())
    torch.testing.assert_close(push.sum(0), torch.zeros(2).double(), atol=1e-12, rtol=0)
    assert float((push * (x - x.mean(0))).sum()) > 0


def test_single_precision_is_enough_far_from_the_origin() -> None:
    x = some_points(100) + 50
    score = DISTRIBUTIONS["correlated"].score(x)
    h2 = torch.tensor(1.0)
    exact = stein_field(x, score, h2.double())
    rough = stein_field(x.float(), score.float(), h2).double()
    assert float((rough - exact).abs().max()) < 1e-2 * float(exact.abs().max())


def test_bandwidth_is_the_median_heuristic() -> None:
    x, rng = some_points(60), torch.Generator()
    d2 = torch.cdist(x, x).square().flatten()
    wanted = d2.median() / (2 * math.log(61))
    torch.testing.assert_close(Svgd(median_rows=0).square_bandwidth(x, rng), wanted)
    torch.testing.assert_close(Svgd(median_rows=60).square_bandwidth(x, rng), wanted)
    many = some_points(2000)
    rough, full = (float(Svgd(median_rows=k).square_bandwidth(many, rng)) for k in (32, 0))
    assert rough == pytest.approx(full, rel=0.3)


def test_coincident_particles_stay_finite() -> None:
    run = Trial(Svgd(particles=20), distribution("skewed"), 5)
    run.state = replace(run.state, x=torch.ones(20, 2))
    assert bool(torch.isfinite(run.run().state.x).all())


def test_steps_are_those_of_the_running_mean_square() -> None:
    """The first step has length eps in every coordinate; later ones follow the recursion."""
    run = Trial(Svgd(particles=30, median_rows=0), distribution("skewed"), 4)
    squares = None
    for _ in range(4):
        x = run.state.x.double()
        d2 = torch.cdist(x, x).square()
        h2 = float(d2.flatten().median()) / (2 * math.log(31))
        phi = naive_field(x, DISTRIBUTIONS["skewed"].score(x), h2)
        squares = phi**2 if squares is None else 0.9 * squares + 0.1 * phi**2
        moved = run.run(1).state.x.double() - x
        torch.testing.assert_close(moved, 0.01 * phi / (1e-6 + squares.sqrt()),
                                   atol=2e-5, rtol=1e-3)
    first = Trial(Svgd(particles=30), distribution("skewed"), 1)
    start = first.state.x
    torch.testing.assert_close((first.run().state.x - start).abs(), torch.full((30, 2), 0.01),
                               atol=1e-5, rtol=1e-3)


def test_gaussian_fixed_point_has_its_mean_and_nearly_its_variance() -> None:
    run = Trial(Svgd(particles=100, step_size=0.02), distribution("correlated"), 600).run()
    mean, covariance, _ = DISTRIBUTIONS["correlated"].cumulants()
    x = run.state.x.double()
    torch.testing.assert_close(x.mean(0), mean, atol=0.05, rtol=0)
    ratio = x.var(0) / covariance.diagonal()
    assert bool((ratio > 0.8).all()) and bool((ratio < 1.05).all())
    start = Trial(run.sampler, run.target, 1).run(1).state
    assert float(run.state.movement) < 0.05 * float(start.movement)


def stein_discrepancy_of_a_run(steps: int, seed: int) -> float:
    """What table 1 of arXiv 2411.01453 gives: a V-statistic's root, 500 particles from N(0, I)."""
    target = load("targets", "gaussian").to("cpu", torch.float32)
    run = Trial(Svgd(median_rows=0), target, steps)
    x = torch.randn((500, 2), generator=torch.Generator().manual_seed(seed))
    run.state = replace(run.state, x=x)
    x = run.run().state.x.double()
    s = target.to("cpu", torch.float64).score(x)
    diagonal = float((s.square().sum(-1) + 2).mean())
    return math.sqrt(max(0.0, (499 * ksd2(x, s) + diagonal) / 500))


@pytest.mark.slow
@pytest.mark.parametrize(("steps", "low", "high"), [(50, 1.60, 1.90), (100, 0.70, 0.90),
                                                    (200, 0.02, 0.05)])
def test_reproduces_the_svgd_row_of_dft(steps: int, low: float, high: float) -> None:
    """Gaussian column: 1.681, .776, .037. One run at 200 steps is anywhere from .012 to .044.

    So the mean of eight starts is held to the bounds (standard error .003 at 200 steps);
    independent runs of the same reading gave 1.76-1.81, .79-.82, .027-.039.
    """
    values = [stein_discrepancy_of_a_run(steps, seed) for seed in range(1, 9)]
    assert low < sum(values) / len(values) < high
