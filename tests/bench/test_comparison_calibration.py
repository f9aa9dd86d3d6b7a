"""Under the null few families hold a false claim; without correction nearly all do."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.maintain.comparison_calibration import (
    DISTRIBUTIONS,
    FAMILIES,
    NULLS,
    SIZES,
    coverage,
    errors,
    family,
    null_cells,
    scenarios,
)
from results.comparison.studies import calibration, monte_carlo_error

#: Four standard errors of a rate of 5 %.
SLACK = 4 * math.sqrt(0.05 * 0.95)


@pytest.mark.parametrize("seeds", [3, 8])
def test_correction_keeps_the_family_wise_error_and_its_absence_breaks_it(seeds: int) -> None:
    def make(rng: np.random.Generator) -> dict:
        return dict(null_cells(DISTRIBUTIONS["normal"], rng, seeds, samplers=4, targets=4))

    repeats = 200
    bound = 0.05 + SLACK / math.sqrt(repeats)
    good = family(make, repeats)
    bad = family(make, repeats, corrected=False)
    assert good["either"] <= bound < bad["either"] - 0.02


def test_two_states_do_not_fool_the_tests_of_single_targets() -> None:
    repeats = 100
    found = family(scenarios(10)["two states"], repeats)
    assert found["on a target"] <= 0.05 + SLACK / math.sqrt(repeats)


def test_a_real_difference_is_found_so_that_the_bound_is_not_met_by_silence() -> None:
    rng = np.random.default_rng(9)
    for seeds, singles in ((3, False), (8, True)):
        cells = dict(null_cells(DISTRIBUTIONS["normal"], rng, seeds))
        for (label, target), cell in list(cells.items()):
            if label == "s0":
                moved = {s: v - 3.0 for s, v in cell.values.items()}
                cells[label, target] = type(cell)(cell.n, moved)
        assert errors(cells)[:2] == (True, singles)


def test_coverage_is_nominal_under_a_normal_distribution_and_less_under_the_skewed() -> None:
    normal = coverage(DISTRIBUTIONS["normal"], 6, 10_000)
    skewed = coverage(DISTRIBUTIONS["skewed (lognormal)"], 6, 10_000)
    for kind in ("mean", "difference", "ratio"):
        assert normal[kind] == pytest.approx(0.95, abs=0.01)
    assert skewed["mean"] < 0.9


def test_distributions_have_mean_zero_and_variance_one() -> None:
    rng = np.random.default_rng(10)
    for name, draw in NULLS.items():
        x = draw(rng, (400_000,))
        assert abs(x.mean()) < 0.02, name
        assert x.var() == pytest.approx(1.0, abs=0.25), name


def test_what_is_committed_is_complete_and_keeps_its_promise() -> None:
    found = calibration()
    assert {(r["distribution"], r["n"]) for r in found["coverage"]} == {
        (x, n) for x in DISTRIBUTIONS for n in SIZES}
    assert found["repeats"] >= 20_000
    assert {(r["distribution"], r["seeds"]) for r in found["family"]} == {
        (x, n) for n in FAMILIES for x in scenarios(n)}
    for row in found["family"]:
        assert row["either"] <= 0.05 + 3 * monte_carlo_error(0.05, row["repeats"]), row


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [3, 6, 10])
@pytest.mark.parametrize("name", ["skewed (lognormal)", "two states", "1 sd above the floor"])
def test_the_family_wise_error_holds_for_other_distributions(name: str, seeds: int) -> None:
    found = family(scenarios(seeds)[name], 600, seed=11)
    assert found["either"] <= 0.05 + SLACK / math.sqrt(600)
