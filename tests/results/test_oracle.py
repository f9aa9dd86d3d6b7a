"""The oracle gap: per job, on one n, beside what selection alone gives."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from results.records.frames import Scores
from results.records.run_folder import load
from results.report.oracle_gap import gap, oracle_table, selection_gap
from results.report.ranking import median_ranks
from tests.support.report_fake import make


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Scores:
    return Scores(load(make(tmp_path_factory.mktemp("run") / "x",
                            ["ula", "mala", "svgd", "hmc", "dft", "exact", "initial"],
                            ["gmm4", "banana", "gmm40_fab", "mine"])))


def test_selection_alone_is_the_mean_over_all_choices() -> None:
    draws = np.array([3.0, 1.0, 4.0, 1.5, 9.0, 2.6])
    for k in (1, 2, 3, 6):
        least = np.mean([min(c) for c in itertools.combinations(draws, k)])
        assert selection_gap(draws, k) == pytest.approx(draws.mean() - least)
    assert np.isnan(selection_gap(draws, 7))


def test_the_gap_is_taken_in_each_job_and_never_negative(scores: Scores) -> None:
    found = gap(scores, "mala", "banana", "mmd")
    assert found is not None and found.jobs == 3 and found.checkpoints == 5
    curve = scores.curve("mala", "banana", "mmd")
    values = np.array([p.score.values for p in curve])
    assert found.last == pytest.approx(values[-1].mean())
    assert found.best == pytest.approx(values.min(axis=0).mean())
    # The best checkpoint of the mean curve is another, larger number.
    assert found.best <= values.mean(axis=1).min()
    assert found.gap >= 0


def test_a_sampler_at_the_floor_gains_about_what_selection_gives(tmp_path: Path) -> None:
    flat = Scores(load(make(tmp_path / "x", ["svgd", "initial"], ["banana", "gmm4"], seeds=40,
                            trouble=False, quality={"svgd": 1.0, "initial": 1.0})))
    # A defect of one at each checkpoint: independent looks at one law, as the guide assumes.
    found = gap(flat, "svgd", "banana", "mmd")
    assert found is not None and found.gap == pytest.approx(found.noise, rel=0.35)


def test_failed_jobs_have_no_oracle(scores: Scores) -> None:
    found = gap(scores, "svgd", "banana", "mmd")
    assert found is not None and found.jobs == 2
    assert gap(scores, "hmc", "gmm40_fab", "mmd") is None
    # Unaffordable: it left a whole curve, and still did not end well.
    assert gap(scores, "dft", "gmm4", "mmd") is None


def test_the_table_marks_annealers_and_changes_no_ranking(scores: Scores) -> None:
    before = median_ranks(scores, "mmd")
    table = oracle_table(scores, "mmd")
    assert table is not None and table.folded
    marks = {row[0].text: row[0].seeds for row in table.rows}
    assert marks == {"ula": "", "mala": "one run", "svgd": "", "hmc": "", "dft": ""}
    assert median_ranks(scores, "mmd") == before
    assert oracle_table(scores, "mean_error") is None


def test_without_a_floor_there_is_a_gap_but_no_guide(scores: Scores) -> None:
    found = gap(scores, "ula", "mine", "ksd")
    assert found is not None and np.isnan(found.noise) and found.gap >= 0
    table = oracle_table(scores, "ksd")
    assert table is not None and "mine" in [c.title for c in table.columns]
