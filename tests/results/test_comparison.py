"""Comparisons of runs: what is paired, refused and said; failures, floors and labels."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from bench.commands.compare import add_options, main
from bench.core.errors import ReportError, UserError
from results.comparison import page as comparison_page
from results.comparison.alignment import align
from results.comparison.comparison import compare, comparison_parts
from results.comparison.hypothesis_tests import SHARE_EACH, compare_pairs
from results.comparison.mean_ranks import rank_key
from results.comparison.ratio import ratio_of_means
from results.records.frames import Scores
from results.records.run_folder import load
from results.statistics.paired_values import PairedValues, SeedValues
from tests.support.report_fake import make, unsealed

SAMPLERS = ["ula", "mala", "hmc", "svgd", "dft", "exact", "initial"]
TARGETS = ["gmm4", "banana", "gmm40_fab"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("run") / "old", SAMPLERS, TARGETS)


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("run") / "new", ["ula", "mala", "initial"],
                ["gmm4", "banana", "double_well"], seeds=4, trouble=False, quality={"ula": 0.3})


def scores(folder: Path) -> Scores:
    return Scores(load(folder))


def changed(folder: Path, to: Path, change: dict[str, object]) -> Path:
    """A copy of a run with a header that differs."""
    to.mkdir()
    for name in ("records.jsonl",):
        (to / name).write_bytes((folder / name).read_bytes())
    (to / "floors").symlink_to(folder / "floors")
    header = json.loads((folder / "run.json").read_text())
    for key, value in change.items():
        header["suite" if key in header["suite"] else key] = (
            header["suite"] | {key: value} if key in header["suite"] else value)
    (to / "run.json").write_text(json.dumps(header))
    return to


def test_controls_do_not_compete_and_failures_are_counted(folder: Path) -> None:
    aligned = align([scores(folder)])
    assert aligned.labels == ("ula", "mala", "hmc", "svgd", "dft")
    cells = aligned.seed_values("mmd")
    assert cells["svgd", "banana"].failed == 1
    assert math.isinf(cells["svgd", "banana"].values[1])
    assert cells["hmc", "gmm40_fab"].failed == 3
    # Unaffordable on one target is the worst there, although the job left a score.
    assert cells["dft", "gmm4"].failed == 3
    assert rank_key(cells["dft", "gmm4"]) == (1.0, math.inf)


def test_a_target_on_which_a_sampler_always_failed_counts_against_it(folder: Path) -> None:
    aligned = align([scores(folder)])
    found = compare_pairs([aligned.seed_values("mmd")], aligned.labels, aligned.targets)
    pair = found.pair("hmc", "dft")
    assert pair is not None and {t.target for t in pair.targets} == set(TARGETS)
    lost = next(t for t in pair.targets if t.target == "gmm40_fab")
    assert (lost.direction < 0) == (pair.a == "dft")
    assert sum(pair.failed()[:2]) == 6


def test_the_order_is_by_mean_ranks_and_verdicts_turn_with_the_pair(folder: Path) -> None:
    aligned = align([scores(folder)])
    found = compare_pairs([aligned.seed_values("mmd")], aligned.labels, aligned.targets)
    assert found.order[0] == "mala" and found.order[-1] == "dft"
    ranks = [found.mean_ranks[x] for x in found.order]
    assert ranks == sorted(ranks) and np.mean(ranks) == pytest.approx(3.0)
    for pair in found.pairs:
        assert {found.verdict(pair.a, pair.b), found.verdict(pair.b, pair.a)} in (
            {"better", "worse"}, {"not shown"})


def test_against_one_makes_fewer_comparisons_and_so_smaller_p_values(folder: Path) -> None:
    aligned = align([scores(folder)], against="mala")
    cells = [aligned.seed_values("mmd")]
    every = compare_pairs(cells, aligned.labels, aligned.targets)
    one = compare_pairs(cells, aligned.labels, aligned.targets, "mala")
    assert len(one.pairs) == 4 and all(d.b == "mala" for d in one.pairs)
    for pair in one.pairs:
        other = every.pair(pair.a, "mala")
        assert other is not None and pair.adjusted_p <= other.adjusted_p
        assert pair.sign_flip.p == other.sign_flip.p


def test_more_metrics_exchange_a_seed_in_all_of_them_at_once(folder: Path) -> None:
    aligned = align([scores(folder)])
    cells = aligned.seed_values("mmd")
    once = compare_pairs([cells], aligned.labels, aligned.targets)
    twice = compare_pairs([cells, cells], aligned.labels, aligned.targets)
    # The same numbers again are no new evidence.
    ps = [p.sign_flip.p for p in once.pairs]
    assert [p.sign_flip.p for p in twice.pairs] == pytest.approx(ps)
    assert twice.mean_ranks == once.mean_ranks


def test_labels_that_collide_get_the_later_runs_name(folder: Path, newer: Path) -> None:
    aligned = align([scores(folder), scores(newer)])
    assert {"ula", "mala", "ula@new", "mala@new"} <= set(aligned.labels)
    assert aligned.targets == ("gmm4", "banana")
    assert aligned.seeds["gmm4"] == {0, 1, 2}
    assert any("double_well" in n and "gmm40_fab" in n for n in aligned.notes)
    assert any("seeds 3" in n for n in aligned.notes)
    found = compare_pairs([aligned.seed_values("mmd")], aligned.labels, aligned.targets, "ula")
    worse = found.pair("ula@new", "ula")
    assert worse is not None and worse.sign_flip.statistic > 0


def test_the_order_of_runs_changes_names_only(folder: Path, newer: Path) -> None:
    one = align([scores(folder), scores(newer)])
    two = align([scores(newer), scores(folder)])
    a = compare_pairs([one.seed_values("mmd")], one.labels, one.targets)
    b = compare_pairs([two.seed_values("mmd")], two.labels, two.targets)
    left, right = a.pair("ula", "ula@new"), b.pair("ula@old", "ula")
    assert left is not None and right is not None
    assert left.sign_flip.p == right.sign_flip.p and left.adjusted_p == right.adjusted_p
    assert abs(left.sign_flip.statistic) == abs(right.sign_flip.statistic)


def test_a_run_against_its_own_copy_is_tied_everywhere(folder: Path, tmp_path: Path) -> None:
    copy = changed(folder, tmp_path / "copy", {})
    aligned = align([scores(folder), scores(copy)], against="ula")
    found = compare_pairs([aligned.seed_values("mmd")], aligned.labels, aligned.targets, "ula")
    same = found.pair("ula@copy", "ula")
    assert same is not None and (same.sign_flip.statistic, same.adjusted_p) == (0.0, 1.0)


def test_unequal_budgets_are_said_first(folder: Path, tmp_path: Path) -> None:
    copy = changed(folder, tmp_path / "long", {"budget": "50s", "code": "other"})
    aligned = align([scores(folder), scores(copy)])
    assert aligned.warnings[0].startswith("Unequal budgets: old 5s and long 50s")
    assert any("different code" in w for w in aligned.warnings)


def test_a_target_of_another_fingerprint_is_refused(folder: Path, tmp_path: Path) -> None:
    copy = changed(folder, tmp_path / "copy", {})
    text = unsealed((copy / "records.jsonl").read_text()).replace("abcdef123456", "fedcba654321")
    (copy / "records.jsonl").write_text(text)
    with pytest.raises(ReportError, match="another density"):
        align([scores(folder), scores(copy)])


def test_another_version_of_the_metric_is_refused_and_of_others_left_out(
        folder: Path, tmp_path: Path) -> None:
    copy = changed(folder, tmp_path / "copy", {})
    old = '"metric":"w2","version":1'
    text = unsealed((copy / "records.jsonl").read_text())
    assert old in text
    (copy / "records.jsonl").write_text(text.replace(old, '"metric":"w2","version":2'))
    with pytest.raises(ReportError, match="versions 1 and 2 of w2"):
        align([scores(folder), scores(copy)], metric="w2")
    aligned = align([scores(folder), scores(copy)])
    assert "w2" not in aligned.others and any("w2" in w for w in aligned.warnings)


def test_another_n_is_refused(folder: Path, tmp_path: Path) -> None:
    small = make(tmp_path / "small", SAMPLERS, TARGETS, n=1000)
    with pytest.raises(ReportError, match="n = 1000 and 5000"):
        align([scores(folder), scores(small)])


@pytest.mark.parametrize(("metric", "against", "words"), [
    ("mnd", None, "did you mean 'mmd'"), (None, "mela", "did you mean 'mala'"),
    (None, "exact", "no such sampler")])
def test_unknown_names_are_refused(folder: Path, metric: str | None, against: str | None,
                                   words: str) -> None:
    with pytest.raises(ReportError, match=words):
        align([scores(folder)], metric, against)


def test_nothing_in_common_is_refused(folder: Path, tmp_path: Path) -> None:
    other = make(tmp_path / "other", ["ula"], ["double_well"], trouble=False)
    with pytest.raises(ReportError, match="share no target"):
        align([scores(folder), scores(other)])
    with pytest.raises(ReportError, match="named twice"):
        align([scores(folder), scores(folder)])
    with pytest.raises(ReportError, match="fewer than two"):
        align([scores(other)])


def test_a_ratio_needs_positive_values_or_excesses_clearly_above_the_floor() -> None:
    rng = np.random.default_rng(0)
    draws = np.sort(rng.normal(0.0, 1.0, 1000))

    def cell(mean: float) -> SeedValues:
        return SeedValues(100, dict(enumerate(rng.normal(mean, 0.5, 8).tolist())), draws)

    far, farther, near = cell(20.0), cell(40.0), cell(0.2)
    found = ratio_of_means(PairedValues(farther, far), signed=True)
    assert found is not None and found.low < 2.0 < found.high
    assert ratio_of_means(PairedValues(far, near), signed=True) is None
    assert ratio_of_means(PairedValues(far, farther), signed=False) is not None
    assert ratio_of_means(PairedValues(far, cell(-5.0)), signed=False) is None


def test_a_target_alone_is_tested_from_six_seeds_on(tmp_path: Path, folder: Path) -> None:
    few = align([scores(folder)])
    assert all(t.adjusted_p is None for d in compare_pairs([few.seed_values("mmd")], few.labels,
                                                 few.targets).pairs for t in d.targets)
    many = align([scores(make(tmp_path / "many", ["ula", "mala", "svgd"], ["gmm4", "banana"],
                               seeds=6))])
    found = compare_pairs([many.seed_values("mmd")], many.labels, many.targets)
    tests = {(d.a, d.b, t.target): t.test for d in found.pairs for t in d.targets}
    assert tests["mala", "svgd", "banana"] == "sign-flip" and "t" in tests.values()
    assert found.level_share == SHARE_EACH


def test_the_page_and_its_twin_say_the_same_and_are_whole(folder: Path, tmp_path: Path) -> None:
    paths = comparison_page.save(compare([folder]), tmp_path / "out")
    page, twin = (p.read_text(encoding="utf-8") for p in paths)
    made = compare([folder])
    assert "mala looks best" in made.sentence
    assert made.sentence in page.replace("&#39;", "'") and made.sentence in twin
    assert "<svg" in page and 'role="img"' in page and "http" not in page.replace(
        "http://www.w3.org", "")
    assert "Groups by MMD" in twin
    console = Console(record=True, width=100)
    comparison_page.print_comparison(made, console)
    assert "mala looks best" in console.export_text()


def test_against_one_the_sentence_sorts_all_others(folder: Path) -> None:
    said = compare([folder], against="mala").sentence
    assert said.startswith("Against mala, by MMD² on 3 targets with 3 seeds: better: none; worse:")
    assert all(x in said for x in ("ula", "svgd", "dft", "hmc"))


def test_too_few_seeds_to_show_anything_is_said(tmp_path: Path) -> None:
    folder = make(tmp_path / "x", ["ula", "mala", "hmc", "svgd"], ["gmm4"], seeds=2,
                  trouble=False)
    said = compare([folder]).sentence
    assert "could show no difference at all" in said


def test_a_run_that_cannot_be_compared_keeps_its_report(tmp_path: Path) -> None:
    folder = make(tmp_path / "x", ["ula", "initial"], ["gmm4"], trouble=False)
    tables, images, said = comparison_parts(scores(folder))
    assert (tables, images) == ([], []) and said.startswith("No comparison: ")


def test_targets_without_a_floor_are_left_out_where_others_have_one(tmp_path: Path) -> None:
    folder = make(tmp_path / "x", ["ula", "mala"], ["gmm4", "mine"], trouble=False)
    aligned = align([scores(folder)], "ksd")
    assert {t for _, t in aligned.seed_values("ksd")} == {"gmm4"} and not aligned.warnings
    alone = align([scores(make(tmp_path / "y", ["ula", "mala"], ["mine"], trouble=False))])
    assert {t for _, t in alone.seed_values("ksd")} == {"mine"}
    assert any("No usable floor is stored" in w for w in alone.warnings)


def test_holm_is_applied_over_all_pairs(folder: Path) -> None:
    aligned = align([scores(folder)])
    found = compare_pairs([aligned.seed_values("mmd")], aligned.labels, aligned.targets)
    least = min(d.sign_flip.p for d in found.pairs)
    assert len(found.pairs) == 10
    assert min(d.adjusted_p for d in found.pairs) == pytest.approx(10 * least)


def test_the_command_prints_and_writes_beside_the_first_run(
        folder: Path, newer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_options(parser)
    given = parser.parse_args([str(folder), str(newer), "--against", "ula", "--out",
                               str(tmp_path / "out")])
    assert main(given) == 0
    assert "Against ula" in " ".join(capsys.readouterr().out.split())
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "comparison.html", "comparison.md"]
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="--out"):
        main(parser.parse_args([str(folder), "--out", str(tmp_path / "file")]))
    with pytest.raises(UserError, match="not the folder of a run"):
        main(parser.parse_args([str(tmp_path / "nowhere")]))
