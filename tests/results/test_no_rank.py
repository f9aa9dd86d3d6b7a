"""No rank without a floor at its n, nor beyond the budget; nobody is lost without a word."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from results.comparison.break_even import cases
from results.comparison.comparison import compare
from results.presentation.table import Table
from results.records.frames import Scores
from results.records.run_folder import load
from results.report.oracle_gap import oracle_table
from results.report.overview import overview
from results.report.page import render
from results.report.ranking import WEIGHTS, median_ranks, ranking_table, ranks, shares
from results.report.sections.failures import failures_table
from results.report.sections.targets import target_table
from results.report.sentences import findings, verdict, warnings
from results.statistics.metric_result import MetricResult
from results.statistics.null_distribution import usable
from results.statistics.p_value import p_value_of_mean, standing
from tests.support.report_fake import make, unsealed

LABELS = ["ula", "hmc", "drifting", "exact", "initial"]
Line = dict[str, Any]


def changed(folder: Path, change: Callable[[Line], None]) -> Scores:
    """The run with each of its lines changed."""
    path = folder / "records.jsonl"
    lines = [json.loads(x) for x in unsealed(path.read_text(encoding="utf-8")).splitlines()]
    for line in lines:
        change(line)
    path.write_text("".join(json.dumps(x) + "\n" for x in lines), encoding="utf-8")
    return Scores(load(folder))


def words(table: Table, row: str) -> str:
    return " ".join(text for _, _, cells in table.lines if cells[0].text == row
                    for c in cells for text in (c.text, c.seeds) if text)


# ---- no floor at its number of points -----------------------------------------------------------


def _fewer(line: Line) -> None:
    """Langevin draws one point less than it was asked for, at every checkpoint."""
    if line["sort"] == "measure" and line["key"].startswith("ula-"):
        line["n"] -= 1


@pytest.fixture(scope="module")
def fewer(tmp_path_factory: pytest.TempPathFactory) -> Scores:
    folder = make(tmp_path_factory.mktemp("few") / "run", LABELS, ["gmm4", "banana"],
                  trouble=False, quality={"ula": 0.5, "hmc": 0.02})
    return changed(folder, _fewer)


def test_without_a_floor_at_its_n_there_is_no_excess_and_no_rank(fewer: Scores) -> None:
    """The raw MMD^2 of 999 points counted as an excess: 'Best: ula', place 1 in every ranking."""
    score = fewer.final("ula", "gmm4", "mmd")
    assert score is not None and score.excess is None and score.verdict == "unknown"
    assert set(ranks(fewer, "gmm4", "mmd")) == {"hmc", "drifting"}
    assert "ula" not in median_ranks(fewer, "mmd")
    assert all("ula" not in shares(fewer, "mmd", w) for w in WEIGHTS)
    assert verdict(fewer).startswith("Best at 5s by MMD²: hmc")
    assert all("closest is hmc" in text for _, text in findings(fewer))
    assert "drifting" in {c.label for c in cases(fewer)} and not any(
        "ula" in c.rivals for c in cases(fewer))


def test_every_place_says_why_and_what_to_do(fewer: Scores) -> None:
    assert "no floor at n = 4999" in words(overview(fewer, "mmd"), "ula")
    ranking = words(ranking_table(fewer, "mmd"), "ula")
    assert "not ranked no floor at n = 4999: gmm4, banana" in ranking and "no rank" in ranking
    table = target_table(fewer, "gmm4", ["mmd"])
    assert "no floor at n = 4999" in words(table, "ula")
    advice = "declares how many in points(n)"
    assert any(advice in note for note in table.notes)
    assert any(advice in w and "ula on gmm4 (n = 4999)" in w for w in warnings(fewer))
    gaps = oracle_table(fewer, "mmd")
    assert gaps is not None and "%" not in words(gaps, "ula").split("gap")[0]


def test_a_comparison_leaves_it_out_and_says_so(fewer: Scores) -> None:
    made = compare([fewer.run.path])
    assert ("ula", "gmm4") not in made.aligned.seed_values("mmd")
    assert any("ula on gmm4: no floor at n = 4999" in note for note in made.aligned.notes)
    assert "ula looks best" not in made.sentence
    by_ksd = compare([fewer.run.path], metric="ksd").aligned.seed_values("ksd")
    assert ("ula", "gmm4") not in by_ksd


def test_without_a_floor_on_one_target_it_is_last_there(tmp_path: Path) -> None:
    """Points that cannot be judged where a target is hard must not make a rank better."""
    folder = make(tmp_path / "run", LABELS, ["gmm4", "banana"], trouble=False,
                  quality={"ula": 0.0, "hmc": 0.0, "drifting": 0.1})
    found = changed(folder, lambda x: _fewer(x) if "banana" in x["key"] else None)
    assert ranks(found, "gmm4", "mmd")["ula"] == 1
    assert median_ranks(found, "mmd")["ula"] == 2.0  # the median of 1 and 3
    assert "Statistically indistinguishable from exact samples: hmc on 2 of 2" in verdict(found)


def test_a_target_without_any_floor_is_ordered_as_before(tmp_path: Path) -> None:
    made = compare([make(tmp_path / "run", ["ula", "hmc"], ["mine"], trouble=False)])
    assert made.aligned.metric == "ksd" and len(made.aligned.seed_values("ksd")) == 2


def test_seeds_at_other_numbers_of_points_are_named_and_never_averaged(tmp_path: Path) -> None:
    """They were dropped without a word."""
    folder = make(tmp_path / "run", LABELS, ["gmm4"], trouble=False)

    def change(line: Line) -> None:
        if line["sort"] == "measure" and line["key"] == "ula-gmm4-1" and line["n"] == 5000:
            line |= {"n": 4990, "value": 7.0}

    found = changed(folder, change)
    score = found.final("ula", "gmm4", "mmd")
    assert score is not None and score.seeds == (0, 2) and max(score.values) < 1
    said = "seed 1 (n = 4990)"
    assert said in words(target_table(found, "gmm4", ["mmd"]), "ula")
    assert said in words(overview(found, "mmd"), "ula")
    assert any("ula on gmm4: seed 1 (n = 4990)" in w for w in warnings(found))
    table = ranks(found, "gmm4", "mmd")
    assert table["ula"] == max(table.values()) > table["drifting"]
    assert np.isinf(compare([folder]).aligned.seed_values("mmd")["ula", "gmm4"].values[1])


def test_seeds_that_no_metric_judged_are_named(tmp_path: Path) -> None:
    folder = make(tmp_path / "run", LABELS, ["gmm4"], trouble=False)
    path = folder / "records.jsonl"
    kept = [x for x in unsealed(path.read_text()).splitlines()
            if not ('"sort":"measure"' in x and ("ula-gmm4" in x or "hmc-gmm4-2" in x))]
    path.write_text("\n".join(kept) + "\n")
    found = Scores(load(folder))
    assert "not scored" in words(overview(found, "mmd"), "ula")
    assert "not scored" in words(target_table(found, "gmm4", ["mmd"]), "ula")
    assert "seed 2 (not scored)" in words(target_table(found, "gmm4", ["mmd"]), "hmc")
    assert any("hmc on gmm4: seed 2 (not scored)" in w for w in warnings(found))


# ---- beyond the budget, and no work at all ------------------------------------------------------


@pytest.fixture(scope="module")
def spent(tmp_path_factory: pytest.TempPathFactory) -> Scores:
    folder = make(tmp_path_factory.mktemp("over") / "run", LABELS, ["gmm4", "banana"],
                  trouble=False, quality={"ula": 0.0, "hmc": 0.02, "drifting": 0.03})

    def change(line: Line) -> None:
        if line["sort"] == "job" and line["label"] == "ula":
            line["overshoot"] = 9.51
        if line["sort"] == "job" and line["label"] == "drifting":
            line["overshoot"] = 0.09

    return changed(folder, change)


def test_a_job_far_over_its_budget_is_shown_named_and_not_ranked(spent: Scores) -> None:
    """It was 'Best', place 1 everywhere, and the summary named nobody."""
    assert "ula" not in ranks(spent, "gmm4", "mmd") and "ula" not in median_ranks(spent, "mmd")
    assert all("ula" not in shares(spent, "mmd", w) for w in WEIGHTS)
    assert verdict(spent).startswith("Best at 5s by MMD²: hmc")
    assert any("ula on gmm4 by 951 % and ula on banana by 951 %" in w for w in warnings(spent))
    assert "over-budget" in words(overview(spent, "mmd"), "ula")
    shown = words(target_table(spent, "gmm4", ["mmd"]), "ula")
    assert "over-budget" in shown and "3 over-budget" in shown and "p " in shown
    assert "over-budget: gmm4, banana" in words(ranking_table(spent, "mmd"), "ula")
    failures = failures_table(spent.run)
    assert failures is not None and len(failures.rows) == 6
    made = compare([spent.run.path])
    assert "ula" not in made.aligned.labels
    assert any("ula (over-budget on gmm4)" in note for note in made.aligned.notes)


def test_a_tenth_is_still_ranked(spent: Scores) -> None:
    assert "drifting" in ranks(spent, "gmm4", "mmd")
    assert any("3 jobs overshot" not in w and "6 jobs overshot" in w for w in warnings(spent))


def test_one_seed_over_its_budget_counts_as_failed(tmp_path: Path) -> None:
    folder = make(tmp_path / "run", LABELS, ["gmm4"], trouble=False, quality={"ula": 0.0})
    found = changed(folder, lambda x: x.update(overshoot=1.0) if (
        x["sort"] == "job" and x["key"] == "ula-gmm4-1") else None)
    score = found.final("ula", "gmm4", "mmd")
    assert score is not None and score.seeds == (0, 2)
    table = ranks(found, "gmm4", "mmd")
    assert table["ula"] == max(table.values()) > 1
    assert "2 ok, 1 over-budget" in words(target_table(found, "gmm4", ["mmd"]), "ula")


@pytest.mark.parametrize(("change", "said"), [
    ({"steps": 0}, "made no step"),
    ({"train": {"seconds": 1.0}}, "evaluated nothing")])
def test_a_job_that_did_nothing_is_marked_in_every_table(
        tmp_path: Path, change: Line, said: str) -> None:
    folder = make(tmp_path / "run", LABELS, ["gmm4"], trouble=False)
    found = changed(folder, lambda x: x.update(change) if (
        x["sort"] == "job" and x["label"] == "drifting" and x["seed"] == 0) else None)
    assert any(f"drifting {said} in 1 job" in w for w in warnings(found))
    assert f"drifting (1 of 3 {said})" in dict(findings(found))["gmm4"]
    _, text = render(found.run)
    rows = [x for x in text.splitlines() if x.startswith("| drifting ")]
    assert len(rows) > 8 and all(f"1 of 3 {said}" in x for x in rows), rows
    assert not [x for x in text.splitlines() if x.startswith("| exact ") and said in x]


# ---- a test that cannot reject ------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 10, 18])
def test_a_floor_of_few_draws_gives_no_verdict(count: int) -> None:
    """Ten draws and one seed: 'indistinguishable from exact samples', whatever the value."""
    draws = np.random.default_rng(0).standard_normal(count)
    for values in ([50.0], [50.0] * 5, [-50.0], [0.0] * 3):
        assert standing(values, draws) == "unknown"
    score = MetricResult("a", "t", "mmd", 100, (0,), (50.0,), draws)
    assert (score.verdict, score.p, score.excess, score.floor) == ("unknown", None, None, None)


def test_nineteen_draws_can_tell_above_and_thirty_nine_below() -> None:
    draws = np.linspace(0, 1, 19)
    assert standing([2.0], draws) == "above" and standing([0.5], draws) == "floor"
    assert standing([-9.0], draws) == standing([-9.0] * 5, draws) == "floor"
    assert standing([-9.0], np.linspace(0, 1, 39)) == "below"


def test_what_is_no_number_cannot_tell() -> None:
    draws = np.linspace(0, 1, 40)
    assert standing([float("nan")], draws) == "unknown"
    assert usable(np.append(draws, np.nan)) is None and usable(None) is None
    assert p_value_of_mean([1.0, 2.0], np.empty(0)) == 1.0


def test_a_floor_without_spread_still_tells() -> None:
    """Exact samples always miss no mode: a missed one is seen."""
    assert standing([1.0], np.zeros(19)) == "above" and standing([0.0], np.zeros(19)) == "floor"


def test_a_run_with_ten_draws_says_so_and_calls_nobody_good(tmp_path: Path) -> None:
    folder = make(tmp_path / "run", LABELS, ["gmm4"], seeds=1, draws=10, trouble=False,
                  quality={"ula": 5.0})
    for file in (folder / "floors").glob("*.npz"):
        with np.load(file) as data:
            few = {k: data[k][:10] if data[k].ndim else data[k] for k in data.files}
        np.savez(file, **few)
    found = Scores(load(folder))
    assert verdict(found) == "" and not ranks(found, "gmm4", "mmd")
    assert any("10 floor draws cannot reject at 0.05: draw at least 19" in w
               for w in warnings(found))
    page, text = render(found.run)
    body = text.split("Each cell:")[0] + text.split("everywhere.")[1]
    assert "≈ floor" not in body and "indistinguishable from exact samples." not in body
    assert "10 floor draws cannot reject" in words(overview(found, "mmd"), "ula")


# ---- no second moments --------------------------------------------------------------------------


def test_infinite_variance_is_said_where_second_moments_are_printed(tmp_path: Path) -> None:
    folder = make(tmp_path / "run", LABELS, ["gmm4", "banana"], trouble=False)
    header = json.loads((folder / "run.json").read_text())
    header["targets"]["gmm4"]["finite_variance"] = False
    (folder / "run.json").write_text(json.dumps(header))
    found = Scores(load(folder))
    said = "gmm4 has infinite variance: what W2 would estimate is not finite here"
    assert any(said in note for note in target_table(found, "gmm4", ["mmd", "w2"]).notes)
    assert not any("variance" in note for note in target_table(found, "gmm4", ["mmd"]).notes)
    assert "sliced W2 and covariance error" in render(found.run)[1]
    assert not any("variance" in n for n in target_table(found, "banana", ["w2"]).notes)
