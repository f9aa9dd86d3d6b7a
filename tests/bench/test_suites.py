"""Suites: what they resolve to, and what a wrong one is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.core.errors import UserError
from bench.jobs.plan import job_tasks
from bench.suite.schema import parse_seeds, suite_names
from bench.suite.serialised import from_facts, to_facts
from bench.suite.suite import read_suite

GOOD = 'targets = ["gmm4"]\nsamplers = ["mala"]\nbudget = "1s"\n'


def suite_file(tmp_path: Path, text: str) -> str:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("name", sorted(suite_names()))
def test_every_suite_resolves_and_survives_its_header(name: str) -> None:
    suite = read_suite(name)
    assert suite.description
    facts = json.loads(json.dumps(to_facts(suite)))
    assert from_facts(facts) == suite


def test_the_suites_of_the_issue_are_there() -> None:
    toy = read_suite("toy2d")
    assert [t.label for t in toy.targets] == ["gmm4", "gmm4_far", "gmm4_skewed", "double_well",
                                              "banana", "gmm40_fab"]
    assert [s.label for s in toy.samplers] == ["exact", "initial", "overhead", "drifting", "ula",
                                               "mala", "hmc", "svgd", "idem", "dft"]
    assert len(read_suite("toy2d-full").targets) == 12
    assert read_suite("toy2d-gpu").device == "cuda"
    assert read_suite("smoke").budget.currency == "evals" and not read_suite("smoke").compile


def test_a_suite_may_ask_for_compiling(tmp_path: Path) -> None:
    suite = read_suite(suite_file(tmp_path, GOOD + "compile = true\n"))
    assert suite.compile and from_facts(json.loads(json.dumps(to_facts(suite)))).compile
    (task,) = [t for t in job_tasks(suite, tmp_path, 1, set()) if t.name == "mala--gmm4"]
    assert task.jobs[0].settings.compile is True


def test_a_metric_off_by_default_serves_only_where_it_is_named(tmp_path: Path) -> None:
    plugin = tmp_path / "mine.py"
    plugin.write_text("from metrics.base import Metric\n"
                      "class Mine(Metric):\n    name = 'mine'\n"
                      "class Dear(Metric):\n    name = 'dear'\n    default = False\n")
    named = {m.name for m in read_suite("toy2d", plugin).metrics}
    assert "mine" in named and "w2" in named and "cov_error" in named
    assert not {"dear", "w2_blocks", "cov_trace", "cov_trace_central", "between_mass"} & named
    suite = read_suite(suite_file(tmp_path, GOOD + 'metrics = ["w2_blocks", "dear"]\n'), plugin)
    assert [m.name for m in suite.metrics] == ["w2_blocks", "dear"]


@pytest.mark.parametrize(("text", "said"), [
    ("targets = [", "not a suite"),
    (GOOD + "bugdet = 3\n", r"line 4: unknown key 'bugdet'; did you mean 'budget'"),
    (GOOD.replace('"1s"', "5"), r"line 3: 'budget' must be a budget such as"),
    (GOOD.replace('"1s"', '"5 parsecs"'), "budget '5 parsecs' is not understood"),
    (GOOD.replace('["gmm4"]', '"gmm4"'), "line 1: 'targets' must be a list"),
    (GOOD.replace("gmm4", "gm4"), "unknown target 'gm4'; did you mean 'gmm4'"),
    (GOOD.replace("mala", "malaa"), "unknown sampler 'malaa'; did you mean 'mala'"),
    ('targets = ["gmm4"]\nbudget = "1s"\n', "'samplers' is missing"),
    (GOOD + "n = 5\n", "n_curve"),
    (GOOD + 'dtype = "float16"\n', "dtype 'float16'"),
    (GOOD + 'device = "gpu"\n', "device 'gpu'"),
    (GOOD + "seeds = 0\n", "seeds '0'"),
    (GOOD + "seeds = true\n", "'seeds' must be"),
    (GOOD + 'compile = "yes"\n', "line 4: 'compile' must be true or false"),
    (GOOD + 'preset = "toy6s"\n', "unknown preset 'toy6s'"),
    (GOOD + 'metrics = ["mdd"]\n', "did you mean 'mmd'"),
    (GOOD + "checkpoints = 0\n", "at least 1 checkpoint"),
    (GOOD.replace('"mala"', '"mala", "mala"'), "stands twice"),
    (GOOD.replace('"mala"', '{label = "x"}'), "line 2: an item of 'samplers'"),
    (GOOD.replace('"mala"', '{name = "mala", params = {chain = 3}}'),
     "no parameter 'chain'; did you mean 'chains'"),
    (GOOD.replace('"mala"', '{name = "mala", label = "a/b"}'), "label 'a/b'"),
    (GOOD.replace('"mala"', '{name = "mala", budget = "5 parsecs"}'), "line 2: 'mala': budget '5"),
    (GOOD.replace('"gmm4"', '{name = "gmm4", scale = -1.0}'), "line 1: scale of 'gmm4' must be"),
    (GOOD.replace('"gmm4"', '{name = "gmm4", budget = "1s"}'), "line 1: an item of 'targets'"),
    (GOOD.replace('"1s"', '"2.5steps"'), "steps are whole numbers"),
    (GOOD + "checkpoints = [0.5, 0.25, 1]\n", "line 4: checkpoints must be positive and rising"),
    (GOOD + "checkpoints = [0.25, 0.5]\n", "line 4: the last checkpoint must be the whole budget"),
    (GOOD + 'published = ["dft_table2"]\n', "line 4: unknown published table 'dft_table2'; did"),
])
def test_a_wrong_suite_is_told_where_and_what(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        read_suite(suite_file(tmp_path, text))


def test_variants_and_presets_merge(tmp_path: Path) -> None:
    text = ('targets = ["gmm4", {name = "gmm4", label = "hot", temperature = 2.0}]\n'
            'samplers = ["mala", {name = "mala", label = "few", params = {chains = 7}}]\n'
            'budget = "1s"\n[preset.mala]\nchains = 50\nwarmup = 0.5\n')
    suite = read_suite(suite_file(tmp_path, text))
    params = {s.label: s.params for s in suite.samplers}
    assert params["mala"] == {"chains": 50, "warmup": 0.5}
    assert params["few"] == {"chains": 7, "warmup": 0.5}, "a variant's own setting wins"
    assert suite.preset == "mine"
    assert suite.targets[1].temperature == 2.0


def test_a_target_may_declare_another_start_and_a_sampler_another_budget(tmp_path: Path) -> None:
    text = ('targets = [{name = "funnel", scale = 1.0}]\nbudget = "500steps"\n'
            'samplers = ["mala", {name = "dft", budget = "6000steps"}]\n'
            'checkpoints = [50, 100, 200, 500]\n')
    suite = read_suite(suite_file(tmp_path, text))
    assert suite.targets[0].scale == 1.0 and suite.budget.currency == "steps"
    assert suite.fractions == (0.1, 0.2, 0.4, 1.0)
    records = {t.jobs[0].sampler.label: t.jobs[0].record("ok")
               for t in job_tasks(suite, tmp_path, 1, set())}
    assert {k: (v.currency, v.budget) for k, v in records.items() if k in ("mala", "dft")} == {
        "mala": ("steps", 500.0), "dft": ("steps", 6000.0)}
    assert records["mala"].target_params["scale"] == 1.0


def test_narrowing_keeps_the_baselines() -> None:
    suite = read_suite("toy2d", only_samplers="hmc,pdem", only_targets="banana,funnel")
    assert [s.label for s in suite.samplers] == ["exact", "initial", "overhead", "hmc", "pdem"]
    assert [t.label for t in suite.targets] == ["banana", "funnel"]
    with pytest.raises(UserError, match="did you mean 'hmc'"):
        read_suite("toy2d", only_samplers="hmcc")


def test_seeds() -> None:
    assert parse_seeds(3) == (0, 1, 2)
    assert parse_seeds("10:12") == (10, 11)
    for bad in ("x", "5:5", "-1", "3:1:2"):
        with pytest.raises(UserError, match="seeds"):
            parse_seeds(bad)
