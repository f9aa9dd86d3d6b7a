"""Floors: p-values have their stated level, ties are kept, intervals are t-intervals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from results.statistics.confidence_interval import half_width
from results.statistics.metric_result import MetricResult
from results.statistics.null_distribution import band
from results.statistics.p_value import p_value, p_value_of_mean, p_value_of_mean_below


def null_draws(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Draws of a skewed null distribution around zero, like the unbiased MMD's."""
    return rng.gamma(2.0, 1.0, shape) - 2.0


@pytest.mark.parametrize("seeds", [1, 3, 5, 10])
def test_exact_samples_are_rejected_at_the_stated_rate(seeds: int) -> None:
    rng = np.random.default_rng(seeds)
    trials, rejected, low = 1500, 0, 0
    for _ in range(15):
        draws = null_draws(rng, 1000)
        for values in null_draws(rng, trials // 15, seeds):
            rejected += p_value_of_mean(list(values), draws) <= 0.05
            low += p_value_of_mean_below(list(values), draws) <= 0.025
    # Bands of four standard errors, widened since the null distribution is estimated from 1,000
    # draws.
    assert abs(rejected / trials - 0.05) < 0.03
    assert abs(low / trials - 0.025) < 0.022


def test_a_mean_is_judged_by_the_distribution_of_means_not_of_single_values() -> None:
    rng = np.random.default_rng(0)
    draws = null_draws(rng, 1000)
    value = float(np.quantile(draws, 0.9))
    assert p_value_of_mean([value], draws) == pytest.approx(0.1, abs=0.01)
    assert p_value_of_mean([value] * 5, draws) < 0.01


def test_the_p_value_of_a_single_value_is_the_closed_form() -> None:
    draws = np.arange(99.0)
    assert p_value(98.0, draws) == 2 / 100
    assert p_value(98.5, draws) == 1 / 100
    assert p_value(-1.0, draws) == 1.0
    assert p_value_of_mean([98.0], draws) == p_value(98.0, draws)


def test_a_power_exists_a_shift_of_three_standard_errors_is_seen() -> None:
    rng = np.random.default_rng(1)
    draws = null_draws(rng, 1000)
    shift = 3 * np.sqrt(2.0) / np.sqrt(3)
    rejected = [p_value_of_mean(list(v + shift), draws) <= 0.05 for v in null_draws(rng, 300, 3)]
    assert np.mean(rejected) > 0.8


def test_ties_with_a_floor_without_spread_are_at_the_floor() -> None:
    draws = np.zeros(1000)
    at = MetricResult("a", "t", "missing_modes", 5000, (0, 1, 2), (0.0, 0.0, 0.0), draws)
    over = MetricResult("a", "t", "missing_modes", 5000, (0, 1, 2), (0.0, 1.0, 0.0), draws)
    assert (at.verdict, at.excess) == ("floor", 0.0)
    assert over.verdict == "above"
    assert over.excess == pytest.approx(1 / 3)


def test_values_below_the_floor_are_said_to_be_below_and_have_no_excess() -> None:
    draws = np.random.default_rng(2).normal(1.0, 0.1, 1000)
    low = MetricResult("a", "t", "w2", 2000, (0, 1, 2), (0.5, 0.5, 0.5), draws)
    assert (low.verdict, low.excess) == ("below", 0.0)


def test_an_interval_needs_six_seeds_and_is_the_t_interval() -> None:
    values = [1.0, 2.0, 4.0, 3.0, 2.5, 2.0]
    assert half_width(values[:5]) is None
    low, high = stats.t.interval(0.95, 5, np.mean(values), stats.sem(values))
    assert half_width(values) == pytest.approx((high - low) / 2)


def test_the_band_holds_its_mass() -> None:
    draws = np.linspace(0.0, 1.0, 1001)
    assert band(draws) == pytest.approx((0.025, 0.5, 0.975))


def test_a_p_value_does_not_depend_on_when_it_is_asked_for() -> None:
    draws = null_draws(np.random.default_rng(3), 500)
    first = p_value_of_mean([0.3, 0.4, 0.5], draws)
    p_value_of_mean([1.0, 2.0], draws)
    assert p_value_of_mean([0.5, 0.4, 0.3], draws[::-1]) == first
