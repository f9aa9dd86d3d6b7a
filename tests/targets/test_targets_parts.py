"""Particular targets against what is known of them, and the parts that targets are made of."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import ive
from torch import Tensor

from bench.core.fingerprint import digest, fingerprint, probes, same
from targets.base import Target
from targets.mixtures.gaussian_mixture import Mixture
from targets.mixtures.gmm40_fab import fab_means
from targets.reference import Referenced
from tests.support.target_cases import NAMES, generator, grid, made


class Quartic(Target):
    """The least a user can write."""

    dim = 3
    scale = 2.0

    def log_prob(self, x: Tensor) -> Tensor:
        return -(x**4).sum(1)


# ---- particular targets ------------------------------------------------------------------------


def test_centres_of_gmm40() -> None:
    means = fab_means()
    uniform = torch.rand(40, 2, generator=generator(0)).double().numpy()
    np.testing.assert_allclose(means, 80 * (uniform - 0.5), atol=1e-12)
    np.testing.assert_allclose(means[:2], [[-0.2995, 21.4577], [-32.9218, -29.4376]], atol=1e-4)
    np.testing.assert_allclose(means[-1], [3.6797, -25.0242], atol=1e-4)


def test_entropy_and_width_of_gmm40() -> None:
    target, cells = made("gmm40_fab"), grid("gmm40_fab")
    entropy = float(torch.special.entr(cells.mass).sum()) + math.log(cells.area)
    assert math.isclose(entropy, 6.862, abs_tol=0.007)
    value = {truth.name: truth.value for truth in target.truths()}
    spread = np.cov(fab_means().T, bias=True) + 1.3132617**2 * np.eye(2)
    assert math.isclose(value["x0^2"] - value["x0"] ** 2, spread[0, 0], rel_tol=1e-6)
    assert math.isclose(value["x0*x1"] - value["x0"] * value["x1"], spread[0, 1], rel_tol=1e-6)


@pytest.mark.parametrize(("name", "expected"), [
    ("gaussian", 4.0), ("mog2", 4.0), ("rosenbrock", 8.0), ("donut", 4.0), ("squiggle", 6.95),
    ("funnel", math.exp(0.5) + 1 / 9 + 1 / 2)])
def test_mean_square_score(name: str, expected: float) -> None:
    """What the KSD floors of these targets rest on: E KSD_V^2 = (E|s|^2 + 2) / n."""
    target, cells = made(name), grid(name)
    square = (target.score(cells.x) ** 2).sum(1)
    found = float((square * cells.mass).sum() / cells.mass.sum())
    assert math.isclose(found, expected, rel_tol=0.005)


def test_the_funnel_has_the_correct_score_and_not_the_published_one() -> None:
    target = made("funnel")
    x = target.sample(1000, generator())
    a, b = x[:, 0] - 1, x[:, 1]
    wrong = ((b - 4) ** 2 - 9) / 27 - 0.5 + a**2 * torch.exp(-b) / 2
    right = -(b - 4) / 9 - 0.5 + a**2 * torch.exp(-b) / 2
    torch.testing.assert_close(target.score(x)[:, 1], right)
    assert float((target.score(x)[:, 1] - wrong).abs().mean()) > 0.1


@pytest.mark.parametrize("tau", [0.5, 1.0, 2.0])
def test_log_z_of_the_double_well_by_bessel_functions(tau: float) -> None:
    half = 1.5 / tau
    line = 0.5 * math.pi * (ive(-0.25, half) + ive(0.25, half))  # scaled by e^-half already
    expected = math.log(line) + 0.5 * math.log(2 * math.pi * tau)
    assert math.isclose(made("double_well", tau).log_z or 0.0, expected, abs_tol=1e-10)


@pytest.mark.parametrize("tau", [0.5, 1.0, 2.0])
def test_log_z_of_the_donut_by_the_error_function(tau: float) -> None:
    width, radius = 0.5 * tau, 2.5
    tail = width / 2 * math.exp(-(radius**2) / width)
    bulk = radius * math.sqrt(math.pi * width) / 2 * (1 + math.erf(radius / math.sqrt(width)))
    expected = math.log(2 * math.pi * (tail + bulk))
    assert math.isclose(made("donut", tau).log_z or 0.0, expected, abs_tol=1e-10)


def test_moments_of_sheared_targets_in_closed_form() -> None:
    squiggle = {t.name: t.value for t in made("squiggle").truths()}
    assert math.isclose(squiggle["x1"], 1 - math.exp(-4) * math.sin(2), abs_tol=1e-12)
    rosenbrock = {t.name: t.value for t in made("rosenbrock").truths()}
    assert math.isclose(rosenbrock["x1"], -3, abs_tol=1e-12)
    assert math.isclose(rosenbrock["x1^2"], 12, abs_tol=1e-12)
    banana = {t.name: t.value for t in made("banana").truths()}
    assert math.isclose(banana["x1^2"], 3.25, abs_tol=1e-12)


def test_the_donut_has_finite_derivatives_at_its_centre() -> None:
    x = torch.zeros(1, 2, dtype=torch.float64)
    target = made("donut")
    assert torch.equal(target.score(x), torch.zeros_like(x))
    assert torch.isfinite(target.hvp(x, torch.ones_like(x))).all()


# ---- mixtures ----------------------------------------------------------------------------------


def test_a_mixture_is_what_torch_says_it_is() -> None:
    target = made("random_mixture", 1.0, (("seed", 3),))
    assert isinstance(target, Mixture)
    expected = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(target.weights),
        torch.distributions.MultivariateNormal(target.means, scale_tril=target._spread))
    x = target.scale * torch.randn(200, 2, generator=generator(), dtype=torch.float64)
    torch.testing.assert_close(target.log_prob(x), expected.log_prob(x))


@pytest.mark.parametrize("name", ["gmm4", "gmm40_fab"])
def test_a_mixture_stays_finite_and_right_far_away(name: str) -> None:
    target = made(name).to("cpu", torch.float32)
    x = torch.tensor([[1e3, -2e3], [60.0, 60.0], [-300.0, 5.0]])
    exact = made(name)
    torch.testing.assert_close(target.log_prob(x).double(), exact.log_prob(x.double()),
                               rtol=1e-5, atol=0)
    torch.testing.assert_close(target.score(x).double(), exact.score(x.double()),
                               rtol=1e-4, atol=0)


def test_mode_weights_of_overlapping_components_are_masses_of_cells() -> None:
    """Two unit components at distance 2 meet at 1 - log(w1 / w0) / 2."""
    means, weights = np.array([[0.0, 0.0], [2.0, 0.0]]), np.array([0.3, 0.7])
    target = Mixture(weights, means, np.tile(np.eye(2), (2, 1, 1)), scale=1.5)
    edge = 1.0 - 0.5 * math.log(0.7 / 0.3)
    left = 0.3 * _phi(edge) + 0.7 * _phi(edge - 2)
    assert math.isclose(float(target.mode_weights[0]), left, abs_tol=2e-4)


def _phi(t: float) -> float:
    return 0.5 * (1 + math.erf(t / math.sqrt(2)))


def test_a_hopelessly_cold_mixture_is_left_without_reference() -> None:
    cold = made("gmm4").tempered(0.05)
    assert not cold.has_reference
    assert cold.mode_weights is None


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
def test_a_temperature_is_positive(name: str, temperature: float) -> None:
    with pytest.raises(ValueError, match="temperature must be positive"):
        made(name).tempered(temperature)


def test_random_mixtures_are_many_and_none_is_judged() -> None:
    prints = [fingerprint(made("random_mixture", 1.0, (("seed", s),))) for s in range(30)]
    judged = [fingerprint(made(name)) for name in NAMES if name != "random_mixture"]
    for i, one in enumerate(prints):
        assert not any(same(one, other) for other in prints[:i] + judged)
    counts = {len(made("random_mixture", 1.0, (("seed", s),)).mode_weights) for s in range(30)}
    assert counts == set(range(2, 9))


# ---- the least target, references, identity ----------------------------------------------------


def test_a_users_least_target_works() -> None:
    target = Quartic()
    x = torch.randn(20, 3, generator=generator(), dtype=torch.float64)
    v = torch.ones_like(x)
    torch.testing.assert_close(target.score(x), -4 * x**3)
    torch.testing.assert_close(target.hvp(x, v), -12 * x**2)
    assert not target.has_reference
    assert not target.tempered(2.0).has_reference
    torch.testing.assert_close(target.tempered(2.0).hvp(x, v), -6 * x**2)
    with pytest.raises(NotImplementedError, match="Quartic"):
        target.sample(3, generator())


def test_a_tempered_copy_lives_where_its_base_lives() -> None:
    single = Quartic().to("cpu", torch.float32).tempered(2.0)
    assert single.dtype == torch.float32
    assert made("gmm4").to("cpu", torch.float32).tempered(2.0).sample(
        3, generator()).dtype == torch.float32


def test_a_reference_pool_is_drawn_without_replacement() -> None:
    pool = torch.arange(300, dtype=torch.float64).reshape(100, 3)
    target = Referenced(Quartic(), pool, "made by hand")
    x = target.sample(100, generator(1))
    assert torch.equal(x[:, 0].sort().values, pool[:, 0])
    assert not torch.equal(x, target.sample(100, generator(2)))
    assert torch.equal(target.sample(10, generator(1)), x[:10])
    assert target.has_reference
    assert target.reference_note == "made by hand"
    assert torch.equal(target.log_prob(x), Quartic().log_prob(x))
    assert target.to("cpu", torch.float32).sample(4, generator()).dtype == torch.float32
    with pytest.raises(ValueError, match="the pool holds 100"):
        target.sample(101, generator())


@pytest.mark.parametrize("pool", [torch.zeros(4, 2), torch.zeros(0, 3),
                                  torch.full((4, 3), math.nan)])
def test_a_bad_pool_is_refused(pool: Tensor) -> None:
    with pytest.raises(ValueError, match="reference pool"):
        Referenced(Quartic(), pool, "")


def four(weights: tuple[float, ...], jitter: float = 0.0, shift: float = 0.0) -> Target:
    centres = np.array([[-1.5, -1.5], [-1.5, 1.5], [1.5, -1.5], [1.5, 1.5]]) * (1 + jitter)

    class Shifted(Mixture):
        def log_prob(self, x: Tensor) -> Tensor:
            return super().log_prob(x) + shift

    return Shifted(np.array(weights), centres, np.tile(0.04 * np.eye(2), (4, 1, 1)), scale=1.5)


def test_a_fingerprint_survives_a_refactor_and_sees_a_change() -> None:
    judged = fingerprint(made("gmm4_skewed"))
    assert same(judged, fingerprint(four((0.1, 0.2, 0.3, 0.4), jitter=1e-9, shift=5.0)))
    assert not same(judged, fingerprint(four((0.1, 0.2, 0.301, 0.399))))
    assert not same(judged, fingerprint(four((0.1, 0.2, 0.3, 0.4), jitter=1e-4)))
    assert not same(judged, judged[:-1])
    assert digest(judged) == digest(fingerprint(four((0.1, 0.2, 0.3, 0.4), shift=5.0)))


def test_fingerprints_tell_all_targets_apart_hot_and_cold() -> None:
    prints = [fingerprint(made(name, tau)) for name in NAMES for tau in (1.0, 2.0)]
    assert all(not same(a, b) for i, a in enumerate(prints) for b in prints[:i])
    assert len({digest(values) for values in prints}) == len(prints)


@pytest.mark.parametrize("dim", [1, 2, 7, 60])
def test_probes_are_spread_and_distinct(dim: int) -> None:
    x = probes(dim, 3.0)
    assert x.shape == (16, dim)
    assert float(x.abs().max()) <= 6.0
    assert torch.pdist(x).min() > 0.02
    assert (x.std(0) > 2.0).all()
