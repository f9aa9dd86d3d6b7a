"""Paired statistics: against hand-computed values, SciPy's own, and their symmetries."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from results.statistics.confidence_interval import fieller, interval_of_mean
from results.statistics.multiple_testing import holm
from results.statistics.p_value import p_value_of_mean
from results.statistics.paired_t_test import GUARD, applies, guarded
from results.statistics.paired_values import PairedValues, SeedValues, above_floor
from results.statistics.power import (
    MOST_SEEDS,
    seeds_for_sign_flip,
    seeds_for_t_test,
    t_test_power,
)
from results.statistics.ranks import cliques, critical_difference, friedman
from results.statistics.sign_flip_test import DRAWN, SignFlip, sign_flip

FAIL = math.inf


def pair(a: list[float], b: list[float], draws: np.ndarray | None = None) -> PairedValues:
    one, two = (SeedValues(100, dict(enumerate(v)), draws) for v in (a, b))
    return PairedValues(one, two)


def test_three_seeds_in_one_direction_have_p_a_quarter() -> None:
    found = sign_flip([[pair([1.0, 2.0, 3.0], [2.0, 4.0, 6.0])]])
    assert found.statistic == -6.0
    assert found.p == found.least == 2 / 8
    two = sign_flip([[pair([1.0, 2.0], [2.0, 4.0])], [pair([1.0], [2.0])]])
    assert (two.statistic, two.p) == (-4.0, 2 / 8)


def test_a_p_value_by_hand_with_one_seed_against_the_rest() -> None:
    # Ranks 1, 2, 3 with signs -, +, + : sum 4; of the 8 sums +-1 +-2 +-3 four reach it: +-4, +-6.
    found = sign_flip([[pair([0.0, 2.0, 3.0], [1.0, 0.0, 0.0])]])
    assert (found.statistic, found.p) == (4.0, 4 / 8)
    assert found.sd == pytest.approx(math.sqrt(1 + 4 + 9))


@pytest.mark.parametrize("n", [6, 9, 12])
def test_on_one_target_it_is_scipys_exact_signed_rank_test(n: int) -> None:
    rng = np.random.default_rng(n)
    a, b = rng.normal(size=n), rng.normal(0.4, 1, n)
    mine = sign_flip([[pair(a.tolist(), b.tolist())]])
    assert mine.p == pytest.approx(stats.wilcoxon(a, b, method="exact").pvalue, abs=1e-12)


def test_over_targets_it_is_scipys_permutation_test_of_the_summed_ranks() -> None:
    rng = np.random.default_rng(5)
    blocks = [(rng.normal(size=4), rng.normal(0.5, 1, 4)) for _ in range(2)]
    mine = sign_flip([[pair(a.tolist(), b.tolist())] for a, b in blocks])

    def statistic(x: np.ndarray, y: np.ndarray) -> float:
        parts = [(x - y)[:4], (x - y)[4:]]
        return float(sum((np.sign(d) * stats.rankdata(np.abs(d))).sum() for d in parts))

    a, b = (np.concatenate([block[i] for block in blocks]) for i in (0, 1))
    theirs = stats.permutation_test((a, b), statistic, permutation_type="samples",
                                    n_resamples=np.inf, alternative="two-sided")
    assert mine.statistic == theirs.statistic
    # SciPy doubles the smaller tail; the distribution is symmetric, so both are the same.
    assert mine.p == pytest.approx(theirs.pvalue, abs=1e-12)


def test_many_seeds_are_drawn_and_agree_with_the_exact_distribution() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=16), rng.normal(0.6, 1, 16)
    mine = sign_flip([[pair(a.tolist(), b.tolist())]])
    exact = stats.wilcoxon(a, b, method="exact").pvalue
    assert mine.p == pytest.approx(exact, abs=5 * math.sqrt(exact / DRAWN))
    assert mine.least == 1 / (DRAWN + 1)


def test_swapping_the_samplers_turns_the_sign_and_nothing_else() -> None:
    rng = np.random.default_rng(2)
    floor = np.sort(rng.gamma(2.0, 1.0, 1000) - 2.0)
    for draws in (None, floor):
        blocks = [[pair([*rng.normal(1, 1, 4), FAIL], [*rng.normal(2, 1, 4), 1.0], draws)]
                  for _ in range(3)]
        one = sign_flip(blocks)
        two = sign_flip([[PairedValues(p.b, p.a) for p in block] for block in blocks])
        assert two.statistic == -one.statistic
        assert (two.p, two.least, two.sd) == pytest.approx((one.p, one.least, one.sd))


def test_a_failed_seed_is_the_worst_and_two_failures_are_a_tie() -> None:
    p = pair([FAIL, 1.0, 1.0, FAIL], [5.0, 9.0, 0.5, FAIL])
    assert (p.signed_ranks / 2).tolist() == [4.0, -3.0, 2.0, 0.0]
    worst = pair([FAIL] * 3, [1e9] * 3)
    assert sign_flip([[worst]]).statistic == 6.0


def test_a_sampler_that_failed_everywhere_is_compared_although_it_has_no_n() -> None:
    dead = SeedValues(0, {0: FAIL, 1: FAIL})
    alive = SeedValues(100, {0: 1.0, 1: 2.0}, np.zeros(10))
    assert PairedValues(dead, alive).comparable and PairedValues(alive, dead).comparable
    assert sign_flip([[PairedValues(dead, alive)]]).statistic == 3.0


def test_two_samplers_at_the_floor_are_tied_whatever_their_difference() -> None:
    draws = np.sort(np.random.default_rng(3).normal(size=1000))
    a, b = [-0.6, -0.5, -0.4], [0.1, 0.2, 0.3]
    assert pair(a, b, draws).tied and not pair(a, b).tied
    assert sign_flip([[pair(a, b, draws)]]) == SignFlip(0.0, 0.0, 1.0, 1.0)
    # A failure counts even where all else is tied.
    assert sign_flip([[pair([*a, FAIL], [*b, 0.0], draws)]]).statistic == 4.0
    assert not pair(a, [5.0, 5.0, 5.1], draws).tied


def test_what_is_above_the_floor_is_what_the_floors_say() -> None:
    rng = np.random.default_rng(4)
    draws = np.sort(rng.gamma(2.0, 1.0, 1000) - 2.0)
    for values in rng.gamma(2.0, 1.0, (60, 3)) - 1.3:
        above = above_floor(np.array([values.mean()]), draws, 3)[0]
        assert above == (p_value_of_mean(list(values), draws) <= 0.05)


def test_ties_are_judged_anew_under_every_exchange() -> None:
    # Observed: a at the floor, b above. Exchanging one seed puts both at the floor: its sum is 0.
    draws = np.linspace(-1.0, 1.0, 1001)
    p = pair([-0.9, -0.9], [1.0, 0.98], draws)
    signs = np.array(list(itertools.product((1, -1), repeat=2)), dtype=np.int8)
    assert not p.tied
    assert np.flatnonzero(p.rank_statistic(signs)).tolist() == [0, 3]


def test_unequal_n_is_compared_over_each_ones_own_floor() -> None:
    near, far = np.full(1000, 1.0), np.full(1000, 3.0)
    p = PairedValues(SeedValues(5000, {0: 1.5}, near), SeedValues(500, {0: 3.2}, far))
    assert p.differences.tolist() == pytest.approx([0.3])
    assert not PairedValues(SeedValues(5000, {0: 1.5}), SeedValues(500, {0: 3.2}, far)).comparable


def test_the_interval_of_a_difference_is_the_paired_t_interval() -> None:
    rng = np.random.default_rng(6)
    a, b = rng.normal(size=7), rng.normal(size=7)
    found = interval_of_mean(pair(a.tolist(), b.tolist()).differences)
    bounds = stats.ttest_rel(a, b).confidence_interval()
    assert found is not None and (found.low, found.high) == pytest.approx(tuple(bounds))
    assert interval_of_mean(pair(a[:5].tolist(), b[:5].tolist()).differences) is None
    same = interval_of_mean(pair([1.0] * 6, [2.0] * 6).differences)
    assert same is not None and not same.bounded


def test_fiellers_ends_are_the_ratios_a_t_test_just_rejects() -> None:
    rng = np.random.default_rng(7)
    a, b = rng.normal(2, 0.5, 8), rng.normal(3, 0.5, 8)
    found = fieller(a, b)
    assert found.bounded and found.low < np.mean(a) / np.mean(b) == found.value < found.high
    for end in (found.low, found.high):
        assert stats.ttest_1samp(a - end * b, 0.0).pvalue == pytest.approx(0.05, abs=1e-9)
    turned = fieller(b, a)
    assert (1 / turned.high, 1 / turned.low) == pytest.approx((found.low, found.high))


def test_fieller_is_unbounded_where_the_divisor_may_be_zero() -> None:
    a, b = np.array([1.0, 2.0, 3.0]), np.array([-1.0, 2.0, 0.4])
    assert stats.ttest_1samp(b, 0.0).pvalue > 0.05
    assert not fieller(a, b).bounded
    assert not fieller(a, b - b.mean()).bounded


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_power_and_seeds_agree_with_the_textbook() -> None:
    # Cohen's d = 0.5, 5 %, two-sided: 34 pairs for 80 % power (G*Power 3.1 gives the same).
    d = np.array([-1.0, 1.0]) / math.sqrt(2) + 0.5
    assert seeds_for_t_test(d, 0.05 * GUARD) == 34
    assert t_test_power(34, 0.5, 0.05) == pytest.approx(0.808, abs=1e-3)
    assert seeds_for_t_test(d + 100, 0.05) == 6
    # At 0.05 / 180 six seeds are too few, whatever the effect: 2 / 4^6 is above it.
    assert seeds_for_t_test(d + 100, 0.05 / 180) == 7
    assert seeds_for_t_test(d - 0.49, 0.05) is None
    assert seeds_for_t_test(np.array([0.0, 0.0]), 0.05) is None


@pytest.mark.parametrize("n", [6, 7, 8, 10, 12, 16])
def test_guarded_t_tests_hold_for_coin_tosses_and_plain_ones_do_not(n: int) -> None:
    outcomes = []
    for up, down in itertools.product(range(n + 1), repeat=2):
        rest = n - up - down
        if rest >= 0 and up + down:
            d = np.repeat([1.0, -1.0, 0.0], [up, down, rest])
            p = 0.0 if np.ptp(d) == 0 else float(stats.ttest_1samp(d, 0.0).pvalue)
            ways = math.comb(n, up) * math.comb(n - up, down)
            outcomes.append((p, ways * 0.25**(up + down) * 0.5**rest))
    for level in (0.025 / 600, 0.025 / 336, 0.025 / 90, 0.025 / 10):
        assert sum(probability for p, probability in outcomes if guarded(p, n) <= level) <= level
    # The plain test errs more than it says at what six samplers on six targets need.
    errs = sum(probability for p, probability in outcomes if p <= 0.025 / 90)
    assert errs > 0.025 / 90 or n in (7, 12, 16)


def test_power_of_the_forecast_is_reached_in_simulation() -> None:
    rng = np.random.default_rng(8)
    d = rng.normal(0.5, 1.0, (20_000, 34))
    seen = np.mean(stats.ttest_1samp(d, 0.0, axis=1).pvalue <= 0.05)
    assert seen == pytest.approx(0.808, abs=0.012)


def test_a_forecast_for_the_sign_flip_test_grows_with_the_level_and_is_capped() -> None:
    flip = SignFlip(-3.0, math.sqrt(14.0), 0.5, 0.25)
    wanted = (1.959964 + 0.841621) ** 2 * 3 * 14 / 9
    assert seeds_for_sign_flip(flip, 3, 0.05) == math.ceil(wanted)
    assert (seeds_for_sign_flip(flip, 3, 0.005) or 0) > math.ceil(wanted)
    assert seeds_for_sign_flip(SignFlip(-0.1, 10.0, 0.9, 0.1), 3, 0.05) is None
    assert seeds_for_sign_flip(SignFlip(0.0, 1.0, 1.0, 0.1), 3, 0.05) is None
    assert MOST_SEEDS == 1000


def test_equal_differences_and_failures_do_not_go_to_the_t_test() -> None:
    assert applies(pair([1.0, 2.0, 4.0], [0.0, 0.0, 0.0]))
    assert not applies(pair([1.0, 2.0, 3.0], [0.0, 1.0, 0.0]))
    assert not applies(pair([1.0, 2.0, FAIL], [0.0, 0.5, 0.0]))


def test_the_critical_difference_is_demsars_table() -> None:
    # Demsar (2006), table 5a, level 5 %: 1.960, 2.569 and 3.164 for 2, 4 and 10 samplers.
    for k, q in ((2, 1.960), (4, 2.569), (10, 3.164)):
        assert critical_difference(k, 14) == pytest.approx(q * math.sqrt(k * (k + 1) / 84),
                                                           rel=1e-3)


def test_friedman_is_one_where_all_are_tied_and_undefined_for_two() -> None:
    assert friedman(np.full((4, 3), 2.0)) == 1.0
    assert math.isnan(friedman(np.array([[1.0, 2.0], [1.0, 2.0]])))
    assert friedman(np.array([[1.0, 2.0, 3.0]] * 6)) < 0.01


def test_groups_are_the_maximal_sets_without_a_shown_difference() -> None:
    apart = [frozenset("ac"), frozenset("ad"), frozenset("bd")]
    assert cliques("abcd", apart) == [("a", "b"), ("b", "c"), ("c", "d")]
    assert cliques("ab", []) == [("a", "b")]
    many = [f"s{i:02d}" for i in range(40)]  # without a pivot 2^40 sets are visited
    assert cliques(many, []) == [tuple(many)]
    assert cliques(many, [frozenset(many[:2])]) == [(many[0], *many[2:]), tuple(many[1:])]
    # a and c do not differ significantly although b, between them, differs from both.
    assert cliques("abc", [frozenset("ab"), frozenset("bc")]) == [("a", "c"), ("b",)]
