"""Targets drawn from a seed or made in any dimension: the bent family and ``gmm_nd``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from bench.core.errors import UserError
from bench.core.fingerprint import fingerprint, same
from bench.core.registry import load
from targets.curved.bent_mixture import BentMixture
from targets.curved.random_bends import RandomBends
from targets.mixtures.gaussian_mixture import Mixture
from targets.mixtures.gmm_nd import GmmNd
from targets.numerics.quadrature import normal_plane
from tests.support.target_cases import NAMES, generator, made

TURN = np.array([[0.6, -0.8], [0.8, 0.6]])


def bends(seed: int) -> RandomBends:
    target = made("random_bends", 1.0, (("seed", seed),))
    assert isinstance(target, RandomBends)
    return target


# ---- bent mixtures -----------------------------------------------------------------------------


def test_a_bent_gaussian_by_the_change_of_variables() -> None:
    """y = TURN' (x - m), y0 = s0 z0 and y1 = s1 z1 + c s0 (z0^2 - 1), by scipy's normal."""
    s0, s1, c, mean = 1.7, 0.4, 0.9, np.array([0.3, -2.0])
    target = BentMixture(np.ones(1), mean[None], (TURN * [s0, s1])[None],
                         np.array([c * s0 / s1]), scale=2.0)
    x = 2.0 * torch.randn(200, 2, generator=generator(), dtype=torch.float64)
    y = (x.numpy() - mean) @ TURN
    expected = (stats.norm.logpdf(y[:, 0], scale=s0)
                + stats.norm.logpdf(y[:, 1] - c * s0 * ((y[:, 0] / s0) ** 2 - 1.0), scale=s1))
    np.testing.assert_allclose(target.log_prob(x).numpy(), expected, rtol=1e-11)
    assert target.mode_weights is None


@pytest.mark.parametrize("tau", [1.0, 2.0])
def test_the_distance_to_a_bent_mode_is_chi(tau: float) -> None:
    one = BentMixture(np.ones(1), np.zeros((1, 2)), (TURN * [1.0, 0.4])[None], np.array([2.0]),
                      scale=1.0).tempered(tau)
    far = one.mode_distance(one.sample(20_000, generator(7)))
    assert stats.kstest(far.numpy(), stats.chi(2).cdf).pvalue > 1e-3


def test_without_bends_it_is_a_mixture() -> None:
    weights, means = np.array([0.3, 0.7]), np.array([[0.0, 0.0], [2.0, 1.0]])
    factors = np.stack([TURN * [1.0, 0.5], TURN * [0.7, 0.9]])
    bent = BentMixture(weights, means, factors, np.zeros(2), scale=1.5)
    plain = Mixture(weights, means, factors @ factors.transpose(0, 2, 1), scale=1.5)
    assert same(fingerprint(bent), fingerprint(plain))
    torch.testing.assert_close(bent.mode_weights, plain.mode_weights, rtol=0, atol=3e-4)
    np.testing.assert_allclose([t.value for t in bent.truths()],
                               [t.value for t in plain.truths()], rtol=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_moments_and_scale_of_bends_by_gauss_hermite(seed: int) -> None:
    """Points are quadratic in z, so that the rule is exact."""
    target = bends(seed)
    z, mass = normal_plane(8)
    x = torch.stack([target.placed(torch.from_numpy(z), k)
                     for k in range(len(target.weights))]).numpy()
    both = target.weights.numpy()[:, None] * mass
    first, second = np.einsum("km,kmi->i", both, x), np.einsum("km,kmi,kmj->ij", both, x, x)
    value = {t.name: t.value for t in target.truths()}
    np.testing.assert_allclose([value["x0"], value["x1"]], first, atol=1e-11 * target.scale)
    np.testing.assert_allclose([value["x0^2"], value["x1^2"], value["x0*x1"]],
                               [second[0, 0], second[1, 1], second[0, 1]],
                               atol=1e-11 * target.scale**2)
    assert math.isclose(target.scale, math.sqrt(0.5 * np.trace(second)), rel_tol=1e-12)


def test_a_bent_mixture_stays_finite_and_right_far_away() -> None:
    target = bends(2)
    x = target.scale * torch.tensor([[10.0, -20.0], [-3.0, 40.0], [100.0, 0.0]])
    single = target.to("cpu", torch.float32)
    torch.testing.assert_close(single.log_prob(x).double(), target.log_prob(x.double()),
                               rtol=1e-4, atol=0)
    torch.testing.assert_close(single.score(x).double(), target.score(x.double()),
                               rtol=1e-4, atol=0)


def test_seeds_of_bends_are_many_and_none_is_judged() -> None:
    prints = [fingerprint(bends(seed)) for seed in range(30)]
    judged = [fingerprint(made(name)) for name in NAMES if name != "random_bends"]
    for i, one in enumerate(prints):
        assert not any(same(one, other) for other in prints[:i] + judged)
    counts = {len(bends(seed).weights) for seed in range(30)}
    assert counts == set(range(1, 7))


def test_a_seed_of_bends_means_the_same_mixture_everywhere() -> None:
    """What tuning rests on: the draws of the first members, as they were when it was done."""
    scales = [bends(seed).scale for seed in range(4)]
    np.testing.assert_allclose(scales, [1.6356679370, 12.6156805110, 9.9954045491, 10.2836809902],
                               rtol=1e-9)
    np.testing.assert_allclose(bends(0).means[0], [1.9048229703, 1.0002384336], rtol=1e-9)
    np.testing.assert_allclose([bends(seed)._bends[0, 0] for seed in range(4)],
                               [0.5099293343, 0.2370924727, 4.5061374869, 1.3093054978], rtol=1e-9)


# ---- gmm_nd ------------------------------------------------------------------------------------


@pytest.mark.parametrize("parameters", [
    {"dim": 1, "modes": 3}, {"dim": 2}, {"dim": 10}, {"dim": 50, "seed": 3},
    {"dim": 5, "modes": 12, "separation": 2.5, "weight_ratio": 0.5}])
def test_gmm_nd_is_what_it_says(parameters: dict[str, Any]) -> None:
    target = GmmNd(**parameters)
    centres, weights = target.means, target.weights
    assert math.isclose(float(torch.pdist(centres).min()), target.separation, rel_tol=1e-12)
    torch.testing.assert_close(weights @ centres, torch.zeros(target.dim, dtype=torch.float64),
                               rtol=0, atol=1e-11)
    assert math.isclose(float(weights[-1] / weights[0]), target.weight_ratio, rel_tol=1e-12)
    assert float(weights.diff().std() if len(weights) > 2 else 0.0) < 1e-15
    squares = [t.value for t in target.truths() if t.name.endswith("^2")]
    assert math.isclose(target.scale, math.sqrt(sum(squares) / target.dim), rel_tol=1e-12)
    assert len(squares) == target.dim == target.sample(3, generator()).shape[1]


def test_gmm_nd_is_what_torch_says_it_is() -> None:
    target = GmmNd(dim=7, modes=4)
    expected = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(target.weights),
        torch.distributions.Independent(torch.distributions.Normal(target.means, 1.0), 1))
    x = target.scale * torch.randn(200, 7, generator=generator(), dtype=torch.float64)
    torch.testing.assert_close(target.log_prob(x), expected.log_prob(x))


@pytest.mark.parametrize(("separation", "within"), [(6.0, True), (2.0, False)])
def test_component_weights_stand_for_mode_masses_at_separation_six(separation: float,
                                                                   within: bool) -> None:
    """Points cross over between cells; at 6 the net flow is under 4e-5, at 2 far more."""
    target, n, rng = GmmNd(separation=separation), 200_000, generator(3)
    home = torch.multinomial(target.weights, n, replacement=True, generator=rng)
    z = torch.randn(n, target.dim, generator=rng, dtype=torch.float64)
    observed = target.mode_of(target.means[home] + z)
    one_hot = torch.nn.functional.one_hot
    flow = (one_hot(observed, target.modes) - one_hot(home, target.modes)).double()
    off, error = flow.mean(0).abs(), flow.std(0) / n**0.5
    assert bool((off < 4e-5 + 4.0 * error).all()) is within


@pytest.mark.parametrize("parameters", [
    {"dim": 0}, {"dim": 2.5}, {"modes": 1}, {"separation": 0.0}, {"separation": math.inf},
    {"weight_ratio": -1.0}, {"weight_ratio": math.nan}, {"seed": -1}])
def test_bad_arguments_of_gmm_nd_are_told_in_a_sentence(parameters: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f"^target 'gmm_nd' cannot be made: {[*parameters][0]} of"):
        load("targets", "gmm_nd", **parameters)
