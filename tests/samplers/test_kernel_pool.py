"""Kernels, widths and the pool of weighted proposals: what they say of themselves, measured."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from bench.core.log_weights import effective_size, normalised
from samplers.distances import squared_distances
from samplers.one_step.bandwidths import FLOOR_LAST, RATE, Bandwidths
from samplers.one_step.kernels import (
    kernels,
    log_densities,
    mean_shift,
    overlap,
    smoothed_score,
)
from samplers.one_step.proposal_pool import Pool, Window, propose
from tests.support.drifting_cases import (
    LADDER,
    Normals,
    generator,
    ladder,
    mean_and_error,
    normal,
    pair,
    points,
)

# ---- kernels ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "allowed"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_powers_of_a_kernel_are_fresh_exponentials(dtype: torch.dtype, allowed: float) -> None:
    x = points(60)
    gaps = squared_distances(2.0 * x, points(50, seed=8))
    widths = [2.0 / 2**j for j in range(7)]
    found = [k.clone() for k in kernels(gaps.to(dtype), widths)]
    seen = 0
    for s, k in zip(widths, found, strict=True):
        exponents = -gaps.to(dtype).double() / (2 * s * s)
        above = exponents > -79.0
        error = (k.double() / exponents.exp() - 1.0).abs()[above]
        assert error.max() < allowed
        assert (k[~above].double().log() > -81.0).all() and (k[~above] < 1e-33).all()
        seen += int((~above).sum())
    assert seen > 100  # the floor was reached


def test_kernels_of_widths_that_do_not_halve_are_fresh() -> None:
    gaps, widths = squared_distances(points(9), points(9)), [1.0, 0.7, 0.35, 0.1]
    for s, k in zip(widths, kernels(gaps, widths), strict=True):
        torch.testing.assert_close(k, (-gaps / (2 * s * s)).exp(), rtol=1e-12, atol=1e-30)


@pytest.mark.parametrize("dim", [2, 9])
def test_log_densities_are_the_naive_log_means(dim: int) -> None:
    x, centres = points(30, dim), points(20, dim, 8)
    found = log_densities(x, centres, LADDER)
    for j, s in enumerate(LADDER):
        law = torch.distributions.Normal(centres, s)
        naive = law.log_prob(x.unsqueeze(1)).sum(-1).logsumexp(1) - math.log(20)
        torch.testing.assert_close(found[:, j], naive, rtol=1e-10, atol=1e-10)


def _log_kernel_estimate(x: Tensor, cloud: Tensor, s: float, log_b: Tensor,
                         exclude: bool) -> Tensor:
    exponents = log_b - squared_distances(x, cloud.clone()) / (2 * s * s)
    if exclude:
        exponents = exponents.masked_fill(torch.eye(len(x), dtype=torch.bool), -torch.inf)
    return exponents.logsumexp(1)


@pytest.mark.parametrize("way", ["plain", "weighted", "exclude"])
@pytest.mark.parametrize("widths", [[0.5], LADDER])
def test_smoothed_score_is_the_gradient_of_the_log_kernel_estimate(way: str,
                                                                   widths: list[float]) -> None:
    cloud = points(25)
    x = cloud if way == "exclude" else points(6, seed=8)
    log_b = 2.0 * points(25, 1, 9)[:, 0] if way == "weighted" else torch.zeros(25).double()
    factors = [0.3 + i for i in range(len(widths))]
    expected = torch.zeros_like(x)
    for s, factor in zip(widths, factors, strict=True):
        at = x.clone().requires_grad_()
        value = _log_kernel_estimate(at, cloud, s, log_b, way == "exclude").sum()
        expected += factor * torch.autograd.grad(value, at)[0]
    found = smoothed_score(x, cloud, widths, factors, exclude=way == "exclude",
                           log_weights=log_b if way == "weighted" else None)
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-8)


def test_smoothed_score_with_itself_is_the_mean_shift_of_the_faithful_method() -> None:
    x = points(30)
    torch.testing.assert_close(smoothed_score(x, x, [0.4], [1.0]), mean_shift(x, 0.4))


def test_far_from_the_cloud_the_score_points_at_the_nearest_point() -> None:
    """No sum vanishes, in float32 and at the finest width."""
    cloud = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    found = smoothed_score(torch.tensor([[30.0, 0.0]]), cloud, [0.25], [0.25**2])
    torch.testing.assert_close(found, torch.tensor([[-29.0, 0.0]]))


def test_overlap_is_unbiased_for_the_overlap_of_smoothed_laws() -> None:
    """N(0, 1) with itself and with a moved copy; the true integral is a normal density."""
    moved, rng, s = 0.7, generator(), 0.5
    one, two = [], []
    for _ in range(600):
        x, y = (torch.randn((2, 40, 1), generator=rng, dtype=torch.float64))
        one.append(overlap(x, x, 2 * s * s, same=True))
        two.append(overlap(x, y + moved, 2 * s * s))
    for values, gap in ((one, 0.0), (two, moved)):
        mean, error = mean_and_error(torch.stack(values))
        variance = 2 + 2 * s * s
        truth = math.exp(-gap**2 / (2 * variance)) / math.sqrt(2 * math.pi * variance)
        assert abs(float(mean) - truth) < 4 * error < 0.02


# ---- the pool -----------------------------------------------------------------------------------


def test_pool_is_unbiased_whatever_the_centres() -> None:
    """Z, a first and a second moment within five standard errors; far, few, clumped centres."""
    target, rng = pair(log_z=1.3), generator()
    centres = points(30)
    centres[:8] = centres[0]
    widths = ladder([0.4, 0.3, 0.2, 0.1], top=2.0)
    found = []
    for _ in range(2500):
        pool = propose(target, centres, widths, rng)
        b = pool.log_weights.exp()
        found.append(torch.stack([b.mean(), (b * pool.points[:, 0]).mean(),
                                  (b * pool.points[:, 1].square()).mean()]))
        assert float(pool.shares.sum()) == pytest.approx(1.0, abs=1e-9)
    mean, error = mean_and_error(torch.stack(found))
    z = math.exp(1.3)
    second = 0.3 * (0.25 + 0.36) + 0.7 * 0.09
    truth = torch.tensor([z, z * (0.3 * -1.0 + 0.7 * 1.5), z * second], dtype=torch.float64)
    assert (error < 0.03 * z).all()
    assert ((mean - truth).abs() < 5 * error).all(), (mean - truth) / error


def test_shares_are_the_rungs_parts_of_the_weights() -> None:
    target, widths, centres = pair(), ladder([1.0, 2.0, 3.0]), points(30)
    pool = propose(target, centres, widths, generator())
    each = log_densities(pool.points, centres, list(widths.widths)).exp() * widths.weights
    b = pool.log_weights.exp()
    expected = (b.unsqueeze(1) * each / each.sum(1, keepdim=True)).sum(0) / b.sum()
    torch.testing.assert_close(pool.shares, expected)
    assert float(pool.efficiency) == pytest.approx(float(b.sum()**2 / b.square().sum()) / 30)


def test_adaptive_widths_climb_the_held_out_likelihood() -> None:
    """Centres exact: the recursion follows EM for the rungs' weights on held-out exact points,

    whose limit maximises their likelihood, at ``RATE`` steps of EM an update; and its main width
    is within one rung of the best single width.
    """
    target, rng, rungs, updates = pair(), generator(), 6, 500
    widths = ladder([1.0] * rungs, top=1.5)
    em = widths.weights
    for _ in range(updates):
        pool = propose(target, target.sample(150, rng), widths, rng)
        widths = widths.observed(pool.shares, 1.0)
    held_out = torch.stack([log_densities(target.sample(300, rng), target.sample(150, rng),
                                          list(widths.widths)) for _ in range(25)]).flatten(0, 1)
    for _ in range(updates):
        em = torch.lerp(em, (held_out + em.log()).softmax(1).mean(0), RATE)
        em = em.clamp_min(FLOOR_LAST / rungs)
        em = em / em.sum()
    assert (widths.weights - em).abs().max() < 0.03, widths.weights - em
    single = int(held_out.mean(0).argmax())
    assert abs(widths.widths.index(widths.main()) - single) <= 1
    mixed = (held_out + widths.weights.log()).logsumexp(1).mean()
    assert mixed > held_out.mean(0).max()  # and it predicts better than any single width


def test_idle_rungs_keep_a_floor_and_leave_the_drift() -> None:
    widths = ladder([1.0] * 4)
    for _ in range(2000):
        widths = widths.observed(torch.tensor([0.0, 0.7, 0.3, 0.0], dtype=torch.float64), 1.0)
    assert float(widths.weights[0]) == pytest.approx(FLOOR_LAST / 4, rel=0.05)
    kept, weights = widths.active()
    assert kept == [0.5, 0.25] and sum(weights) == pytest.approx(1.0)
    early = ladder([1.0] * 4)
    for _ in range(2000):
        early = early.observed(torch.tensor([0.0, 0.7, 0.3, 0.0], dtype=torch.float64), 0.0)
    assert len(early.active()[0]) == 4  # every width is in play while modes are looked for


def test_schedules_hold_the_widths_they_say() -> None:
    target = Normals([[0.0, 0.0]], [1.0], [1.0], scale=4.0)
    start: Callable[..., Bandwidths] = Bandwidths.start
    assert start("fixed", target, 8, 0.5, 0.3).active() == ([0.3], [1.0])
    assert start("ladder", target, 3, 0.5, 0.3).active()[0] == [2.0, 1.0, 0.5]
    annealed = start("annealed", target, 8, 0.5, 0.02)
    at = [annealed.at(p, 2.0).main() for p in (0.0, 0.4, 0.8, 1.0)]
    assert at == pytest.approx([2.0, 0.2, 0.02, 0.02])
    moved = start("ladder", target, 3, 0.5, 0.3).observed(torch.tensor([1.0, 0, 0]).double(), 1.0)
    assert moved.weights.tolist() == pytest.approx([1 / 3] * 3)


def _pool(x: float, weights: list[float]) -> Pool:
    log_b = torch.tensor(weights, dtype=torch.float64).log()
    u = torch.full((len(weights), 2), x, dtype=torch.float64)
    u[:, 1] = torch.arange(len(weights))
    return Pool(u, log_b, log_b, log_b.sum())


def test_window_is_a_ring_that_forgets_the_oldest() -> None:
    window = Window.empty(normal(), 6)
    for k in range(4):
        window = window.add(_pool(float(k), [1.0, 1.0]))
    assert window.points[:, 0].tolist() == [3.0, 3.0, 1.0, 1.0, 2.0, 2.0]


def test_window_is_drawn_from_by_weight_alone() -> None:
    """Chi-square of 20,000 draws; empty places and impossible points are never drawn."""
    target = normal()
    window = Window.empty(target, 8).add(_pool(1.0, [0.2, 0.0, 0.5])).add(_pool(2.0, [1e-3, 1, 0]))
    drawn = window.resample(20_000, target, generator())
    index = (3 * (drawn[:, 0] - 1) + drawn[:, 1]).long()
    assert (drawn[:, 0] > 0).all()  # places 6 and 7 were never written
    counts = torch.bincount(index, minlength=6).double()
    b = torch.tensor([0.2, 0.0, 0.5, 1e-3, 1.0, 0.0], dtype=torch.float64)
    assert counts[b == 0].sum() == 0
    expected = (20_000 * b / b.sum())[b > 0]
    assert ((counts[b > 0] - expected).square() / expected).sum() < 16.3  # 3 degrees: p = .001


def test_trusting_updates_by_their_own_effective_size_cuts_tails() -> None:
    """E x^2 = 1 of N(0, 1) from proposals of deviation .7, 20 an update.

    All alike: right. Each update weighted by the effective size of its own weights: too small.
    """
    rng = generator()
    u = 0.8 * torch.randn((40_000, 20), generator=rng, dtype=torch.float64)
    b = (u.square() / 2 * (1 / 0.64 - 1)).exp() * 0.8
    own = normalised(b.log())
    trust = effective_size(own)[:, None]
    alike = float((b * u.square()).sum() / b.sum())
    trusted = float((trust * own * u.square()).sum() / trust.sum())
    scaled = float((trust * b * u.square()).sum() / (trust * b).sum())
    assert alike == pytest.approx(1.0, abs=0.02)
    assert trusted < 0.96 and scaled < 0.98, (trusted, scaled)
