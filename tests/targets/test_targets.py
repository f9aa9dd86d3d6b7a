"""Laws that bind every target found by discovery, hot and cold."""

from __future__ import annotations

import math

import pytest
import torch

from targets.base import Target
from tests.support.target_cases import (
    CASES,
    NAMES,
    Parameters,
    at_most,
    chi_square_z,
    generator,
    grid,
    made,
    points,
    z_score,
)

#: Moments so heavy-tailed that no sample mean comes near; checked by quadrature instead.
HEAVY = {("funnel", "x0^2"), ("funnel", "x0*x1"),
         *(("funnel_10", f"x{i}^2") for i in range(1, 10))}

each_name = pytest.mark.parametrize("name", NAMES)
each_case = pytest.mark.parametrize(
    ("name", "tau", "parameters"), CASES,
    ids=[f"{n}{'' if not p else p[0][1]}@{t:g}" for n, t, p in CASES])


def wide(target: Target, n: int = 300) -> torch.Tensor:
    return target.scale * torch.randn(n, target.dim, generator=generator(3), dtype=torch.float64)


def referenced(name: str, tau: float, parameters: Parameters) -> Target:
    target = made(name, tau, parameters)
    if not target.has_reference:
        pytest.skip("no exact points")
    return target


def charted(name: str, tau: float, parameters: Parameters) -> Target:
    target = referenced(name, tau, parameters)
    if target.dim > 2:
        pytest.skip("neither on a line nor in the plane, so no grid")
    return target


@each_case
def test_score_is_the_gradient(name: str, tau: float, parameters: Parameters) -> None:
    target = made(name, tau, parameters)
    x = wide(target)
    score, step = target.score(x), 3e-6 * target.scale
    for i in range(target.dim):
        move = torch.zeros(target.dim, dtype=torch.float64)
        move[i] = step
        slope = (target.log_prob(x + move) - target.log_prob(x - move)) / (2 * step)
        torch.testing.assert_close(score[:, i], slope, rtol=1e-5, atol=1e-5 / target.scale)
    torch.testing.assert_close(score, Target.score(target, x), rtol=1e-9, atol=1e-9)
    value, again = target.log_prob_and_score(x)
    torch.testing.assert_close(value, target.log_prob(x))
    torch.testing.assert_close(again, score)


@each_case
def test_hvp_is_the_derivative_of_the_score(name: str, tau: float, parameters: Parameters) -> None:
    target = made(name, tau, parameters)
    x = wide(target)
    v = torch.randn(x.shape, generator=generator(4), dtype=torch.float64)
    step = 3e-6 * target.scale
    slope = (target.score(x + step * v) - target.score(x - step * v)) / (2 * step)
    product = target.hvp(x, v)
    size = float(product.norm(dim=1).median())
    torch.testing.assert_close(product, slope, rtol=1e-4, atol=1e-5 * size)
    torch.testing.assert_close(product, Target.hvp(target, x, v), rtol=1e-7, atol=1e-7 * size)


@each_case
def test_exact_points_agree_with_the_truths(name: str, tau: float, parameters: Parameters) -> None:
    target = referenced(name, tau, parameters)
    x = points(name, tau, parameters)
    for truth in target.truths():
        if (name, truth.name) not in HEAVY:
            assert abs(z_score(truth.of(x), truth.value)) < 4.5, truth.name


@each_case
def test_exact_points_obey_stein(name: str, tau: float, parameters: Parameters) -> None:
    target = referenced(name, tau, parameters)
    x = points(name, tau, parameters)
    score = target.score(x)
    for i in range(target.dim):
        assert abs(z_score(score[:, i], 0.0)) < 4.5
        for j in range(target.dim):
            assert abs(z_score(x[:, i] * score[:, j], -float(i == j))) < 4.5


@each_case
def test_exact_points_fill_cells(name: str, tau: float, parameters: Parameters) -> None:
    target = charted(name, tau, parameters)
    cells, x = grid(name, tau, parameters), points(name, tau, parameters)
    mass = torch.bincount(cells.block, weights=cells.mass, minlength=1600)
    counts = torch.bincount(cells.blocks_of(x), minlength=1600)
    assert abs(chi_square_z(counts, mass)) < 4.5
    if target.dim == 1:
        return
    for axis in (0, 1):  # the margins, where a small bend of a law is not thinned out
        assert abs(chi_square_z(counts.reshape(40, 40).sum(axis),
                                mass.reshape(40, 40).sum(axis))) < 4.5


@each_case
def test_log_z_and_truths_by_quadrature(name: str, tau: float, parameters: Parameters) -> None:
    target = charted(name, tau, parameters)
    cells = grid(name, tau, parameters)
    total = cells.mass.sum()
    assert target.log_z is not None
    assert math.isclose(float(total.log()), target.log_z, abs_tol=2e-6)
    for truth in target.truths():
        terms = truth.of(cells.x) * cells.mass / total
        assert abs(float(terms.sum()) - truth.value) < 2e-5 * max(1.0, float(terms.abs().sum()))


@each_case
def test_mode_weights(name: str, tau: float, parameters: Parameters) -> None:
    target = referenced(name, tau, parameters)
    if target.mode_weights is None:
        pytest.skip("no modes")
    weights = target.mode_weights
    assert math.isclose(float(weights.sum()), 1.0, abs_tol=1e-12)
    counts = torch.bincount(target.mode_of(points(name, tau, parameters)), minlength=len(weights))
    assert abs(chi_square_z(counts, weights)) < 4.5
    if target.dim > 2:
        return
    cells = grid(name, tau, parameters)
    owner = torch.cat([target.mode_of(part) for part in cells.x.split(1 << 15)])
    mass = torch.bincount(owner, weights=cells.mass, minlength=len(weights))
    torch.testing.assert_close(mass / mass.sum(), weights, rtol=0, atol=2e-3)


@each_case
def test_tempering_divides_the_log_density(name: str, tau: float, parameters: Parameters) -> None:
    target, base = made(name, tau, parameters), made(name, 1.0, parameters)
    x = wide(base)
    torch.testing.assert_close(target.log_prob(x), base.log_prob(x) / tau)


@each_name
def test_a_single_precision_copy_agrees(name: str) -> None:
    target = made(name)
    single = target.to("cpu", torch.float32)
    x = wide(target).float()
    v = torch.randn(x.shape, generator=generator(4))
    for low, high in ((single.log_prob(x), target.log_prob(x.double())),
                      (single.score(x), target.score(x.double())),
                      (single.hvp(x, v), target.hvp(x.double(), v.double()))):
        assert low.dtype == torch.float32
        torch.testing.assert_close(low.double(), high, rtol=3e-4, atol=3e-5 * float(high.std()))
    if target.has_reference:
        assert single.sample(7, generator()).dtype == torch.float32


@each_name
def test_single_precision_points_obey_stein(name: str) -> None:
    target = referenced(name, 1.0, ()).to("cpu", torch.float32)
    x = target.sample(at_most(target, 50_000), generator(2))
    score = target.score(x)
    axes = range(target.dim)
    assert max(abs(z_score(score[:, i], 0.0)) for i in axes) < 4.5
    assert max(abs(z_score(x[:, i] * score[:, i], -1.0)) for i in axes) < 4.5


@pytest.mark.parametrize("tau", [1.0, 2.0])
@each_name
def test_points_come_from_the_generator_alone(name: str, tau: float) -> None:
    target = referenced(name, tau, ())
    before = torch.get_rng_state()
    first, again = target.sample(50, generator(5)), target.sample(50, generator(5))
    other = target.sample(50, generator(6))
    assert torch.equal(first, again)
    # of thousands of pairs of coordinates one may be close by chance
    assert float(torch.isclose(first, other).double().mean(0).max()) < 0.05
    assert torch.equal(before, torch.get_rng_state())


@each_name
def test_the_scale_is_about_the_size_of_the_law(name: str) -> None:
    """Nearly all mass lies within a few scales of the origin, and the start is not far wider."""
    target = referenced(name, 1.0, ())
    x = points(name)
    distance = x.norm(dim=1).median() / target.scale / math.sqrt(target.dim)
    assert 0.4 < float(distance) < 1.6


@each_name
def test_the_window_shows_the_law(name: str) -> None:
    target = referenced(name, 1.0, ())
    left, right, bottom, top = target.view()
    x = points(name)
    y = x[:, min(1, target.dim - 1)]
    inside = (x[:, 0] > left) & (x[:, 0] < right) & (y > bottom) & (y < top)
    assert float(inside.double().mean()) > (0.9 if name in ("funnel", "funnel_10") else 0.995)
