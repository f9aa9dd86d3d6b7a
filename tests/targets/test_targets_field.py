"""Targets of the literature on learned samplers, against definitions and figures from outside.

Each check that could hide a mistake has a counterpart: a distribution that is wrong in the way one
would get it wrong, and that the check must reject.
"""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.integrate import quad
from torch import Tensor
from torch.distributions import (
    Categorical,
    Distribution,
    Independent,
    MixtureSameFamily,
    Normal,
    StudentT,
)

from bench.conformance.quadrature import z_score
from bench.core.errors import UserError
from bench.core.registry import load
from targets.base import Target
from tests.support.target_cases import generator, made


def mixture(parts: Distribution) -> MixtureSameFamily:
    """Equal weights on the components of a batch of distributions."""
    return MixtureSameFamily(Categorical(torch.ones(parts.batch_shape[0])),
                             parts, validate_args=False)


def around(target: Target, n: int = 300) -> Tensor:
    return target.scale * torch.randn(n, target.dim, generator=generator(3), dtype=torch.float64)


def fits(values: Tensor, distribution: Any) -> bool:
    """Kolmogorov and Smirnov at one in a thousand."""
    return bool(stats.kstest(values.numpy(), distribution).pvalue > 1e-3)


def stein(target: Target, x: Tensor) -> float:
    """The largest z of E[s_i] = 0 and E[x_i s_i] = -1."""
    score = target.score(x)
    return max(max(abs(z_score(score[:, i], 0.0)), abs(z_score(x[:, i] * score[:, i], -1.0)))
               for i in range(target.dim))


# ---- many wells --------------------------------------------------------------------------------


def well(a: float, tilt: float = 0.5) -> float:
    return math.exp(-(a**4) + 6.0 * a * a + tilt * a)


def test_log_z_of_the_many_well_by_adaptive_quadrature() -> None:
    def log_z(tilt: float) -> tuple[float, float]:
        line = sum(quad(well, low, high, args=(tilt,), epsabs=0.0, epsrel=1e-13, limit=200)[0]
                   for low, high in ((-5.0, -1.7), (-1.7, 0.0), (0.0, 1.7), (1.7, 5.0)))
        return line, 16.0 * (math.log(line) + 0.5 * math.log(2.0 * math.pi))

    line, total = log_z(0.5)
    assert math.isclose(line, 11784.50927, abs_tol=5e-6)
    assert math.isclose(total, 164.6957, abs_tol=5e-5)
    found = made("many_well_32").log_z
    assert found is not None and math.isclose(found, total, abs_tol=1e-10)
    assert abs(found - log_z(0.0)[1]) > 1.0  # the wells without their tilt


def test_the_many_well_is_the_sum_over_pairs_that_fab_writes() -> None:
    target = made("many_well_32")
    x = around(target)
    a, b = x[:, 0::2], x[:, 1::2]
    energy = a**4 - 6.0 * a**2 - 0.5 * a + 0.5 * b**2
    torch.testing.assert_close(target.log_prob(x), -energy.sum(1))


@pytest.mark.parametrize("wrong", [False, True])
def test_wells_of_the_many_well_are_independent_with_their_share(wrong: bool) -> None:
    """How many pairs of a point stand right is binomial; not so if the pairs move together."""
    share = quad(well, 0, 5)[0] / (quad(well, 0, 5)[0] + quad(well, -5, 0)[0])
    target, n = made("many_well_32"), 50_000
    x = target.sample(n, generator(1))
    if wrong:  # every pair has the right distribution; the second eight repeat the first eight
        x = torch.cat([x[:, :16], x[:, :16]], 1)
    counts = np.bincount((x[:, 0::2] > 0).sum(1).numpy(), minlength=17)
    expected = n * stats.binom(16, share).pmf(np.arange(17))
    observed, meant = (np.append(v[expected > 10], v[expected <= 10].sum())
                       for v in (counts, expected))
    assert bool(stats.chisquare(observed, meant).pvalue > 1e-3) is not wrong
    truth = {t.name: t.value for t in target.truths()}
    assert [truth[f"x{2 * i}>0"] for i in range(16)] == pytest.approx([share] * 16, abs=1e-10)
    assert target.mode_weights is None


# ---- the funnel --------------------------------------------------------------------------------


def test_the_funnel_in_ten_dimensions_is_what_torch_says_it_is() -> None:
    target = made("funnel_10")
    x = around(target)

    def log_density(deviation: float) -> Tensor:
        neck, rest = x[:, 0], x[:, 1:]
        spread = torch.exp(0.5 * neck)[:, None]
        return (Normal(0.0, deviation).log_prob(neck)
                + Normal(0.0, spread).log_prob(rest).sum(1))

    torch.testing.assert_close(target.log_prob(x), log_density(3.0))
    assert float((target.log_prob(x) - log_density(math.sqrt(3.0))).abs().min()) > 1e-4


@pytest.mark.parametrize("wrong", [False, True])
def test_points_of_the_funnel_have_normal_innovations(wrong: bool) -> None:
    x = made("funnel_10").sample(20_000, generator(2))
    neck = x[:, 0].clamp(-5.0, 5.0) if wrong else x[:, 0]  # a mouth that is clipped
    z = x[:, 1:] * torch.exp(-0.5 * x[:, :1])
    assert fits(neck / 3.0, stats.norm.cdf) is not wrong
    assert fits(z.flatten(), stats.norm.cdf)
    pairs = torch.corrcoef(torch.cat([x[:, :1] / 3.0, z], 1).T) - torch.eye(10)
    assert float(pairs.abs().max()) < 4.5 / 20_000**0.5


# ---- heavy tails -------------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [1, 3, 50])
def test_the_student_mixture_is_what_torch_says_it_is(dim: int) -> None:
    target = load("targets", "student_mix_50", dim=dim)
    drawn = torch.tensor(np.random.RandomState(0).uniform(-10.0, 10.0, (10, dim)))
    x = around(target)

    def log_density(freedom: float) -> Tensor:
        one = Independent(StudentT(torch.tensor(freedom, dtype=torch.float64), drawn), 1)
        value: Tensor = mixture(one).log_prob(x)
        return value

    torch.testing.assert_close(target.log_prob(x), log_density(2.0))
    assert float((target.log_prob(x) - log_density(3.0)).abs().max()) > 0.1


@pytest.mark.parametrize("freedom", [2, 3])
def test_coordinates_of_the_student_mixture_have_its_tails(freedom: int) -> None:
    """Three degrees of freedom are refused."""
    target = load("targets", "student_mix_50", dim=4)
    centres = np.random.RandomState(0).uniform(-10.0, 10.0, (10, 4))
    x = target.sample(100_000, generator(5))[:, 1]

    def cdf(t: np.ndarray) -> np.ndarray:
        value: np.ndarray = stats.t(freedom).cdf(t[:, None] - centres[:, 1]).mean(1)
        return value

    assert fits(x, cdf) is (freedom == 2)


@pytest.mark.parametrize(("dim", "apart"), [(50, True), (10, True), (3, False)])
def test_modes_of_the_student_mixture_stand_apart(dim: int, apart: bool) -> None:
    """Where they are declared hardly any point is nearer to another component than its own."""
    target, n, rng = load("targets", "student_mix_50", dim=dim), 20_000, generator(6)
    home = torch.randint(10, (n,), generator=rng)
    z = torch.randn(n, dim, generator=rng, dtype=torch.float64)
    tails = z / torch.empty_like(z).exponential_(generator=rng).sqrt()
    crossed = target.mode_of(target._locations[home, 0] + tails) != home
    assert (float(crossed.double().mean()) < 1e-3) is apart
    assert (target.mode_weights is not None) is apart


def test_the_student_mixture_states_no_moment_that_does_not_exist() -> None:
    target = made("student_mix_50")
    names = [t.name for t in target.truths()]
    assert sorted(names) == sorted(f"x{i}{tail}" for i in range(50) for tail in ("", ">0"))
    assert load("metrics", "mean_error").applies(target)
    assert not load("metrics", "cov_error").applies(target)
    assert not load("metrics", "cov_trace").applies(target)


@pytest.mark.parametrize("dim", [0, -1, 2.5])
def test_a_bad_dimension_is_told_in_a_sentence(dim: float) -> None:
    with pytest.raises(UserError, match=r"^target 'student_mix_50' cannot be made: dim of"):
        load("targets", "student_mix_50", dim=dim)


# ---- rings -------------------------------------------------------------------------------------


def test_log_z_and_masses_of_the_rings_in_closed_form() -> None:
    """Each ring integrates to 2 pi r_k sqrt(pi / 100), but for e^-100."""
    target = made("rings")
    assert target.log_z is not None and target.mode_weights is not None
    assert math.isclose(target.log_z, math.log(2.0 * math.pi * 9.0 * math.sqrt(math.pi) / 10.0),
                        abs_tol=1e-12)
    torch.testing.assert_close(target.mode_weights,
                               torch.tensor([1.0, 3.0, 5.0], dtype=torch.float64) / 9.0,
                               rtol=0, atol=1e-12)
    x = around(target)
    gaps = x.norm(dim=1, keepdim=True) - torch.tensor([1.0, 3.0, 5.0])
    torch.testing.assert_close(target.log_prob(x), -100.0 * gaps.square().amin(1))


@pytest.mark.parametrize("wrong", [False, True])
def test_points_of_the_rings_have_the_radial_distribution(wrong: bool) -> None:
    """The wrong one forgets the r of r dr, so that all rings hold a third."""
    target, n = made("rings"), 50_000
    r = target.sample(n, generator(7)).norm(dim=1)
    if wrong:
        rng = generator(7)
        k = torch.randint(3, (n,), generator=rng)
        r = 1.0 + 2.0 * k + 0.0707 * torch.randn(n, generator=rng, dtype=torch.float64)
    nodes = np.linspace(0.0, 6.0, 60_001)
    density = nodes * np.exp(-100.0 * ((nodes[:, None] - [1.0, 3.0, 5.0]) ** 2).min(1))
    cdf = np.cumsum(density) / density.sum()
    assert fits(r, lambda t: np.interp(t, nodes, cdf)) is not wrong


def test_the_score_of_the_rings_jumps_halfway_and_is_finite_at_the_centre() -> None:
    target = made("rings")
    x = torch.tensor([[0.0, 0.0], [2.0 - 1e-9, 0.0], [2.0 + 1e-9, 0.0]], dtype=torch.float64)
    score = target.score(x)
    assert torch.equal(score[0], torch.zeros(2, dtype=torch.float64))
    torch.testing.assert_close(score[1:, 0], torch.tensor([-200.0, 200.0], dtype=torch.float64))
    assert torch.isfinite(target.hvp(x, torch.ones_like(x))).all()
    assert target.mode_of(x).tolist() == [0, 0, 1]


def test_log_z_of_the_circle_by_the_error_function() -> None:
    width, radius = 0.4, 1.0
    tail = width / 2 * math.exp(-(radius**2) / width)
    bulk = radius * math.sqrt(math.pi * width) / 2 * (1 + math.erf(radius / math.sqrt(width)))
    assert math.isclose(made("sbtm_circle").log_z or 0.0,
                        math.log(2 * math.pi * (tail + bulk)), abs_tol=1e-10)


@pytest.mark.parametrize("wrong", [False, True])
def test_the_circle_is_the_density_of_the_code_and_not_its_sampler(wrong: bool) -> None:
    """The sampler of that code blurs a circle by .2 in the plane: not what its score is of."""
    target, n, rng = made("sbtm_circle"), 20_000, generator(8)
    x = target.sample(n, rng)
    gap = (x - torch.tensor([4.0, 0.0])).norm(dim=1) - 1.0
    torch.testing.assert_close(target.log_prob(x), -(gap**2) / (2.0 * 0.2))
    if wrong:
        angle = 2.0 * math.pi * torch.rand(n, generator=rng, dtype=torch.float64)
        x = (torch.stack([4.0 + angle.cos(), angle.sin()], 1)
             + 0.2 * torch.randn(n, 2, generator=rng, dtype=torch.float64))
    assert (stein(target, x) < 4.5) is not wrong


# ---- grids and lines ---------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "marks", "variance"), [
    ("grid9", (-5, 0, 5), 0.3), ("grid25", (-10, -5, 0, 5, 10), 0.3),
    ("sbtm_grid10", (-15, -5, 5, 15), 1.0), ("sbtm_grid4", (-6, -2, 2, 6), 1.0)])
def test_grids_are_what_torch_says_they_are(name: str, marks: tuple[int, ...],
                                            variance: float) -> None:
    target = made(name)
    centres = torch.tensor(list(product(marks, marks)), dtype=torch.float64)
    x = around(target)

    def log_density(spread: float) -> Tensor:
        value: Tensor = mixture(Independent(Normal(centres, math.sqrt(spread)), 1)).log_prob(x)
        return value

    torch.testing.assert_close(target.log_prob(x), log_density(variance))
    assert float((target.log_prob(x) - log_density(1.1 * variance)).abs().max()) > 0.1
    count = len(centres)
    assert target.mode_weights is not None and len(target.mode_weights) == count
    torch.testing.assert_close(target.mode_weights, torch.full((count,), 1 / count).double(),
                               rtol=0, atol=3e-4)


def test_sbtm_six_is_its_formula() -> None:
    target = made("sbtm_six")
    x = around(target)
    density = (0.1 * stats.norm.pdf(x.numpy(), -5.0) + 0.9 * stats.norm.pdf(x.numpy(), 5.0))
    np.testing.assert_allclose(target.log_prob(x).numpy(), np.log(density[:, 0]), rtol=1e-11)
    assert target.mode_weights is not None
    edge = -math.log(9.0) / 10.0  # where 1/10 N(-5, 1) and 9/10 N(5, 1) are equal
    left = 0.1 * stats.norm.cdf(edge + 5.0) + 0.9 * stats.norm.cdf(edge - 5.0)
    assert math.isclose(float(target.mode_weights[0]), left, abs_tol=2e-5)


@pytest.mark.parametrize("name", ["many_well_32", "student_mix_50", "rings", "grid9", "grid25",
                                  "sbtm_grid10", "sbtm_grid4", "sbtm_circle", "sbtm_six"])
def test_single_precision_stays_right_far_away(name: str) -> None:
    target = made(name)
    x = 30.0 * around(target, 50)
    single = target.to("cpu", torch.float32)
    x = x.float()
    torch.testing.assert_close(single.log_prob(x).double(), target.log_prob(x.double()),
                               rtol=1e-5, atol=0)
    score = target.score(x.double())
    assert torch.isfinite(score).all()
    torch.testing.assert_close(single.score(x).double(), score,
                               rtol=1e-3, atol=1e-4 * float(score.abs().median()))
