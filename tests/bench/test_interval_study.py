"""Intervals of a mean: what Student's holds where one sampler is skewed, and that pages say it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.maintain.interval_study import WAYS, distributions
from results.comparison.comparison import compare
from results.comparison.page import render
from results.comparison.studies import INTERVAL_SIZES, SKEWED, interval_caution, intervals
from results.comparison.study_tables import study_tables
from results.records.run_folder import load
from results.report.page import render as report
from tests.support.report_fake import make


def test_the_committed_rows_are_what_the_program_gives() -> None:
    found = intervals()
    assert [(r["distribution"], r["n"]) for r in found["rows"]] == [
        (x, n) for x in distributions() for n in INTERVAL_SIZES]
    assert all(list(r["ways"]) == list(WAYS) for r in found["rows"])
    for name in ("normal", SKEWED, "floor, paired"):
        x = distributions()[name](np.random.default_rng(11), (8000, 10))
        row = next(r for r in found["rows"] if (r["distribution"], r["n"]) == (name, 10))
        for way in ("t", "Johnson", "Hall", "t and Hall"):
            low, high = WAYS[way](x, np.random.default_rng(0))
            held = np.mean((low <= 0) & (high >= 0))
            assert held == pytest.approx(row["ways"][way][0], abs=0.015)


def test_one_skewed_sampler_beside_one_at_the_floor_is_a_row_of_the_table() -> None:
    """The page said 92 to 94 % of skewed differences; with one at the floor it is 83 and 84."""
    rows = {row[1].text: row[3].text for row in study_tables()[0].rows
            if row[0].text == SKEWED}
    assert rows.keys() == {"6", "10", "20"}
    assert 80 < float(rows["6"].split()[0]) < 86 and 82 < float(rows["10"].split()[0]) < 87


def test_no_other_interval_holds_what_it_says_for_six_or_ten_skewed_seeds() -> None:
    """Why t was kept; the day a way does, this fails and it may be adopted."""
    held = [v[0] for r in intervals()["rows"] if r["distribution"] == SKEWED and r["n"] <= 10
            for v in r["ways"].values()]
    assert max(held) < 0.93


def test_pages_say_it_where_intervals_are_shown(tmp_path: Path) -> None:
    folder = make(tmp_path / "run", ["ula", "hmc"], ["gmm4"], seeds=6, trouble=False)
    assert "83 % of cases at 6 seeds and in 84 % at 10" in interval_caution()
    for text in (*report(load(folder)), *render(compare([folder]))):
        assert interval_caution() in text
