"""Acceptance criteria: what a run must hold for each to be met, missed or not measured."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.core import registry
from bench.core.cost import Cost
from bench.core.errors import ReportError
from bench.maintain.__main__ import main as maintain
from bench.suite.suite import read_suite
from results.acceptance.criteria import COSTS, Criteria, read_criteria
from results.acceptance.judged import JudgedCriterion, JudgedRun, Verdict
from results.acceptance.tables import headline, table
from results.acceptance.variants import variants_table
from results.records.run_folder import load
from results.records.schema import HEADER_VERSION, Job, Measure, dump

N, SEEDS = 5000, 5
HEAD = ('title = "t"\nsuite = "s"\nsampler = "mine"\nagainst = "rival"\nn = 5000\nseeds = 5\n'
        'notes = []\n')
CRITERION = ('[[criteria]]\ntargets = ["ring"]\nmetric = "mmd"\nstatistic = "mean"\n'
             'limit = "<= 0.1"\ntext = "low"\n')
#: A floor of 99 draws from 0 to 4: mean 2, a value of 3.82 or less has p > .05, 3.86 has not.
DRAWS = np.linspace(0.0, 4.0, 99)


@dataclass
class Fake:
    """A run made up: values by (label, target, metric), one a seed; a pair is (value, signed)."""

    values: dict[tuple[str, str, str], list[Any]]
    floors: dict[tuple[str, str], Any] = field(default_factory=dict)
    status: dict[tuple[str, int], str] = field(default_factory=dict)
    cost: dict[str, Cost] = field(default_factory=dict)
    budget: dict[str, float] = field(default_factory=dict)
    device: str = "cpu"
    n: int = N

    def write(self, folder: Path) -> Path:
        """The folder as ``bench`` would write it, as far as criteria read it."""
        (folder / "floors").mkdir(parents=True)
        labels = dict.fromkeys(label for label, _, _ in self.values)
        (folder / "run.json").write_text(json.dumps({
            "v": HEADER_VERSION, "suite": {"name": "s"},
            "samplers": {x: {"name": x} for x in labels},
            "targets": {}, "metrics": {}}))
        lines: list[str] = []
        jobs: dict[str, Job] = {}
        for (label, target, metric), seeds in self.values.items():
            for seed, value in enumerate(seeds):
                job = self._job(label, target, seed)
                jobs[job.key] = job
                if job.status in ("ok", "unaffordable"):
                    size, parts = value if isinstance(value, tuple) else (value, None)
                    lines.append(dump(Measure(job.key, 4, "final", metric, 1, self.n, size,
                                              parts=() if parts is None else (parts,))))
        (folder / "records.jsonl").write_text(
            "".join(line + "\n" for line in lines + [dump(j) for j in jobs.values()]))
        for target in {t for t, _ in self.floors}:
            np.savez(folder / "floors" / f"{target}.npz", **{
                f"{m}/{self.n}": d for (t, m), d in self.floors.items() if t == target})
        return folder

    def _job(self, label: str, target: str, seed: int) -> Job:
        return Job(f"{label}-{target}-{seed}", label, label, target, seed, "amortised",
                   self.status.get((label, seed), "ok"), currency="evals",
                   budget=self.budget.get(label, 1e6), device=self.device,
                   train=self.cost.get(label, Cost(900_000, 90_000, 9_000, 50.0, 50.0, 60.0)),
                   draw=Cost(1_000, 0, 0, 1.0, 1.0, 1.0))


def criteria(tmp_path: Path, statistic: str, limit: str, metric: str = "mmd") -> Criteria:
    """One criterion on the target ``ring``."""
    text = CRITERION.replace('"mean"', f'"{statistic}"')
    text = text.replace("<= 0.1", limit) if limit else text.replace('limit = "<= 0.1"\n', "")
    text = text.replace('"mmd"', f'"{metric}"') if metric else text.replace(
        'metric = "mmd"\n', "")
    path = tmp_path / "mine.toml"
    path.write_text(HEAD + text)
    return read_criteria(path)


def judged(tmp_path: Path, fake: Fake, made: Criteria) -> JudgedCriterion:
    return JudgedRun(load(fake.write(tmp_path / "run")), made).judged[0]


def mine(values: list[Any], metric: str = "mmd", **more: Any) -> Fake:
    return Fake({("mine", "ring", metric): values}, {("ring", metric): DRAWS}, **more)


@pytest.mark.parametrize(("statistic", "limit", "metric", "good", "bad"), [
    ("mean", "<= 1", "mmd", [0.5, 1.5, 1.0, 1.0, 1.0], [0.5, 1.5, 1.0, 1.0, 1.01]),
    ("max", "<= 0", "missing_modes", [0.0] * 5, [0.0, 0.0, 1.0, 0.0, 0.0]),
    ("max", "<= 1", "between_mass", [0.0, 1.0, 0.0, 0.0, 0.0], [0.0, 1.01, 0.0, 0.0, 0.0]),
    ("mean_over_floor", "<= 1.1", "w2_blocks", [3.0, 1.4, 2.2, 2.1, 2.2],
     [3.0, 1.4, 2.2, 2.4, 2.2]),
    # Signed errors cancel over seeds, moduli do not; too wide is as bad as too narrow.
    ("signed_mean", "<= 0.05", "cov_trace", [(0.2, 0.2), (0.2, -0.2)] + [(0.05, 0.05)] * 3,
     [(0.04, -0.04)] * 4 + [(0.2, -0.2)]),
    ("signed_mean", "<= 0.05", "cov_trace", [(0.0, 0.0)] * 5, [(0.06, 0.06)] * 5),
    # One seed of five may differ significantly from exact samples, two may not.
    ("at_floor", ">= 4", "mmd", [1.0, 3.82, 0.5, 0.1, 9.0], [1.0, 3.82, 0.5, 9.0, 3.86]),
])
def test_a_criterion_is_met_up_to_its_limit_and_missed_beyond(
        tmp_path: Path, statistic: str, limit: str, metric: str, good: list[Any],
        bad: list[Any]) -> None:
    made = criteria(tmp_path, statistic, limit, metric)
    assert judged(tmp_path / "a", mine(good, metric), made).verdict == Verdict.MET
    assert judged(tmp_path / "b", mine(bad, metric), made).verdict == Verdict.MISSED


@pytest.mark.parametrize(("statistic", "limit", "above"), [
    ("seconds", "<= 51", "<= 50.9"), ("evaluations", "<= 1000000", "<= 999999")])
def test_cost_is_training_and_one_draw_in_evaluations_of_every_kind(
        tmp_path: Path, statistic: str, limit: str, above: str) -> None:
    for name, said, verdict in (("a", limit, Verdict.MET), ("b", above, Verdict.MISSED)):
        made = criteria(tmp_path, statistic, said, "")
        assert judged(tmp_path / name, mine([1.0] * 5), made).verdict == verdict


def test_seconds_of_a_gpu_are_not_those_of_a_core(tmp_path: Path) -> None:
    made = criteria(tmp_path, "seconds", "<= 60", "")
    found = judged(tmp_path, mine([1.0] * 5, device="cuda"), made)
    assert found.verdict == Verdict.NOT_MEASURED and "cuda" in found.why


@pytest.mark.parametrize(("statistic", "limit", "dead", "verdict"), [
    ("mean", "<= 9", 1, Verdict.MISSED), ("max", "<= 9", 1, Verdict.MISSED),
    ("evaluations", "<= 9e9", 1, Verdict.MISSED), ("mean", "<= 9", 5, Verdict.MISSED),
    ("at_floor", ">= 4", 1, Verdict.MET), ("at_floor", ">= 4", 2, Verdict.MISSED),
    ("at_floor", ">= 4", 5, Verdict.MISSED)])
def test_a_seed_that_died_counts_against_the_sampler(
        tmp_path: Path, statistic: str, limit: str, dead: int, verdict: str) -> None:
    made = criteria(tmp_path, statistic, limit, "" if statistic in COSTS else "mmd")
    fake = mine([1.0] * 5, status={("mine", s): "diverged" for s in range(dead)})
    found = judged(tmp_path, fake, made)
    assert found.verdict == verdict and "diverged" in found.why


def test_a_value_that_is_no_number_counts_against_the_sampler(tmp_path: Path) -> None:
    found = judged(tmp_path, mine([1.0, 1.0, None, 1.0, 1.0]), criteria(tmp_path, "mean", "<= 9"))
    assert found.verdict == Verdict.MISSED and "not finite" in found.why


@pytest.mark.parametrize(("fake", "said"), [
    (mine([1.0] * 4), "4 of 5 seeds"),
    (mine([1.0] * 5, n=1000), "1,000 points, not 5,000"),
    (Fake({("mine", "ring", "mmd"): [1.0] * 5}), "no floor of mmd"),
    (Fake({("mine", "ring", "mmd"): [9.0] * 5}, {("ring", "mmd"): DRAWS[:18]}), "of 18 draws"),
    (mine([1.0] * 5, "w2"), "mmd was not taken"),
    (Fake({("mine", "other", "mmd"): [1.0] * 5}), "no record")])
def test_what_a_run_does_not_hold_is_not_measured(tmp_path: Path, fake: Fake, said: str) -> None:
    found = judged(tmp_path, fake, criteria(tmp_path, "at_floor", ">= 4"))
    assert found.verdict == Verdict.NOT_MEASURED and said in found.why


def test_a_criterion_without_a_limit_is_reported(tmp_path: Path) -> None:
    found = judged(tmp_path, mine([1.0] * 4 + [3.5]), criteria(tmp_path, "mean", ""))
    assert (found.verdict, found.value) == (Verdict.REPORTED, 1.5)


LOW, HIGH, HIGHER = [2.0, 2.2, 1.8, 2.1, 1.9], [5.0] * 5, [6.0, 6.0, 4.5, 6.0, 6.0]


@pytest.mark.parametrize(("ours", "theirs", "verdict", "words"), [
    (LOW, HIGH, Verdict.MET, "lower than rival in 5 of 5 seeds"),
    ([2.3] * 5, LOW, Verdict.MET, "both at the floor"),  # a difference below the floor's noise
    (HIGHER, HIGH, Verdict.MISSED, "lower than rival in 1 of 5 seeds"),
    (HIGH, LOW, Verdict.MISSED, "lower than rival in 0 of 5 seeds")])
def test_no_worse_is_judged_by_the_excess_over_the_floor(
        tmp_path: Path, ours: list[float], theirs: list[float], verdict: str,
        words: str) -> None:
    fake = mine(ours)
    fake.values["rival", "ring", "mmd"] = list(theirs)
    made = criteria(tmp_path, "no_worse", "")
    found = JudgedRun(load(fake.write(tmp_path / "run")), made)
    assert found.judged[0].verdict == verdict
    assert words in table(found).rows[0][2].seeds


@pytest.mark.parametrize(("change", "verdict"), [
    ({"status": {("rival", 0): "diverged"}}, Verdict.MET),
    ({"status": {("mine", 0): "killed"}}, Verdict.MISSED),
    ({"status": {(x, s): "killed" for x in ("mine", "rival") for s in range(5)}}, Verdict.MISSED),
    ({"status": {("rival", s): "unaffordable" for s in range(5)}}, Verdict.NOT_MEASURED),
    ({"budget": {"rival": 2e6}}, Verdict.NOT_MEASURED), ({"floors": {}}, Verdict.NOT_MEASURED)])
def test_no_worse_wants_equal_cost_and_counts_failures(
        tmp_path: Path, change: dict[str, Any], verdict: str) -> None:
    fake = mine(LOW)
    fake.values["rival", "ring", "mmd"] = list(LOW)
    found = judged(tmp_path, replace(fake, **change), criteria(tmp_path, "no_worse", ""))
    assert found.verdict == verdict


@pytest.mark.parametrize(("text", "said"), [
    (HEAD, "'criteria' is missing"),
    (HEAD + CRITERION.replace('"mean"', '"median"'), "criteria 1: no statistic 'median'"),
    (HEAD + CRITERION.replace("<= 0.1", ">= 0.1"),
     "'limit' of 'mean' must be written as \"<= 0.5\""),
    (HEAD + CRITERION.replace("<= 0.1", "<= a lot"), "must be written"),
    (HEAD + CRITERION.replace('"mean"', '"seconds"'), "'seconds' wants no metric"),
    (HEAD + CRITERION.replace('metric = "mmd"\n', ""), "'mean' wants a metric"),
    (HEAD + CRITERION.replace('"mean"', '"no_worse"'), "'limit' of 'no_worse' must be left out"),
    (HEAD + CRITERION + 'sentence = "x"\n', "unknown field 'sentence'"),
    (HEAD + CRITERION.replace('["ring"]', "[]"), "'targets' is empty"),
    ("title = ", "not readable as TOML")])
def test_a_wrong_file_is_told_where_and_what(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ReportError, match="mine.toml") as raised:
        read_criteria(path)
    assert said in str(raised.value)


def test_the_shipped_criteria_speak_of_their_suite() -> None:
    shipped = read_criteria()
    suite = read_suite(shipped.suite)
    names = {s.label for s in suite.samplers}
    assert {shipped.sampler, shipped.against} <= names
    assert {b.target for b in shipped.criteria} == {t.label for t in suite.targets}
    assert {b.metric for b in shipped.criteria} - {""} == {m.name for m in suite.metrics}
    assert (shipped.n, shipped.seeds) == (suite.n, len(suite.seeds))
    assert suite.budget.currency == "evals" and all(
        b.limit is not None and suite.budget.amount <= b.limit
        for b in shipped.criteria if b.statistic == "evaluations")


def test_every_criterion_has_a_metric_that_applies_to_its_target() -> None:
    suite = read_suite(read_criteria().suite)
    made = {t.label: registry.load("targets", t.name, **t.params) for t in suite.targets}
    for criterion in read_criteria().criteria:
        if criterion.metric:
            metric = registry.load("metrics", criterion.metric)
            assert metric.applies(made[criterion.target]), (criterion.metric, criterion.target)


def shipped_run(tmp_path: Path) -> Path:
    """A run in which everything but banana's W2 is met, and gmm50 never ran."""
    fake = Fake({})
    for criterion in read_criteria().criteria:
        if criterion.metric and criterion.target != "gmm50":
            zero = criterion.metric in ("missing_modes", "mode_tv", "between_mass", "cov_trace",
                                  "cov_trace_central")
            value = 0.0 if zero else 2.4 if criterion.target == "banana" else 2.0
            for label in ("drifting_multiscale", "drifting"):
                fake.values[label, criterion.target, criterion.metric] = [(value, value)] * SEEDS
            fake.floors[criterion.target, criterion.metric] = DRAWS
    return fake.write(tmp_path / "run")


def test_the_command_prints_every_criterion_and_a_miss_is_no_error(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shipped_run(tmp_path)
    assert maintain(["acceptance", str(folder), "--format", "markdown"]) == 0
    said = capsys.readouterr().out
    rows = [line for line in said.splitlines() if line.startswith("|")]
    assert len(rows) == sum(b.target != "gmm50" for b in read_criteria().criteria) + 2
    assert "Not in this run, and not measured: gmm50." in said
    missed = [row for row in rows if Verdict.MISSED in row]
    assert len(missed) == 1 and "banana" in missed[0] and "1.20 × floor" in missed[0]
    assert sum(Verdict.REPORTED in row for row in rows) == 4, "gmm32 has no limits"
    assert "1 MISSED, 0 not measured" in said and "the criteria are set for drifting_bars" in said
    assert maintain(["acceptance", str(folder)]) == 0 and "MISSED" in capsys.readouterr().out
    assert maintain(["acceptance", str(folder), "--strict"]) == 1


def test_the_headline_counts_only_criteria_that_have_a_limit(tmp_path: Path) -> None:
    shipped = read_criteria()
    found = JudgedRun(load(shipped_run(tmp_path)), shipped)
    limited = sum(b.limit is not None or b.statistic == "no_worse" for b in shipped.criteria)
    assert headline(found) == (
        f"drifting_multiscale: of {limited} criteria {limited - 1} met, 1 MISSED, 0 not measured; "
        f"{len(shipped.criteria) - limited} more have no limit.")
    # P(2 or more of 5 at a level of 5 %) = .0226; ten such criteria: 1 - (1 - .0226)^10 = .204.
    assert "2.3 %" in table(found).notes[-1] and "20 %" in table(found).notes[-1]


def test_a_user_is_told_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert maintain(["acceptance", str(tmp_path / "nothing")]) == 2
    folder = mine([1.0] * 5).write(tmp_path / "run")
    assert maintain(["acceptance", str(folder)]) == 2
    assert "no sampler 'drifting_multiscale'" in capsys.readouterr().err
    assert maintain(["acceptance", str(folder), "--sampler", "mine"]) == 0


def test_a_table_of_variants_counts_seeds_at_the_floor_and_seeds_that_lost_a_mode(
        tmp_path: Path) -> None:
    fake = Fake({("mine", "ring", "mmd"): [1.0, 3.82, 3.86, 9.0, 0.5],
                 ("mine", "ring", "mode_tv"): [0.1, 0.2, 0.3, 0.1, 0.3],
                 ("mine", "ring", "missing_modes"): [0.0, 2.0, 1.0, 0.0, 0.0],
                 ("mine", "ring", "cov_trace"): [(0.2, 0.2), (0.1, -0.1)] + [(0.05, 0.05)] * 3,
                 ("dead", "ring", "mmd"): [1.0] * 5, ("half", "ring", "mmd"): [1.0] * 5},
                {("ring", "mmd"): DRAWS}, cost={"mine": Cost(0, 0, 0, 7.0, 7.0, 7.0)},
                status={("dead", s): "diverged" for s in range(5)} | {("half", 0): "killed"})
    folder = fake.write(tmp_path / "run")
    head = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(head | {"suite": {"name": "s", "n": N}}))
    rows = {r[0].text: [c.text for c in r[1:]] for r in variants_table(load(folder), "c").rows}
    # one draw costs a second more
    assert rows["mine"] == ["36360 (3)", "0.200 (2 lost a mode)", "+0.05", "8"]
    assert rows["dead"][0] == "diverged" and rows["half"][0] == "10000 (4, 1 failed)"
