"""Labels: what a user may call things, that no two jobs share a key, and metrics taken twice.

Before, ``a`` on ``b--c`` and ``a--b`` on ``c`` shared their keys, so that one overwrote the other;
of a metric under two labels the second was dropped, and took the committed floor of the defaults.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench.core import registry
from bench.core.errors import UserError
from bench.jobs.floors import find_floors
from bench.jobs.plan import job_tasks
from bench.jobs.spec import job_key
from bench.suite.labels import LONGEST
from bench.suite.suite import read_suite
from results.presentation.table import slug
from results.records.frames import Scores
from results.records.run_folder import load
from results.records.schema import Job, joined
from results.report.page import write
from tests.support.runs import finish

GOOD = 'targets = ["gaussian"]\nsamplers = ["mala"]\nbudget = "1s"\n'
RUN = """
targets = [{name = "gaussian", label = "b--c"}, {name = "gaussian", label = "c"}]
samplers = [{name = "initial", label = "a"}, {name = "initial", label = "a--b"}]
baselines = []
metrics = ["w2", {name = "w2", label = "w2_50", params = {cap = 50}}]
seeds = 1
budget = "2000evals"
n = 100
n_curve = 60
checkpoints = 1
floor_draws = 10
"""


def suite_file(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text)
    return str(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("labels")
    finish("--suite", suite_file(home, RUN), "--out", str(home / "run"))
    return home / "run"


def test_keys_never_collide() -> None:
    names = ["".join(x) for k in range(1, 6) for x in itertools.product("a-", repeat=k)]
    keys = {job_key(a, b, 0) for a in names for b in names}
    assert len(keys) == len(names) ** 2
    assert len({slug("curve", a, b) for a in names for b in names}) == len(names) ** 2
    assert job_key("mala", "gmm4-x", 3) == "mala--gmm4-x--s3"  # as archives have them


label = st.text("ab-._+~ é", min_size=1, max_size=8)


@given(st.tuples(label, label), st.tuples(label, label))
def test_names_are_joined_without_loss(one: tuple[str, str], other: tuple[str, str]) -> None:
    plus = [tuple(x.replace("+", "") or "x" for x in pair) for pair in (one, other)]
    assert (joined(*plus[0]) == joined(*plus[1])) == (plus[0] == plus[1])
    assert (slug(*plus[0]) == slug(*plus[1])) == (plus[0] == plus[1])


def test_four_cells_are_four_cells(folder: Path) -> None:
    run = load(folder)
    assert len({job.key for job in run.jobs}) == 4
    assert {(j.label, j.target) for j in run.jobs} == set(itertools.product(["a", "a--b"],
                                                                           ["b--c", "c"]))
    assert len(list((folder / "samples").glob("*.npz"))) == 4


def test_a_metric_under_two_labels_is_measured_twice(folder: Path) -> None:
    run = load(folder)
    assert run.header["metrics"]["w2_50"]["name"] == "w2"
    finals = {(m.key, m.metric): m for m in run.measures if m.stage == "final"}
    assert len(finals) == 8
    for job in run.jobs:
        assert isinstance(job, Job)
        full, capped = finals[job.key, "w2"], finals[job.key, "w2_50"]
        assert (full.n, capped.n) == (100, 50) and full.value != capped.value
        assert capped.p is not None
    assert {k[1:] for k in run.draws} == {("w2", 100), ("w2", 60), ("w2_50", 50)}
    titles = [run.metric(m)["title"] for m in Scores(run).metrics]
    assert len(set(titles)) == 2 and titles[1] == f"{titles[0]} (w2_50)"


def test_the_report_shows_both(folder: Path) -> None:
    _, markdown = write(folder)
    text = markdown.read_text()
    assert "(w2\\_50)" in text or "(w2_50)" in text
    assert "cap = 50" in text


def test_committed_floors_serve_the_defaults_alone() -> None:
    target = registry.load("targets", "gaussian").to("cpu", torch.float32)
    metrics = {"sliced_w2": registry.load("metrics", "sliced_w2"),
               "again": registry.load("metrics", "sliced_w2"),
               "few": registry.load("metrics", "sliced_w2", projections=2)}
    floors = find_floors(target, "gaussian", metrics, {1000}, 5).draws
    assert len(floors["sliced_w2/1000"]) == len(floors["again/1000"]) == 1000  # committed
    assert len(floors["few/1000"]) == 5  # drawn: before, a name alone was enough


@pytest.mark.parametrize("bad", [
    ".", "..", ".hidden", "a b", "a[b]", "a/b", "", "x" * (LONGEST + 1), "a\\nb", "nul", "COM1.x",
    "é", "a+b"])
@pytest.mark.parametrize("kind", ["samplers", "targets", "metrics", "baselines"])
def test_a_label_that_cannot_name_a_file_is_refused(tmp_path: Path, kind: str, bad: str) -> None:
    name = {"samplers": "mala", "targets": "gmm4", "metrics": "mmd", "baselines": "initial"}[kind]
    text = f'budget = "1s"\n{kind} = [{{name = "{name}", label = "{bad}"}}]\n'
    text += "".join(f'{key} = ["{value}"]\n' for key, value in
                    (("targets", "gaussian"), ("samplers", "hmc")) if key != kind)
    with pytest.raises(UserError, match="line 2: label .* is not usable"):
        read_suite(suite_file(tmp_path, text))


@pytest.mark.parametrize(("items", "said"), [
    ('["mala", {name = "mala", label = "MALA"}]', "differ by case alone"),
    ('[{name = "mala", label = "hmc"}]', "is the name of another"),
    ('[{name = "mala", label = "exact"}]', "is the name of another"),
    ('["mala", "mala"]', "stands twice")])
def test_labels_that_mislead_are_refused(tmp_path: Path, items: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        read_suite(suite_file(tmp_path, GOOD.replace('["mala"]', items)))
    with pytest.raises(UserError, match="is the name of another"):
        read_suite(suite_file(tmp_path, GOOD + 'metrics = [{name = "ksd", label = "mmd"}]\n'))


def test_a_label_and_the_longest_pair_fit_into_a_file_name() -> None:
    key = job_key("x" * LONGEST, "y" * LONGEST, 10**9)
    assert len(f".{key}.jsonl.{'0' * 32}.part.damaged") < 255


def test_a_plugin_s_name_is_held_to_the_same_rule(tmp_path: Path) -> None:
    plugin = tmp_path / "mine.py"
    plugin.write_text("from samplers import Sampler\nclass Mine(Sampler):\n"
                      "    name = 'my sampler [new]'\n    kind = 'amortised'\n")
    with pytest.raises(UserError, match=r"label 'my sampler \[new\]'.*label = "):
        read_suite(suite_file(tmp_path, GOOD), plugin, only_samplers="my sampler [new]")
    text = GOOD.replace('"mala"', '{name = "my sampler [new]", label = "mine"}')
    suite = read_suite(suite_file(tmp_path, text), plugin)
    assert [t.name for t in job_tasks(suite, tmp_path, 1, set())][-1].endswith("--gaussian")
