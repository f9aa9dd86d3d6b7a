"""Tables: failures stay, ties at the floor share a place, weights change what is equal."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from results.presentation.palette import COLOURS, SHADES, colour
from results.presentation.table import Table, count, duration, number, points
from results.records.families import FAMILIES
from results.records.frames import Scores
from results.records.run_folder import Run, load
from results.records.schema import Checkpoint
from results.report.overview import overview, share_left
from results.report.ranking import WEIGHTS, median_ranks, ranks, shares
from results.report.sections.failures import failures_table, missing_table
from results.report.sections.reproduction import command
from results.report.sections.targets import target_table
from results.report.sentences import findings, verdict, warnings
from tests.support.report_fake import make, unsealed


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Scores:
    return Scores(load(make(tmp_path_factory.mktemp("run"))))


def words(table: Table, row: str) -> list[str]:
    """All that stands in the row of a name."""
    return [text for _, _, cells in table.lines if row in [c.text for c in cells[:2]]
            for c in cells for text in (c.text, c.seeds) if text]


def test_a_failed_run_stands_in_every_place_that_compares(scores: Scores) -> None:
    table = target_table(scores, "gmm40_fab", ["mmd", "w2"])
    assert words(table, "hmc").count("timeout") == 2 and "3 timeout" in words(table, "hmc")
    assert "timeout" in words(overview(scores, "mmd"), "hmc")
    assert "2 ok, 1 diverged" in words(target_table(scores, "banana", ["mmd"]), "svgd")
    assert "1 of 3 failed" in words(overview(scores, "mmd"), "svgd")
    failures = failures_table(scores.run)
    assert failures is not None and len(failures.rows) == 7
    assert "no answer within 60 s" in words(failures, "hmc")
    assert any("7 of 207" in w for w in warnings(scores))
    assert "hmc (3 of 3)" in dict(findings(scores))["gmm40_fab"]


def test_a_diverged_seed_is_not_in_the_mean_but_ranks_its_sampler_behind(scores: Scores) -> None:
    score = scores.final("svgd", "banana", "mmd")
    assert score is not None and score.seeds == (0, 2)
    table = ranks(scores, "banana", "mmd")
    assert table["svgd"] == max(table.values()) > table["dft"]
    assert scores.final("svgd", "gmm4", "mmd").excess < scores.final(  # type: ignore[union-attr]
        "drifting", "gmm4", "mmd").excess  # type: ignore[union-attr]


def test_all_at_the_floor_share_the_first_place(scores: Scores) -> None:
    table = ranks(scores, "gmm4_far", "mmd")
    assert table["mala"] == table["hmc"] == 1
    assert table["idem"] == 3
    assert not {"exact", "initial", "overhead"} & table.keys()


def test_unaffordable_is_shown_and_has_no_place_there(scores: Scores) -> None:
    assert "dft" not in ranks(scores, "gmm4", "mmd")
    shown = words(target_table(scores, "gmm4", ["mmd"]), "dft")
    assert "unaffordable" in shown and any(w.startswith("300") for w in shown)
    assert "unaffordable" in words(overview(scores, "mmd"), "dft")
    assert median_ranks(scores, "mmd")["dft"] == 7.0


def test_a_sampler_that_could_run_nowhere_has_no_place(tmp_path: Path) -> None:
    small = Scores(load(make(tmp_path / "run", ["hmc", "dft", "initial"], ["gmm4"])))
    assert set(median_ranks(small, "mmd")) == {"hmc"}


def test_the_floor_is_that_of_the_points_that_were_scored(scores: Scores) -> None:
    few = scores.final("svgd", "gmm4", "mmd")
    many = scores.final("ula", "gmm4", "mmd")
    assert few is not None and many is not None and (few.n, many.n) == (512, 5000)
    assert few.draws is not None and many.draws is not None
    assert few.draws.std() > 5 * many.draws.std()
    assert any("n = 512" in w for w in words(target_table(scores, "gmm4", ["mmd"]), "svgd"))


def test_the_share_left_runs_from_the_floor_to_the_ceiling(scores: Scores) -> None:
    assert share_left(scores, "mala", "gmm4", "mmd") == 0.0
    assert share_left(scores, "dft", "banana", "mmd") == pytest.approx(0.1, rel=0.1)
    assert share_left(scores, "initial", "banana", "mmd") == pytest.approx(1.0)


def test_a_disturbed_job_says_so(scores: Scores) -> None:
    assert "1 disturbed" in words(target_table(scores, "gmm4", ["mmd"]), "ula")
    assert not any("disturbed" in w for w in words(target_table(scores, "gmm4", ["mmd"]), "hmc"))


def test_a_target_without_a_reference_is_said_to_hide_things(scores: Scores) -> None:
    assert "would go undetected" in dict(findings(scores))["mine"]
    table = target_table(scores, "mine", ["ksd"])
    assert not any("floor" in w for row in ("hmc", "mala") for w in words(table, row))


def test_lost_modes_are_counted_in_the_summary(tmp_path: Path) -> None:
    folder = make(tmp_path / "run", ["hmc", "drifting", "initial"], ["gmm4"],
                  quality={"drifting": 0.5})
    found = Scores(load(folder))
    assert "Modes missed (of 4, mean over seeds): drifting 1" in dict(findings(found))["gmm4"]
    assert "misses 1.0 mode" in " ".join(words(overview(found, "mmd"), "drifting"))
    assert verdict(found).startswith("Best at 5s by MMD²: hmc")


def reweighted(run: Run, label: str) -> Run:
    """The run with a sampler's score rows booked as Hessian-vector rows."""
    jobs = tuple(replace(j, train=replace(j.train, score=0, hvp=j.train.score))
                 if j.label == label else j for j in run.jobs)
    keys = {j.key for j in run.jobs if j.label == label}
    looks = tuple(replace(c, spent=replace(c.spent, score=0, hvp=c.spent.score))
                  if c.key in keys else c for c in run.checkpoints)
    return replace(run, jobs=jobs, checkpoints=looks)


def test_dear_rows_lose_under_the_weights_that_price_them(tmp_path: Path) -> None:
    folder = make(tmp_path / "run", ["ula", "hmc", "initial"], ["gmm4", "banana"], trouble=False,
                  quality={"hmc": 0.012, "ula": 0.01})
    scores = Scores(reweighted(load(folder), "ula"))
    even, dear = (shares(scores, "mmd", w)["ula"] for w in WEIGHTS)
    # At equal rows ula has less excess at its end; by the other weights it is still on its way.
    assert even.share > dear.share
    assert shares(scores, "mmd", WEIGHTS[1])["hmc"].share == 1 - dear.share


def test_jobs_without_a_record_are_missing_not_forgotten(tmp_path: Path) -> None:
    folder = make(tmp_path / "run", ["ula", "hmc", "initial"], ["gmm4"], trouble=False)
    lines = (folder / "records.jsonl").read_text().splitlines()
    kept = [x for x in lines if '"key":"ula-gmm4-2"' not in x]
    (folder / "records.jsonl").write_text("\n".join(kept) + "\n")
    scores = Scores(load(folder))
    table = missing_table(scores.run)
    assert table is not None and words(table, "ula")[-1] == "2 of 3"
    assert "not complete" in warnings(scores)[0]


def test_a_number_that_is_none_is_no_success(tmp_path: Path) -> None:
    folder = make(tmp_path / "run", ["ula", "hmc", "initial"], ["gmm4"], trouble=False)
    path = folder / "records.jsonl"
    lines = [json.loads(x) for x in unsealed(path.read_text()).splitlines()]
    for line in lines:
        if line.get("metric") == "mmd" and line["key"] == "hmc-gmm4-1":
            line["value"] = None
    path.write_text("".join(json.dumps(x) + "\n" for x in lines))
    scores = Scores(load(folder))
    assert "not finite" in words(overview(scores, "mmd"), "hmc")
    assert any("1 not finite" in w for w in words(target_table(scores, "gmm4", ["mmd"]), "hmc"))
    assert ranks(scores, "gmm4", "mmd") == {"ula": 1, "hmc": 2}


def test_a_newer_version_of_a_metric_replaces_the_older_numbers(tmp_path: Path) -> None:
    folder = make(tmp_path / "run", ["ula", "initial"], ["gmm4"], trouble=False)
    path = folder / "records.jsonl"
    lines = unsealed(path.read_text()).splitlines()
    newer = [json.dumps({**json.loads(x), "version": 2, "value": 7.0})
             for x in lines if '"metric":"mmd"' in x]
    path.write_text("\n".join([*lines, *newer]) + "\n")
    score = Scores(load(folder)).final("ula", "gmm4", "mmd")
    assert score is not None and set(score.values) == {7.0}


def test_a_row_is_reproduced_by_the_runs_own_command(scores: Scores) -> None:
    assert command(scores.run, "hmc", "gmm4") == (
        "python -m bench run --suite toy2d --samplers hmc --targets gmm4")
    header = {**scores.run.header,
              "command": "python -m bench run --suite=x.toml --samplers a,b --out o --budget 2s"}
    assert command(replace(scores.run, header=header), "b", "t u") == (
        "python -m bench run --suite=x.toml --budget 2s --samplers b --targets 't u'")


def test_checkpoint_costs_include_the_draw_that_was_scored(scores: Scores) -> None:
    look = next(c for c in scores.run.checkpoints if c.key == "hmc-gmm4-0" and c.index == 2)
    point = scores.curve("hmc", "gmm4", "mmd")[2]
    assert isinstance(look, Checkpoint) and look.draw.seconds > 0
    assert point.spent[0].seconds == pytest.approx(look.spent.seconds + look.draw.seconds)


def _luminance(tint: str) -> float:
    """Relative luminance of sRGB (WCAG 2.2)."""
    c = [int(tint[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    return float(np.dot([0.2126, 0.7152, 0.0722],
                        [v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in c]))


@pytest.mark.parametrize("tint", [*COLOURS, *(c for shades in SHADES.values() for c in shades)])
def test_every_colour_keeps_a_contrast_of_three_on_white_and_on_near_black(tint: str) -> None:
    light, dark = _luminance("#fdfdfc"), _luminance("#14181c")
    assert (light + 0.05) / (_luminance(tint) + 0.05) >= 3
    assert (_luminance(tint) + 0.05) / (dark + 0.05) >= 3


def test_a_family_shares_a_hue_and_stands_together(scores: Scores) -> None:
    run = scores.run
    families = [run.family(x) for x in run.ranked]
    assert families == sorted(families, key=list(FAMILIES).index)
    assert all(colour(run, x) in SHADES[run.family(x)] for x in run.ranked)


def test_colours_are_the_same_everywhere_and_differ(scores: Scores) -> None:
    tints = [colour(scores.run, label) for label in scores.run.ranked]
    assert len(set(tints)) == len(tints) == 7 and len(set(COLOURS)) == len(COLOURS)


@pytest.mark.parametrize(("value", "text"), [
    (0.0, "0"), (1234.6, "1235"), (0.012345, "0.0123"), (-0.5, "−0.500"), (9.98, "9.98"),
    (0.99999, "1.00"), (1.5e7, "1.50×10⁷"), (-2e-6, "−2.00×10⁻⁶"), (None, "–"),
    (float("nan"), "–")])
def test_numbers_carry_three_digits(value: float | None, text: str) -> None:
    assert number(value) == text


def test_amounts_read_as_a_person_says_them() -> None:
    assert [count(x) for x in (950.0, 45_600.0, 1.23e6, 4.5e9)] == ["950", "45.6k", "1.23M",
                                                                   "4.50G"]
    assert [duration(x) for x in (2e-5, 0.012, 3.4, 900.0)] == [
        "20.0\u00a0µs", "12.0\u00a0ms", "3.40\u00a0s", "15.0\u00a0min"]
    assert [points(x) for x in (100.0, 1e5, 12_345.0)] == ["10²", "10⁵", "12\u202f000"]
    assert number(-0.0001, 3, 2) == "0.00"
