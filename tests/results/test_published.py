"""Published tables: the verdicts' error rates, exact arithmetic, the data, what joins a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.core.cost import Cost
from bench.core.errors import ReportError
from results.presentation.table import Table
from results.published.compared import ComparedTable
from results.published.sentences import published_sentences
from results.published.table_file import Figure, known, published_table, read_table
from results.published.tables import published_tables
from results.published.verdict import Verdict, close, judge, published_standing, two_means
from results.records.frames import Scores
from results.records.run_folder import Run
from results.records.schema import Checkpoint, Job, Measure

Points = dict[tuple[str, str, str, int | None], list[float | None]]


def figure(value: float, sd: float | None = None) -> Figure:
    return Figure(f"{value}", value, sd)


def verdicts(rng: np.random.Generator, ratio: float, seeds: int, sd: float, spread: bool,
             trials: int = 1000) -> dict[str, float]:
    """Shares of verdicts where truly ours = ratio x published; 20 repeats, or one of no spread."""
    repeats = 20 if spread else 1
    found: dict[str, float] = {}
    for _ in range(trials):
        theirs = 1.0 + sd * rng.standard_normal(repeats)
        printed = figure(theirs.mean(), float(theirs.std(ddof=1)) if spread else None)
        ours = tuple(ratio + sd * rng.standard_normal(seeds))
        name = judge(ours, printed, repeats, None).verdict
        found[name] = found.get(name, 0.0) + 1 / trials
    return found


@pytest.mark.parametrize("spread", [True, False])
@pytest.mark.parametrize("ratio", [0.85, 1.15])
@pytest.mark.parametrize(("seeds", "sd"), [(5, 0.02), (20, 0.2)])
def test_a_true_distance_of_15_percent_is_rarely_called_agreement(
        ratio: float, seeds: int, sd: float, spread: bool) -> None:
    # At sd .02 one of the two tests decides, so the rate must also reach its 5 %.
    share = verdicts(np.random.default_rng(1), ratio, seeds, sd, spread).get(Verdict.AGREES, 0.0)
    assert share < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 1000)
    assert share > 0.02 or sd > 0.1


@pytest.mark.parametrize("spread", [True, False])
@pytest.mark.parametrize("sd", [0.05, 0.5])
def test_equal_means_differ_at_most_at_the_stated_rate(sd: float, spread: bool) -> None:
    found = verdicts(np.random.default_rng(2), 1.0, 5, sd, spread)
    assert found.get(Verdict.DIFFERS, 0.0) < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 1000)


def test_equivalence_and_difference_are_found_where_there_is_power() -> None:
    rng = np.random.default_rng(3)
    assert verdicts(rng, 1.0, 20, 0.1, True, 300)[Verdict.AGREES] > 0.95
    assert verdicts(rng, 1.5, 5, 0.1, True, 300)[Verdict.DIFFERS] > 0.95


def test_the_interval_of_the_ratio_covers_and_agrees_with_the_test() -> None:
    rng, covered, trials = np.random.default_rng(4), 0, 2000
    for _ in range(trials):
        theirs, ours = 1 + 0.3 * rng.standard_normal(20), tuple(1.4 + 0.6 * rng.standard_normal(8))
        found = two_means(ours, figure(theirs.mean(), float(theirs.std(ddof=1))), 20)
        assert found is not None
        interval = found.ratio_interval()
        assert interval is not None
        covered += interval[0] <= 1.4 <= interval[1]
        assert (found.p_different() <= 0.05) == (not interval[0] <= 1.0 <= interval[1])
    assert abs(covered / trials - 0.95) < 0.02


def test_exact_arithmetic_of_a_cell() -> None:
    # Means 3 and 2, squared errors 1/3 and 1/5: Welch's t and df by hand.
    found = two_means((2.0, 3.0, 4.0), figure(2.0, 1.0), 5)
    assert found is not None
    se, df = found.error(1.0)
    assert se**2 == pytest.approx(8 / 15)
    assert df == pytest.approx((8 / 15) ** 2 / ((1 / 9) / 2 + (1 / 25) / 4))
    alone = two_means((2.0, 3.0, 4.0), figure(2.0), 1)
    assert alone is not None
    assert alone.error(2.0) == (pytest.approx(np.sqrt(1 / 3 + 4)), 2)
    judged = judge((2.0, 3.0, 4.0), figure(2.0, 1.0), 5, None)
    assert (judged.ratio, judged.verdict) == (1.5, Verdict.UNDECIDED)


def test_a_negative_published_value_has_its_margin_on_both_sides() -> None:
    rng = np.random.default_rng(0)
    values = tuple(-1.0 + 0.01 * rng.standard_normal(10))
    assert judge(values, figure(-1.0, 0.01), 10, None).verdict == Verdict.AGREES
    turned = tuple(-v for v in values)
    assert judge(turned, figure(-1.0, 0.01), 10, None).verdict == Verdict.DIFFERS


def test_without_any_spread_or_with_a_published_zero_nothing_agrees() -> None:
    assert judge((1.0,), figure(1.0), 1, None).verdict == Verdict.UNDECIDED
    assert "one seed" in judge((1.0,), figure(1.0, 0.01), 20, None).why
    assert judge((0.0, 0.0), figure(0.0), 1, None).verdict == Verdict.UNDECIDED
    assert judge((0.5, 0.5), figure(0.5), 1, None).verdict == Verdict.AGREES


def test_close_takes_the_looser_of_15_percent_and_two_sds() -> None:
    assert close(1.15, figure(1.0, 0.01)) and not close(1.16, figure(1.0, 0.01))
    assert close(1.4, figure(1.0, 0.2)) and not close(1.41, figure(1.0, 0.2))
    assert not close(0.84, figure(1.0))


def test_both_at_the_floor_comes_first_and_only_when_neither_is_above() -> None:
    rng = np.random.default_rng(5)
    draws = np.sort(0.1 + 0.02 * rng.standard_normal(2000))
    ours = tuple(0.1 + 0.02 * rng.standard_normal(20))
    assert judge(ours, figure(0.1, 0.02), 20, None).verdict == Verdict.AGREES
    assert judge(ours, figure(0.1, 0.02), 20, draws).verdict == Verdict.BOTH
    # .12 is within one draw's band but five standard errors of a mean of 20 above it.
    assert published_standing(figure(0.12, 0.02), 20, draws) == "above"
    assert published_standing(figure(0.12, 0.02), 1, draws) == "floor"
    assert judge(ours, figure(0.12, 0.02), 20, draws).verdict != Verdict.BOTH
    above = tuple(v + 0.03 for v in ours)
    assert judge(above, figure(0.1, 0.02), 20, draws).verdict == Verdict.DIFFERS


def test_two_means_below_the_floor_are_compared_by_their_values() -> None:
    draws = np.sort(0.1 + 0.02 * np.random.default_rng(6).standard_normal(2000))
    low = (0.0101, 0.0102, 0.0099, 0.0100, 0.0098)
    assert judge(low, figure(0.01, 0.001), 20, draws).verdict == Verdict.AGREES
    assert judge(low, figure(0.02, 0.001), 20, draws).verdict == Verdict.DIFFERS
    assert judge(low, figure(0.1, 0.02), 20, draws).verdict == Verdict.BOTH


# --- the data


@pytest.mark.parametrize(("table", "row", "column", "value", "sd"), [
    ("dft_table1", "SVGD(200)", "Gaussian", 0.0367, 0.016),
    ("dft_table1", "SVGD(50)", "Rosenbrock", 2.673, 0.163),
    ("dft_table1", "LD(200)", "Squiggle", 0.176, 0.057),
    ("dft_table1", "LD(50)", "Funnel", 0.387, 0.033),
    ("dft_table1", "HMC(100)", "Donut", 0.115, 0.017),
    ("dft_table1", "FISHER-NS", "Funnel", 7.837, 1.614),
    ("dft_table1", "KSD-NS", "MOG2", 1.129, 0.197),
    ("dft_table1", "DFT-NS", "Funnel", 0.081, 0.009),
    ("drifting_table1", "Gaussian kernel drifting", "four modes: mean error", 0.0754, None),
    ("drifting_table1", "Gaussian kernel drifting", "banana: MMD", 0.0019, None),
    ("sbtm_kl", "ULA, n = 300", "analytic", 0.0219, None),
    ("sbtm_kl", "SVGD, n = 1000", "far", 4.73, None),
    ("sbtm_kl", "SBTM, n = 10000", "near", 0.0036, None)])
def test_the_data_hold_what_the_papers_print(table: str, row: str, column: str, value: float,
                                             sd: float | None) -> None:
    rows = {r.name: r for r in published_table(table).rows}
    assert (rows[row].cells[column].value, rows[row].cells[column].sd) == (value, sd)


def test_every_table_is_complete() -> None:
    sizes = {name: (len(t.rows), sum(len(r.cells) for r in t.rows))
             for name in known() for t in [published_table(name)]}
    assert {k: sizes[k] for k in ("dft_table1", "drifting_table1", "sbtm_kl")} == {
        "dft_table1": (18, 108), "drifting_table1": (1, 9), "sbtm_kl": (15, 45)}
    assert all(f"{f.value:g}" in f"{float(f.text.split('±')[0]):g}" for name in known()
               for r in published_table(name).rows for f in r.cells.values())


def test_the_published_mode_counts_reject_balance() -> None:
    counts = published_table("drifting_table1").mode_counts[0]
    assert counts.chi2 == pytest.approx(15.784)
    assert counts.p(counts.chi2) == pytest.approx(0.00126, abs=1e-5)


GOOD = """
title = "T"
source = "S"
metric = "ksd_dft"
n = 500
repeats = 20
spread = "sd"
problems = []
[[columns]]
name = "A"
targets = ["a"]
[[rows]]
name = "R"
samplers = ["r"]
[rows.cells]
A = "0.1 ± 0.02"
[[mode_counts]]
row = "R"
group = "A"
metric = "mode_chi2"
counts = [200, 300]
weights = [0.5, 0.5]
"""


@pytest.mark.parametrize(("old", "new", "said"), [
    ('A = "0.1 ± 0.02"', 'B = "0.1"', "no column 'B'; there are: A"),
    ('"0.1 ± 0.02"', '"0.1 +- 0.02"', "is no figure; write it as printed"),
    ('"0.1 ± 0.02"', "0.1", "'value' must be text in quotes"),
    ('"0.1 ± 0.02"', '{ value = "1", nte = "x" }', "did you mean 'note'?"),
    ("repeats = 20", "repeats = 1", "a spread needs 'repeats' of at least 2"),
    ("n = 500", "n = 0", "'n' must be a whole number of at least 1, not 0"),
    ("n = 500", "", "'n' is missing"),
    ('targets = ["a"]', "targets = []", "'targets' is empty"),
    ('targets = ["a"]', 'targts = ["a"]', "'targets' is missing"),
    ('samplers = ["r"]', 'samplers = ["r"]\nstep = 5', "did you mean 'steps'?"),
    ("counts = [200, 300]", "counts = [200, 301]", "sum to the row's n, 500; they sum to 501"),
    ("weights = [0.5, 0.5]", "weights = [0.5, 0.6]", "sum to 1"),
    ('row = "R"', 'row = "Q"', "no row 'Q'"),
    ("[[rows]]", "[rows]", "'rows' must be written as [[rows]]"),
    ('[[rows]]', '[[columns]]\nname = "A"\ntargets = ["b"]\ngroup = "B"\n[[rows]]',
     "two columns are named 'A'"),
    ('[[rows]]', '[[columns]]\nname = "B"\ntargets = ["b"]\ngroup = "A"\n[[rows]]',
     "columns of the group 'A' must name the same targets"),
    ('title = "T"', "title = ", "not readable as TOML")])
def test_a_bad_file_is_refused_in_a_sentence(tmp_path: Path, old: str, new: str,
                                             said: str) -> None:
    path = tmp_path / "t.toml"
    path.write_text(GOOD, encoding="utf-8")
    assert read_table(path).rows[0].cells["A"].sd == 0.02
    path.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ReportError, match="^t.toml") as error:
        read_table(path)
    assert said in str(error.value)


def test_an_unknown_table_is_named_with_its_neighbour() -> None:
    with pytest.raises(ReportError, match="did you mean 'dft_table1'"):
        published_table("dft_tabel1")


# --- a run compared with a table


def run(points: Points, n: int = 500, published: tuple[str, ...] = ("dft_table1",),
        draws: dict[tuple[str, str, int], np.ndarray] | None = None, status: str = "ok",
        parts: tuple[float, ...] = ()) -> Run:
    """A run in memory: values by seed at step counts (None: the end, 500 steps)."""
    jobs: dict[str, Job] = {}
    looks: dict[tuple[str, int], Checkpoint] = {}
    measures = []
    for (label, target, metric, steps), values in points.items():
        for seed, value in enumerate(values):
            key, index = f"{label}-{target}-{seed}", steps or 500
            jobs.setdefault(key, Job(key, label, label, target, seed, "continuing", status))
            looks.setdefault((key, index), Checkpoint(key, index, index / 500, index, Cost(), n,
                                                      Cost(), final=index == 500))
            stage = "final" if index == 500 else "curve"
            measures.append(Measure(key, index, stage, metric, 1, n, value, parts=parts))
    named = {t: {} for name in published for c in published_table(name).columns for t in c.targets}
    return Run(Path("x"), {"suite": {"published": list(published)}, "targets": named},
               tuple(jobs.values()),
               tuple(looks.values()), tuple(measures), draws=draws or {})


def compared(made: Run, name: str = "dft_table1") -> ComparedTable:
    return ComparedTable(published_table(name), made)


def test_values_are_taken_at_their_step_count_and_number_of_points() -> None:
    made = run({("ld", "gaussian", "ksd_dft", 50): [0.6, 0.7],
                ("ld", "gaussian", "ksd_dft", None): [0.10, 0.11]})
    found = {c.row.name: c.ours.values for c in compared(made).figures
             if c.column.name == "Gaussian" and c.row.family == "LD"}
    assert found == {"LD(50)": (0.6, 0.7), "LD(100)": (), "LD(200)": (), "LD(500)": (0.10, 0.11)}
    other = run({("ld", "gaussian", "ksd_dft", 50): [0.6, 0.7]}, n=1000)
    assert not any(c.ours.values for c in compared(other).figures)


def test_a_job_that_died_leaves_the_cell_undecided_not_to_the_survivors() -> None:
    made = run({("ld", "gaussian", "ksd_dft", 50): [0.67] * 19 + [None]})
    cell = next(c for c in compared(made).figures if c.row.name == "LD(50)")
    assert cell.judgement is not None
    assert (cell.judgement.verdict, cell.ours.lost) == (Verdict.UNDECIDED, 1)
    assert "1 of 20 jobs" in cell.judgement.why
    dead = run({("ld", "gaussian", "ksd_dft", 50): [0.67] * 20}, status="diverged")
    cells = {c.row.name: c for c in compared(dead).figures if c.column.name == "Gaussian"}
    assert cells["LD(50)"].ours.lost == 0
    assert cells["LD(100)"].ours.lost == 20


def test_the_last_state_is_the_tables_score_of_a_job_that_ended_well() -> None:
    made = run({("dft", "gaussian", "ksd_dft", None): [0.1, 0.2]})
    curve = [replace(m, stage="curve", value=9.0) for m in made.measures]
    found = compared(replace(made, measures=(*curve, *made.measures))).values
    assert found.at("dft", "gaussian", "ksd_dft", 500, None).values == (0.1, 0.2)
    dead = run({("dft", "gaussian", "ksd_dft", None): [0.1, 0.2]}, status="diverged")
    found = compared(dead).values
    assert (found.at("dft", "gaussian", "ksd_dft", 500, None).values,
            found.at("dft", "gaussian", "ksd_dft", 500, None).lost) == ((), 2)


def test_a_newer_version_of_a_metric_replaces_the_older() -> None:
    made = run({("ld", "gaussian", "ksd_dft", 50): [0.6, 0.7]})
    newer = [replace(m, version=2, value=9.0) for m in made.measures]
    made = replace(made, measures=made.measures + tuple(newer))
    assert compared(made).values.at("ld", "gaussian", "ksd_dft", 500, 50).values == (9.0, 9.0)


def candidates(scale: dict[str, float], target: str = "gaussian") -> Points:
    """HMC candidates whose values are the published ones times a factor."""
    table = published_table("dft_table1")
    return {(label, target, "ksd_dft", row.steps): [
        factor * row.cells["Gaussian"].value * (1 + d) for d in (-0.01, 0.01)]
        for label, factor in scale.items() for row in table.rows if row.family == "HMC"}


def test_the_candidate_nearest_to_the_published_row_is_found_with_its_distance() -> None:
    found = compared(run(candidates({"hmc_3": 1.3, "hmc_7": 1.05, "hmc_12": 0.8})))
    scan = found.candidates.scans[-1]
    assert [f.candidate for f in scan.fits] == ["hmc_7", "hmc_12", "hmc_3"]
    assert [round(f.error, 6) for f in scan.fits] == [
        round(abs(np.log(x)), 6) for x in (1.05, 0.8, 1.3)]
    assert len(scan.untried) == 17
    assert scan.fits[0].figures == 4 and (scan.fits[0].wins or 0) > 0.95
    assert {c.label for c in found.figures if c.row.family == "HMC"} == {"hmc_7"}


@pytest.mark.parametrize(("best", "end"), [(20, True), (18, False), (16, True)])
def test_a_scan_says_when_its_best_stands_at_the_end_of_what_was_tried(best: int,
                                                                       end: bool) -> None:
    made = run(candidates({f"hmc_{i}": 1 + 0.1 * abs(i - best) for i in range(16, 21)}))
    assert compared(made).candidates.scans[-1].at_end == end
    assert ("at the end of the list" in " ".join(published_sentences(Scores(made)))) == end


def test_a_candidate_that_lacks_figures_cannot_win() -> None:
    points = candidates({"hmc_3": 1.3, "hmc_7": 1.0})
    del points["hmc_7", "gaussian", "ksd_dft", 50]
    scan = compared(run(points)).candidates.scans[-1]
    assert [(f.candidate, f.figures) for f in scan.fits] == [("hmc_3", 4), ("hmc_7", 3)]
    assert scan.fits[1].wins is None


def test_the_candidate_target_is_chosen_by_rows_that_leave_nothing_else_open() -> None:
    table = published_table("dft_table1")
    points: Points = {}
    for row in table.rows:
        if row.family == "LD":
            value = row.cells["Funnel"].value
            points["ld", "funnel_coin_bug", "ksd_dft", row.steps] = [value, value * 1.02]
            points["ld", "funnel", "ksd_dft", row.steps] = [value * 1.3, value * 1.32]
        if row.family == "HMC":  # would choose otherwise, were it asked
            points["hmc_1", "funnel", "ksd_dft", row.steps] = [row.cells["Funnel"].value] * 2
    assert compared(run(points)).candidates.targets["Funnel"] == "funnel_coin_bug"


def tables(made: Run) -> dict[str, Table]:
    return {t.key: t for t in published_tables(Scores(made))}


def floors(targets: tuple[str, ...], n: int = 500) -> dict[tuple[str, str, int], np.ndarray]:
    rng = np.random.default_rng(7)
    return {(t, "ksd_dft", n): np.sort(0.11 + 0.02 * rng.standard_normal(1000)) for t in targets}


def test_the_tables_show_published_ours_floor_and_verdict_cell_by_cell() -> None:
    rng = np.random.default_rng(8)
    points = candidates({"hmc_3": 1.0, "hmc_7": 1.5})
    points["ld", "gaussian", "ksd_dft", 50] = list(0.67 + 0.07 * rng.standard_normal(20))
    points["ld", "gaussian", "ksd_dft", None] = list(0.107 + 0.02 * rng.standard_normal(20))
    made = run(points, draws=floors(("gaussian", "mog2")))
    found = tables(made)
    main = {row[0].text: row[1] for row in found["published--dft_table1"].rows}
    assert "published 0.669 ± 0.073 > floor\nours 0.6" in main["LD(50)"].seeds
    assert main["LD(50)"].text == Verdict.AGREES and main["LD(500)"].text == Verdict.BOTH
    assert main["KL-NS"].text == "published only" and "< floor" in main["KL-NS"].seeds
    assert main["LD(100)"].text == "no record"
    counts = {row[0].text: [c.text for c in row] for row in
              found["published--dft_table1--counts"].rows}
    assert counts["LD"][1:5] == ["20", "2", "1", "1"]
    assert counts["LD, Funnel"][1:3] == ["4", "0"]
    assert counts["LD"][8] == "2 of 2"
    assert counts["all"][2] == "6"
    lines = found["published--dft_table1--lines"]
    assert lines.folded and len(lines.rows) == 108 + 18
    text = " ".join(published_sentences(Scores(made)))
    assert "of 6 figures that we reran, 2 agree within 15 %, 4 are both at the floor;" in text
    assert "HMC: hmc_3 (typical factor 1" in text and "next hmc_7 (1.5" in text
    assert "are not significantly above what exact samples" in text


def test_each_candidate_target_of_the_drifting_paper_stands_beside_the_published_row() -> None:
    first, *rest = published_table("drifting_table1").columns[0].targets
    points: Points = {("drifting", t, "mean_error", None): [x, 1.1 * x] for t, x in
                      zip((first, *rest), (0.07, 0.03, 0.9), strict=False)}
    points["drifting", first, "mode_chi2", None] = [15.784]
    made = run(points, 5000, ("drifting_table1",), parts=(1141.0, 1244.0, 1332.0, 1283.0))
    found = tables(made)
    assert "published--drifting_table1" not in found
    lines = [(r[1].text, r[2].text, r[6].text) for r in
             found["published--drifting_table1--lines"].rows]
    # Two seeds beside one published run: too little for either verdict.
    assert ("four modes: mean error", f"drifting on {first}", Verdict.UNDECIDED) in lines
    assert [where for column, where, _ in lines if column == "four modes: mean error"] == [
        f"drifting on {t}" for t in (first, *rest)]
    best = found["published--drifting_table1--best"].rows[0]
    assert (best[0].text, best[1].text) == ("four modes", first)
    assert best[0].seeds == f"3 of {1 + len(rest)} candidates tried"
    modes = [[c.text for c in row] for row in found["published--drifting_table1--modes"].rows]
    assert modes == [["published", "four modes", "–", "1141 / 1244 / 1332 / 1283", "15.8",
                      "p 0.0013"],
                     ["drifting", first, "0", "1141 / 1244 / 1332 / 1283", "15.8", "p 0.0013"]]


def test_a_sentence_why_takes_a_cell_out_of_verdicts_and_fits(tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    text = GOOD.replace('"0.1 ± 0.02"', '{ value = "0.1", not_comparable = "another metric" }')
    path.write_text(text.replace('["r"]', '["r", "s"]'), encoding="utf-8")
    found = ComparedTable(read_table(path), run({("r", "a", "ksd_dft", None): [0.1, 0.1, 0.1]}))
    assert found.candidates.scans[0].fits == ()
    cell = found.figures[0]
    assert cell.judgement is not None
    assert (cell.judgement.verdict, cell.judgement.why) == ("not comparable", "another metric")


def test_a_run_without_published_tables_says_nothing() -> None:
    made = run({("ld", "gaussian", "ksd_dft", 50): [0.6]}, published=())
    assert published_tables(Scores(made)) == []
    assert published_sentences(Scores(made)) == []
    empty = run({}, published=("sbtm_kl",))
    assert "no value for any" in published_sentences(Scores(empty))[0]


def test_columns_that_a_run_never_meant_to_rerun_are_left_out_and_named() -> None:
    whole = published_table("sbtm_kl")
    part = whole.of(["sbtm_analytic", "gaussian"])
    assert [c.name for c in part.columns] == ["analytic"]
    assert part.left_out == ("far", "near") and part.problems == whole.problems
    assert whole.of(["sbtm_far", "sbtm_near", "sbtm_analytic"]) is whole
    assert whole.of([]) is whole, "a run of other targets lacks every record, and says so"
