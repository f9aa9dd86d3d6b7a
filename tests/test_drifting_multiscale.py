"""What ``drifting_multiscale`` and its parts say of themselves, measured.

Nothing is trained here: points of the sampler are replaced by exact samples wherever a claim is
about the solution q = p.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from bench.errors import UserError
from bench.meter import Ledger, MeteredTarget
from bench.registry import load
from samplers.parts.bandwidths import FLOOR_LAST, RATE, Bandwidths
from samplers.parts.codes import mass_step, responsibilities
from samplers.parts.kernels import (
    kernels,
    log_densities,
    mean_shift,
    overlap,
    smoothed_score,
    squares,
)
from samplers.parts.pool import Pool, Window, propose, systematic
from samplers.parts.smoothed import monte_carlo_score
from samplers.parts.weights import softmax
from targets.base import Target

SMALL: dict[str, Any] = {"codes": 8, "width": 16, "batch": 24, "support": 40, "walkers": 12,
                         "scouts": 10, "window": 5}
LADDER = [1.0, 0.5, 0.25, 0.125]


class Normals(Target):
    """A mixture of isotropic Gaussians: means (k, dim), deviations and weights (k,)."""

    def __init__(self, means: list[list[float]], deviations: list[float], weights: list[float],
                 scale: float = 1.0, log_z: float = 0.0) -> None:
        self.means = torch.tensor(means, dtype=torch.float64)
        self.deviations = torch.tensor(deviations, dtype=torch.float64)
        self.weights = torch.tensor(weights, dtype=torch.float64)
        self.dim, self.scale, self.offset = self.means.shape[1], scale, log_z

    def log_prob(self, x: Tensor) -> Tensor:
        gaps = (x.unsqueeze(1) - self.means).square().sum(-1) / self.deviations**2
        constant = self.dim * (self.deviations.log() + 0.5 * math.log(2 * math.pi))
        return (self.weights.log() - gaps / 2 - constant).logsumexp(-1) + self.offset

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        k = torch.multinomial(self.weights, n, True, generator=rng)
        z = torch.randn((n, self.dim), generator=rng, dtype=torch.float64)
        return self.means[k] + self.deviations[k].unsqueeze(1) * z


def normal() -> Normals:
    """N(0, I) in the plane."""
    return Normals([[0.0, 0.0]], [1.0], [1.0])


def pair(log_z: float = 0.0) -> Normals:
    """Two modes of unequal weight and size."""
    return Normals([[-1.0, 0.5], [1.5, 0.0]], [0.6, 0.3], [0.3, 0.7], 1.5, log_z)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def points(n: int, dim: int = 2, seed: int = 7) -> Tensor:
    return torch.randn((n, dim), generator=generator(seed), dtype=torch.float64)


def ladder(weights: list[float], top: float = 1.0, schedule: Any = "adaptive") -> Bandwidths:
    w = torch.tensor(weights, dtype=torch.float64)
    return Bandwidths(schedule, tuple(top / 2**j for j in range(len(w))), w / w.sum(), 0.2)


def mean_and_error(values: Tensor, blocks: int = 0) -> tuple[Tensor, Tensor]:
    """Mean over the first dimension and its standard error, by ``blocks`` where correlated."""
    if blocks:
        each = len(values) // blocks
        values = values[:each * blocks].view(blocks, each, *values.shape[1:]).mean(1)
    return values.mean(0), values.std(0) / math.sqrt(len(values))


# ---- kernels ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "allowed"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_powers_of_a_kernel_are_fresh_exponentials(dtype: torch.dtype, allowed: float) -> None:
    x = points(60)
    gaps = squares(2.0 * x, points(50, seed=8))
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
    gaps, widths = squares(points(9), points(9)), [1.0, 0.7, 0.35, 0.1]
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
    exponents = log_b - squares(x, cloud.clone()) / (2 * s * s)
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


def test_systematic_counts_are_within_one_and_unbiased() -> None:
    target, rng, n = normal(), generator(), 23
    weights = torch.tensor([0.02, 0.4, 0.11, 0.3, 0.17], dtype=torch.float64)
    counts = torch.stack([torch.bincount(systematic(weights, n, target, rng), minlength=5)
                          for _ in range(3000)]).double()
    assert ((counts - n * weights).abs() < 1.0).all()
    mean, error = mean_and_error(counts)
    assert ((mean - n * weights).abs() < 4 * error + 1e-9).all()


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
    trust = softmax(b.log()).square().sum(1, keepdim=True).reciprocal()
    alike = float((b * u.square()).sum() / b.sum())
    own = softmax(b.log())
    trusted = float((trust * own * u.square()).sum() / trust.sum())
    scaled = float((trust * b * u.square()).sum() / (trust * b).sum())
    assert alike == pytest.approx(1.0, abs=0.02)
    assert trusted < 0.96 and scaled < 0.98, (trusted, scaled)


# ---- unbiased at q = p ------------------------------------------------------------------------
#
# Drifts at fixed places, in units of the width, along the direction in which the smoothed law
# rises: "inward". The bias of one side alone is what a drift would have if nothing cancelled.


@dataclass(frozen=True)
class Places:
    """A law, a width, places to look at and the smoothed score there times the width."""

    target: Target
    widths: Bandwidths
    x: Tensor
    shift: Tensor

    def inward(self, drift: Tensor) -> Tensor:
        return (drift * self.shift / self.shift.norm(dim=1, keepdim=True)).sum(1)

    def drift(self, cloud: Tensor, log_b: Tensor | None = None) -> Tensor:
        s = self.widths.main()
        return smoothed_score(self.x, cloud, [s], [s], log_weights=log_b)


def gaussian_places() -> Places:
    x = torch.tensor([[0.5, 0.0], [2.5, 0.0], [3.5, 0.0]], dtype=torch.float64)
    widths = ladder([0.1, 0.6, 0.3])
    return Places(normal(), widths, x, -x / 1.25 * 0.5)


def banana_places() -> Places:
    """The bend and two places of the arm; scores from the exact law on a fine grid."""
    target: Target = load("targets", "banana")
    x = torch.tensor([[0.5, 0.25], [1.5, 2.25], [2.0, 4.0]], dtype=torch.float64)
    widths = ladder([0.1, 0.6, 0.3])
    grid = torch.cartesian_prod(torch.linspace(-5, 5, 501, dtype=torch.float64),
                                torch.linspace(-3, 16, 951, dtype=torch.float64))
    exact = smoothed_score(x, grid, [0.5], [0.5], log_weights=target.log_prob(grid))
    return Places(target, widths, x, exact)


@cache
def drifts_at_the_solution(name: str, count: int = 96, window: int = 40,
                           updates: int = 1600) -> dict[str, tuple[Tensor, Tensor]]:
    """Mean drift and its standard error at each place, by estimator; y exact, pools rolling."""
    places = gaussian_places() if name == "gaussian" else banana_places()
    target, rng = places.target, generator(3)
    kept = Window.empty(target, count * window)
    seen: dict[str, list[Tensor]] = {}
    for update in range(window + updates):
        y = target.sample(count, rng)
        pool = propose(target, y, places.widths, rng)
        kept = kept.add(pool)
        if update < window:
            continue
        u = kept.resample(count, target, rng)
        batch = target.sample(count - 1, rng)
        with_itself = torch.cat([places.drift(torch.cat([at, batch]))[i:i + 1]
                                 for i, at in enumerate(places.x.split(1))])
        theirs, ours = places.drift(u), places.drift(y)
        of_pool = places.drift(pool.points, pool.log_weights)
        for key, value in (("fresh", theirs - ours), ("self_inclusive", theirs - with_itself),
                           ("weighted", of_pool - ours), ("one side", ours - places.shift)):
            seen.setdefault(key, []).append(places.inward(value))
    return {key: mean_and_error(torch.stack(v), blocks=20) for key, v in seen.items()}


@pytest.mark.parametrize("name", ["gaussian", "banana"])
def test_fresh_support_and_drawn_points_have_no_drift_at_the_solution(name: str) -> None:
    """Zero at every place, where one side alone is biased by up to a width."""
    mean, error = drifts_at_the_solution(name)["fresh"]
    assert (mean.abs() < 4 * error + 0.002).all(), (mean, error)
    assert (mean.abs() < 0.12).all() and mean[:2].abs().max() < 0.06
    alone = drifts_at_the_solution(name)["one side"][0]
    assert alone[2] > 0.12


@pytest.mark.parametrize("name", ["gaussian", "banana"])
def test_a_self_inclusive_batch_pulls_inward_at_the_solution(name: str) -> None:
    found = drifts_at_the_solution(name)
    mean, error = found["self_inclusive"]
    assert mean[2] > 5 * error[2] and mean[2] > 0.2
    assert mean[2] > found["one side"][0][2]  # more than the bias of one side


@pytest.mark.parametrize(("name", "sign"), [("gaussian", -1.0), ("banana", 1.0)])
def test_a_weighted_pool_drifts_at_the_solution(name: str, sign: float) -> None:
    """Outward on the Gaussian, inward on the banana's arm: the biases of the sides differ."""
    mean, error = drifts_at_the_solution(name)["weighted"]
    assert sign * mean[2] > 5 * error[2] and sign * mean[2] > 0.2


class Cells(torch.nn.Module):
    """An exact generator of N(0, I) with codes: code c is one of 8 x 8 cells of equal mass."""

    def __init__(self) -> None:
        super().__init__()
        self.nothing = torch.nn.Parameter(torch.zeros(()).double())  # something to go back to

    def forward(self, z: Tensor, code: Tensor) -> Tensor:
        """Normal latents (n, 2) and codes (n,) to points (n, 2)."""
        inside = (code // 8 + 0.5 * (1 + torch.erf(z[:, 0] / math.sqrt(2)))) / 8
        angle = (code % 8 + 0.5 * (1 + torch.erf(z[:, 1] / math.sqrt(2)))) / 8 * 2 * math.pi
        radius = (-2 * torch.log1p(-inside)).sqrt()
        at = radius.unsqueeze(1) * torch.stack([angle.cos(), angle.sin()], dim=1)
        return at + 0.0 * self.nothing


def solved(**parameters: Any) -> tuple[Any, Any, Normals]:
    """Sampler and state whose generator and target's side are exact, at the fixed width 1/4."""
    target = normal()
    settings: dict[str, Any] = {
        "latent": 2, "codes": 64, "support": 128, "batch": 128, "walkers": 0, "scouts": 0,
        "width": 8, "bandwidths": "fixed", "bandwidth": 0.25, "window": 1}
    sampler = load("samplers", "drifting_multiscale", **(settings | parameters))
    state = sampler.init(target, generator())
    state.generator, state.average = Cells(), Cells()
    gather = state.side.gather

    def gather_exact(*given: Any) -> Any:
        found = gather(*given)
        state.side.points = target.sample(state.side.count, given[-1])
        return found

    state.side.gather = gather_exact
    return sampler, state, target


@cache
def steps_at_the_solution() -> tuple[Tensor, Tensor]:
    """Of 2,000 whole steps: inward drifts in widths at three radii, gains of rings of codes."""
    sampler, state, target = solved(mass_rate=0.1)
    angle = torch.arange(16).double() * math.pi / 8
    out = torch.stack([angle.cos(), angle.sin()], dim=1)
    x = torch.cat([r * out for r in (1.0, 2.0, 2.5)])
    rng, start, drifts, gains = generator(5), state.mass, [], []
    for _ in range(2000):
        state.mass = start
        state = sampler.step(target, state, 0.0, rng)
        drift = sampler._drift(target, state, x, state.support, rng) / 0.25
        drifts.append(-(drift.view(3, 16, 2) * out).sum(2).mean(1))
        gains.append((state.mass - start).view(8, 8).sum(1) * 8 / 0.1)
    return torch.stack(drifts), torch.stack(gains)


def test_the_cells_are_a_normal_law() -> None:
    n, rng = 40_000, generator()
    z = torch.randn((n, 2), generator=rng, dtype=torch.float64)
    y = Cells()(z, torch.randint(64, (n,), generator=rng)).detach()
    assert torch.allclose(y.T @ y / n, torch.eye(2).double(), atol=0.03)
    assert float((y**4).mean()) == pytest.approx(3.0, abs=0.1)
    assert float((y.norm(dim=1) > 2.5).double().mean()) == pytest.approx(0.0439, abs=0.004)


def test_whole_steps_have_no_drift_at_the_solution() -> None:
    """Codes of the support are drawn independently: evenly spread ones would favour one side."""
    mean, error = mean_and_error(steps_at_the_solution()[0])
    assert (mean.abs() < 4 * error).all(), (mean, error)
    assert (error < 0.05).all()


# ---- the mass step ------------------------------------------------------------------------------


def test_mass_step_stands_still_at_the_solution_because_points_are_smoothed() -> None:
    """Codes of unequal width; without smoothing the narrow one would gain mass."""
    law = Normals([[0.0, 0.0], [1.5, 0.0]], [1.0, 0.1], [0.5, 0.5])
    rng, s, n, found = generator(), 0.25, 256, {}
    for smooth in (True, False):
        gains = []
        for _ in range(500):
            u = law.sample(n, rng)
            code = systematic(law.weights, n, law, rng)
            z = torch.randn((n, 2), generator=rng, dtype=torch.float64)
            y = law.means[code] + law.deviations[code].unsqueeze(1) * z
            if smooth:
                u = u + s * torch.randn((n, 2), generator=rng, dtype=torch.float64)
            share = responsibilities(u, y, code, 2, s)
            assert float(share.sum()) == pytest.approx(1.0)
            gains.append(share - torch.bincount(code).double() / n)
        found[smooth] = mean_and_error(torch.stack(gains))
    mean, error = found[True]
    assert abs(mean[1]) < 4 * error[1] < 0.01, (mean, error)
    mean, error = found[False]
    assert mean[1] > 5 * error[1] and mean[1] > 0.02, (mean, error)


def test_wrong_masses_converge_to_the_truth() -> None:
    """Whole steps with exact cells and tilted masses: the covariance's trace comes right."""
    sampler, state, target = solved(mass_rate=0.2)
    tilt = torch.linspace(0.3, 1.7, 64, dtype=torch.float64)
    state.mass, rng, late = tilt / 64, generator(4), []
    for update in range(1200):  # late enough that no code is reseated
        state = sampler.step(target, state, 0.75, rng)
        if update >= 400:
            late.append(state.mass)
    rings = torch.stack(late).mean(0).view(8, 8).sum(1)
    rest = torch.linspace(1.0, 0.0, 9, dtype=torch.float64)  # of the mass, beyond a ring's edge
    integral = 2 * (rest - torch.special.xlogy(rest, rest))  # of -2 log: the squared radius
    trace = float((rings * (integral[:-1] - integral[1:]) * 8).sum())
    assert trace == pytest.approx(2.0, abs=0.08)  # neighbouring rings trade mass, this is firm
    assert float(state.mass.sum()) == pytest.approx(1.0)


def test_mass_never_dies() -> None:
    mass = torch.tensor([0.5, 0.5]).double()
    for _ in range(500):
        mass = mass_step(mass, torch.tensor([-1.0, 1.0]).double(), 0.05)
    assert 0.0 < float(mass[0]) < 0.01 and float(mass.sum()) == pytest.approx(1.0)


def test_whole_steps_move_no_mass_at_the_solution() -> None:
    """No ring of the cells of a normal law gains or loses."""
    mean, error = mean_and_error(steps_at_the_solution()[1])
    assert (mean.abs() < 4 * error).all(), (mean, error)


# ---- the sampler --------------------------------------------------------------------------------


@pytest.mark.parametrize("eta", [0.22, 1.0])
def test_drifting_is_one_line_of_options(eta: float) -> None:
    """Same generator, same points, same perturbations: the same drift, up to eta."""
    target, at = pair(), points(20)
    faithful = load("samplers", "drifting", batch=20, perturbations=9, eta=eta)
    line = load("samplers", "drifting_multiscale", bandwidths="fixed", bandwidth=0.22, latent=32,
                estimator="local", perturbations=9, sampler_side="self_inclusive", codes=1,
                walkers=0, scouts=0, ema=0.0, normalisation="score", width=256, batch=20,
                support=5)
    theirs, ours = faithful.init(target, generator(1)), line.init(target, generator(1))
    z, code = points(20, 32), torch.zeros(20, dtype=torch.long)
    with torch.no_grad():
        torch.testing.assert_close(target.scale * theirs.generator(z), ours.generator(z, code))
        expected = eta * (monte_carlo_score(target, at, 0.22, 9, generator(3))[0]
                          - mean_shift(at, 0.22))
        found = line._drift(target, ours, at, points(5), generator(3))
    torch.testing.assert_close(eta * found, expected)


@pytest.mark.parametrize("side", ["fresh", "self_exclusive", "self_inclusive"])
def test_step_descends_along_the_drift(side: str) -> None:
    """grad L = -(2/N) sum_i V_i . dx_i/dtheta, with V from the step's own random numbers."""
    target = pair()
    sampler = load("samplers", "drifting_multiscale", **SMALL, sampler_side=side)
    state, twin = (sampler.init(target, generator(1)) for _ in range(2))
    sampler.step(target, state, 0.0, generator(2))
    rng = generator(2)
    with torch.no_grad():
        code = torch.multinomial(twin.mass, 40, replacement=True, generator=rng)
        y = sampler._push(target, twin, code, rng)
        twin.side.gather(target, sampler._centres(target, twin, y, 0.0, rng), twin.widths, rng)
    x = sampler._push(target, twin, systematic(twin.mass, 24, target, rng), rng)
    widths, weights = twin.widths.active()
    cloud = y if side == "fresh" else x.detach()
    drift = torch.zeros_like(x)
    for s, w in zip(widths, weights, strict=True):
        theirs = smoothed_score(x.detach(), twin.side.points, [s], [1.0])
        mine = smoothed_score(x.detach(), cloud, [s], [1.0], exclude=side == "self_exclusive")
        drift += w * s * (theirs - mine)
    parameters = list(twin.generator.parameters())
    expected = torch.autograd.grad(x, parameters, -2.0 * drift / 24)
    for parameter, gradient in zip(state.generator.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("normalisation", "power"), [("score", 0), ("width", 1), ("square", 2)])
def test_normalisation_is_the_power_of_the_width(normalisation: str, power: int) -> None:
    sampler, state, target = solved(normalisation=normalisation, bandwidth=0.5)
    x, y, state.side.points = points(5), points(30, seed=1), points(30, seed=2)
    bare = (smoothed_score(x, state.side.points, [0.5], [1.0])
            - smoothed_score(x, y, [0.5], [1.0]))
    torch.testing.assert_close(sampler._drift(target, state, x, y, generator()),
                               0.5**power * bare)


@pytest.mark.parametrize(("parameters", "said"), [
    ({"bandwidths": "wide"}, "bandwidths must be one of fixed, annealed, ladder, adaptive"),
    ({"estimator": "monte_carlo"}, "estimator must be one of local, second_order, weighted"),
    ({"sampler_side": "self"}, "sampler_side must be one of fresh, self_exclusive"),
    ({"normalisation": "none"}, "normalisation must be one of score, width, square"),
    ({"estimator": "weighted"}, "the mass step needs estimator = resampled, not 'weighted'"),
    ({"estimator": "local"}, "set mass_rate = 0 or codes = 1"),
])
def test_bad_options_are_said_in_a_sentence(parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said) as error:
        load("samplers", "drifting_multiscale", **parameters)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("parameters", "cost"), [
    ({}, (40 + 12 + 10, 12, 0)),
    ({"scouts": 0}, (40 + 12, 12, 0)),
    ({"walkers": 0, "scouts": 0}, (40, 0, 0)),
    ({"estimator": "weighted", "codes": 1}, (40 + 12, 12, 0)),
    ({"estimator": "local", "codes": 1, "walkers": 0, "perturbations": 16, "rungs": 4},
     (24 * 16, 0, 0)),
    ({"estimator": "local", "codes": 1, "walkers": 0, "perturbations": 6, "bandwidths": "fixed"},
     (24 * 6, 0, 0)),
    ({"estimator": "second_order", "codes": 1, "walkers": 0, "bandwidths": "fixed"},
     (0, 24, 48)),
])
def test_evaluations_of_an_update(parameters: dict[str, Any], cost: tuple[int, int, int]) -> None:
    target = pair()
    ledger = Ledger(target.device)
    face = MeteredTarget(target, ledger)
    sampler = load("samplers", "drifting_multiscale", **(SMALL | parameters))
    state = sampler.step(face, sampler.init(face, generator()), 0.0, generator())
    before = ledger.rows("train")  # after an update, since the first has no scouts yet
    for update in (1, 2):
        state = sampler.step(face, state, 0.0, generator(update))
        now = ledger.rows("train")
        assert (now.density - before.density, now.score - before.score,
                now.hvp - before.hvp) == tuple(update * c for c in cost)
    sampler.draw(face, state, 100, generator())
    assert ledger.total("draw") == 0


def test_diagnostics_are_finite_and_named() -> None:
    target, sampler = pair(), load("samplers", "drifting_multiscale", **SMALL)
    state = sampler.init(target, generator())
    assert {"main_width", "codes_in_use"} <= sampler.diagnostics(state).keys()
    for update in range(3):
        state = sampler.step(target, state, 0.0, generator(update))
    found = sampler.diagnostics(state)
    assert found.keys() == {"loss", "drift_norm", "pool_ess", "window_ess", "main_width",
                            "codes_in_use", "smoothing_error", "optimisation_error"}
    assert all(math.isfinite(v) for v in found.values())
    assert 0.0 < found["pool_ess"] <= 1.0 and 1.0 <= found["window_ess"] <= 3 * 62
    assert found["codes_in_use"] <= 8.0 + 1e-9


@pytest.mark.parametrize("shift", [0.0, 2.0])
def test_optimisation_error_is_zero_at_the_solution(shift: float) -> None:
    """Support exact, or moved by two widths; the width is .5 and the law N(0, I)."""
    sampler, state, target = solved(bandwidth=0.5)
    rng, found = generator(), []
    for _ in range(40):
        state.side.points = target.sample(200, rng)
        state.support = target.sample(200, rng) + 0.5 * shift / math.sqrt(2)
        found.append(sampler.diagnostics(state)["optimisation_error"])
    mean = sum(found) / 40
    assert abs(mean) < 0.01 and max(found) < 0.1 if shift == 0.0 else min(found) > 0.1


def test_smoothing_error_tells_a_width_too_wide_from_one_that_fits() -> None:
    errors = {}
    for width in (0.1, 1.0):
        sampler, state, target = solved(bandwidth=width)
        state.side.points = state.support = target.sample(3000, generator())
        errors[width] = sampler.diagnostics(state)["smoothing_error"]
    # For N(0, I) the overlap at the summed variance v is 1 / (2 pi (2 + v)).
    exact = (1 / 4 + 1 / 2.5 - 2 / 3.25) * 4
    assert abs(errors[0.1]) < 0.05 and errors[1.0] == pytest.approx(exact, abs=0.03)
