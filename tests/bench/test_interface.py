"""``import bench`` in a notebook: the numbers of the command line, own classes, one sentence."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import bench
from bench.commands.parser import main
from bench.core.places import ROOT
from bench.core.registry import catalogue
from results.records.schema import Checkpoint, Measure
from results.records.store import read, read_header
from tests.support.check_fake import Fake

SUITE = """
targets = ["gmm4"]
samplers = [{name = "hmc", params = {chains = 50}}, "mala"]
baselines = []
metrics = ["mmd", "ksd", "w2", "mode_tv"]
seeds = "3:5"
n = 200
n_curve = 100
budget = "20000evals"
floor_draws = 20
"""
HEAVY = {"torch", "pandas", "matplotlib", "numpy", "scipy", "rich", "ot"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> bench.interface.suites.SuiteRun:
    """A run that the command line made."""
    folder = tmp_path_factory.mktemp("suite")
    (folder / "small.toml").write_text(SUITE)
    assert main(["run", "--suite", str(folder / "small.toml"), "--out", str(folder / "run"),
                 "--no-report"]) == 0
    return bench.load(folder / "run")


def python(code: str, cwd: Path = ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=cwd,
                          check=False, env={**os.environ, "PYTHONPATH": str(ROOT), **env})


# ---- import -------------------------------------------------------------------------------------


def test_import_is_light() -> None:
    assert python(f"import bench, sys; print({HEAVY} & set(sys.modules))").stdout == "set()\n"
    times = []
    for _ in range(5):
        told = subprocess.run([sys.executable, "-X", "importtime", "-c", "import bench"],
                              capture_output=True, text=True, check=True, cwd=ROOT).stderr
        times.append(int(re.findall(r"\| +(\d+) \| bench$", told, re.MULTILINE)[0]) / 1e6)
    assert min(times) < 0.2


def test_every_name_is_there_and_documented() -> None:
    assert dir(bench) == sorted(bench.__all__)
    for name in bench.__all__:
        assert (getattr(bench, name).__doc__ or "").strip(), name
    with pytest.raises(AttributeError, match="'bench' has no attribute 'runn'"):
        bench.runn  # noqa: B018


@pytest.mark.parametrize("name", ["metrics/__init__.py", "results.py", "torch.py",
                                  "samplers/__init__.py", "pandas/__init__.py"])
def test_a_file_in_the_way_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("raise SystemExit('mine')\n")
    done = python("import bench", tmp_path)
    said = done.stderr.strip().splitlines()[-1]
    assert said.startswith("ImportError: '") and "rename" in said
    assert str(tmp_path / name.removesuffix("/__init__.py")) in said
    assert python("import bench", tmp_path.parent).returncode == 0, "from elsewhere it is no harm"


def test_a_folder_without_code_is_in_nobodys_way(tmp_path: Path) -> None:
    for name in ("metrics", "results", "torch", "bench"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "notes.txt").write_text("mine")
    done = python("import bench, results; print(results.__file__)", tmp_path)
    assert done.stdout.strip() == str(ROOT / "results" / "__init__.py"), done.stderr


def test_beside_a_script_counts_as_well(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("")
    (tmp_path / "mine.py").write_text("import bench\n")
    done = subprocess.run([sys.executable, str(tmp_path / "mine.py")], capture_output=True,
                          text=True, cwd=ROOT, check=False,
                          env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert f"ImportError: '{tmp_path / 'numpy.py'}' hides the package 'numpy'" in done.stderr


# ---- one job ------------------------------------------------------------------------------------


def test_the_numbers_are_those_of_the_command_line(
        run: bench.interface.suites.SuiteRun) -> None:
    records = [r for r in read(run.path)[0] if r.key == "hmc--gmm4--s3"]
    result = bench.run("hmc", "gmm4", budget="20000evals", n=200, n_curve=100, seed=3, chains=50)
    assert result.status == "ok"
    assert np.array_equal(result.points, run.samples("hmc", "gmm4", 3))
    names = ["mmd", "ksd", "w2", "mode_tv"]
    finals = {m.metric: m for m in records if isinstance(m, Measure) and m.stage == "final"}
    scores = result.scores(names)
    assert [(scores.value[m], scores.n[m]) for m in names] == [
        (finals[m].value, finals[m].n) for m in names]
    assert [s for s in scores.se if s == s] == [
        finals[m].se for m in names if finals[m].se is not None]
    curves = {(m.metric, m.index): m.value for m in records
              if isinstance(m, Measure) and m.stage == "curve"}
    checkpoints = result.checkpoints(names)
    assert [[checkpoints[m][i] for i in range(5)] for m in names] == [
        [curves[m, i] for i in range(5)] for m in names]
    spent = [r.spent.evaluations() for r in records if isinstance(r, Checkpoint)]
    assert checkpoints.evaluations.tolist() == spent


def test_floors_are_those_of_a_run() -> None:
    """At n = 500 they are committed; the same 1,000 draws serve everybody."""
    result = bench.run("mala", "gmm4", budget="5000evals", n=500)
    scores = result.scores("mmd")
    floors = np.load(ROOT / "results" / "data" / "floors" / "gmm4.npz")["mmd/500"]
    assert scores.floor_mean["mmd"] == floors.astype(np.float64).mean()
    assert 0 < scores.p["mmd"] <= 1


def test_names_and_instances_are_the_same() -> None:
    given: dict[str, Any] = {"budget": "4000evals", "n": 100, "seed": 1}
    named = bench.run("mala", "gmm4", chains=40, **given)
    made = bench.run(bench.sampler("mala", chains=40), bench.target("gmm4"), **given)
    assert np.array_equal(named.points, made.points) and named.job.params == made.job.params
    assert bench.run("mala", bench.target("gmm4").tempered(2.0), **given).status == "ok"
    threads = torch.get_num_threads()
    assert not np.array_equal(named.points, bench.run("mala", "gmm4", chains=40,
                                                      **{**given, "seed": 2}).points)
    assert torch.get_num_threads() == threads


OWN = """
import dataclasses, torch, bench

class Ring(bench.Target):
    '''A ring of radius 3.'''
    name, dim, scale = "ring", 2, 3.0

    def log_prob(self, x):
        return -8 * (x.norm(dim=1) - 3) ** 2

@dataclasses.dataclass(frozen=True)
class Walk(bench.Sampler):
    '''Random-walk Metropolis.'''
    name, kind = "walk", "continuing"
    step_size: float = 0.5

    def init(self, target, rng):
        x = target.scale * torch.randn(100, target.dim, generator=rng, dtype=target.dtype)
        return x, target.log_prob(x)

    def step(self, target, state, progress, rng):
        x, now = state
        y = x + self.step_size * torch.randn(x.shape, generator=rng, dtype=x.dtype)
        new = target.log_prob(y)
        take = torch.rand(len(x), generator=rng) < torch.exp(new - now)
        return torch.where(take[:, None], y, x), torch.where(take, new, now)

    def draw(self, target, state, n, rng):
        return state[0][:n].clone()

    def points(self, n):
        return min(n, 100)

    def independent_steps(self, state):
        return 100, 50.0

class Radius(bench.Metric):
    '''Distance of the mean radius from 3.'''
    name, title, needs = "radius", "radius", ()

    def estimate(self, x, evidence):
        from metrics import Estimate
        return Estimate(float((x.norm(dim=1).mean() - 3).abs()))

r = bench.run(Walk(step_size=0.7), Ring(), budget="20000evals", n=200)
print(r.status, r.points.shape, r.job.params)
print(r.scores([Radius(), "ksd", "mmd"]).to_string())
print(bench.run("hmc", Ring(), budget="5000evals", n=50, chains=50).status)
print(bench.run(Walk(), "gaussian", budget="5000evals", n=50).scores(["mmd"]).value.notna().all())
"""


def test_classes_of_a_notebook_need_no_file(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-"], input=OWN, capture_output=True, text=True,
                          cwd=tmp_path, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)})
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert lines[0] == "ok (100, 2) {'step_size': 0.7}"
    assert lines[-2:] == ["ok", "True"]
    assert "mmd" in lines[-3] and "needs reference, which the target lacks" in lines[-3]


class Nameless(bench.Target):
    dim, scale = 2, 1.0

    def log_prob(self, x: torch.Tensor) -> torch.Tensor:
        return -x.square().sum(1)


class Flat(bench.Target):
    name = "flat"

    def log_prob(self, x: torch.Tensor) -> torch.Tensor:
        return 0 * x.sum(1)


class Bell(Nameless):
    """exp(-|x|^2) in the plane."""

    name = "bell"


def test_a_long_run_is_a_reference() -> None:
    """Metrics that compare with exact points apply then; a run of something else is refused."""
    exact = np.random.default_rng(0).standard_normal((1000, 2)) / 2 ** 0.5
    scores = bench.run("mala", Bell(), budget="150000evals", n=100, reference=exact).scores("mmd")
    assert scores.p["mmd"] > 0.01 and scores.floor_sd["mmd"] > 0
    for pool, said in ((exact + 0.5, "disagrees"), (exact[:500], "at least 1000 rows"),
                       (exact[:, :1], "the reference cannot be used: .*shape")):
        with pytest.raises(bench.UserError, match=said):
            bench.run("mala", Bell(), budget="1000evals", n=100, reference=pool)


USUAL: dict[str, Any] = {"sampler": "mala", "target": "gmm4", "budget": "1000evals", "n": 50}


@pytest.mark.parametrize(("changed", "said"), [
    ({"sampler": "malla"}, "did you mean 'mala'"),
    ({"target": "gm4"}, "did you mean 'gmm4'"),
    ({"chain": 5}, "no parameter 'chain'; did you mean 'chains'"),
    ({"sampler": bench.sampler("mala"), "chains": 5}, "chains: hyperparameters go with the name"),
    ({"sampler": type(bench.sampler("mala"))}, "is a class; give an instance, Mala()"),
    ({"sampler": 5}, "5 is no sampler; give a name (bench.samplers() lists them)"),
    ({"target": Nameless()}, "class Nameless has no name; add the line name = \"nameless\""),
    ({"target": torch.zeros(2)}, "is no target"),
    ({"target": Flat()}, "class Flat has no dim; add a line such as dim = 2"),
    ({"seed": -1}, "seed must be a whole number from 0"), ({"budget": 3e5}, "a number and a unit"),
    ({"budget": "lots"}, "budget 'lots' is not understood"),
    ({"n": 5}, "n must be a whole number from 10"), ({"n": 1.5}, "n must be a whole number"),
    ({"dtype": "float16"}, "dtype 'float16' is not one of"),
    ({"device": "tpu9"}, "device 'tpu9' is not cpu, cuda"),
    ({"device": "cuda:77"}, "device 'cuda:77' is not there"),
    ({"metrics": ["mdm"]}, "did you mean 'mmd'"), ({"metrics": [3]}, "3 is no metric"),
    ({"metrics": ["w2", bench.metric("w2", cap=50)]}, "two metrics are called 'w2'"),
    ({"checkpoints": 0}, "at least 1 checkpoint"),
    ({"checkpoints": [10, 20]}, "the last checkpoint must be the whole budget"),
])
def test_a_mistake_is_one_sentence(changed: dict[str, Any], said: str) -> None:
    given = {**USUAL, **changed}
    with pytest.raises(bench.UserError, match=re.escape(said)) as caught:
        bench.run(given.pop("sampler"), given.pop("target"), **given)
    assert "\n" not in str(caught.value)


class Lost(bench.Sampler):
    """Raises at its first step."""

    name, kind = "lost", "amortised"

    def init(self, target: Any, rng: torch.Generator) -> None:
        return None

    def step(self, target: Any, state: None, progress: float, rng: torch.Generator) -> None:
        raise ValueError("no way out")

    def draw(self, target: Any, state: None, n: int, rng: torch.Generator) -> torch.Tensor:
        return torch.zeros(n, target.dim)


def test_what_a_sampler_does_wrong_is_a_status() -> None:
    result = bench.run(Lost(), "gaussian", budget="2000evals", n=50)
    assert result.status == "failed" and "no way out" in result.reason
    assert result.reason in repr(result) and result.reason in result._repr_html_()
    assert result.checkpoints().empty
    with pytest.raises(bench.UserError, match="the job left no points: it ended as"):
        result.points  # noqa: B018


def test_what_a_sampler_knows_of_itself_is_asked_while_it_runs() -> None:
    given: dict[str, Any] = {"budget": "20000evals", "n": 50, "checkpoints": 2}
    asked = bench.run("ais", "gmm4", metrics={"bound": "elbo"}, **given)
    assert asked.checkpoints().bound.notna().all() and asked.scores().index.tolist() == ["bound"]
    late = bench.run("ais", "gmm4", **given)
    assert late.scores("elbo").value["elbo"] == asked.scores().value["bound"]
    with pytest.raises(bench.UserError, match="elbo: .* name it in metrics of bench.run"):
        late.checkpoints("elbo")
    assert "does not say" in bench.run("mala", "gmm4", **given).scores("elbo").note["elbo"]


# ---- suites -------------------------------------------------------------------------------------


def test_a_run_is_read_as_tables(run: bench.interface.suites.SuiteRun) -> None:
    assert repr(run).startswith("<run of suite 'small'") and "4 jobs, all ok" in repr(run)
    assert run.jobs().groupby("label").size().to_dict() == {"hmc": 2, "mala": 2}
    finals = run.measures().query("stage == 'final'")
    assert len(finals) == 16 and finals.value.notna().all()
    assert run.samples("hmc", "gmm4", 4).shape == (200, 2)
    assert run.suite["budget"] == "20000evals"


def test_a_run_s_report(run: bench.interface.suites.SuiteRun) -> None:
    page = run.report()
    assert page.name == "report.html" and "hmc" in page.read_text()
    assert "hmc" in run.text() and max(map(len, run.text(80).splitlines())) <= 80
    html = run._repr_html_()
    assert "<table>" in html and "<script" not in html


def test_a_suite_from_python(run: bench.interface.suites.SuiteRun, tmp_path: Path,
                            capfd: pytest.CaptureFixture[str]) -> None:
    made = bench.run_suite(run.path.parent / "small.toml", tmp_path / "own", samplers=["mala"],
                           seeds="4:5", progress=False)
    assert capfd.readouterr() == ("", "")
    assert np.array_equal(made.samples("mala", "gmm4", 4), run.samples("mala", "gmm4", 4))
    words = read_header(made.path)["command"].split()
    assert words[:5] == ["python", "-m", "bench", "run", "--suite"]
    assert words[6:] == ["--samplers", "mala", "--seeds", "4:5", "--out", str(tmp_path / "own")]


@pytest.mark.parametrize(("words", "said"), [
    (("hcm", "gmm4", 3), "no sampler 'hcm' .*did you mean 'hmc'"),
    (("hmc", "gm4", 3), "no target 'gm4' .*did you mean 'gmm4'"),
    (("hmc", "gmm4", 0), "no job of hmc on gmm4 with seed 0 .*3, 4"),
])
def test_samples_that_are_not_there(run: bench.interface.suites.SuiteRun,
                                    words: tuple[str, str, int], said: str) -> None:
    with pytest.raises(bench.UserError, match=said):
        run.samples(*words)


def test_a_comparison(run: bench.interface.suites.SuiteRun) -> None:
    made = bench.compare(run, against="mala")
    (pair,) = made.table().to_dict("records")
    assert (pair["sampler"], pair["against"], pair["targets"]) == ("hmc", "mala", 1)
    assert 0 < pair["p"] <= 1 and pair["verdict"] == "not shown"
    assert made.ranks().loc[["hmc", "mala"], "mean"].sum() == 3
    assert "mala" in made.sentence and "<table>" in made._repr_html_()
    with pytest.raises(bench.UserError, match="did you mean 'mala'"):
        bench.compare(run, against="mal")


def test_a_check_says_what_got_worse(tmp_path: Path) -> None:
    old = Fake().write(tmp_path / "old")
    baseline = bench.freeze(old, tmp_path / "base.json")
    new = Fake(seeds=range(5), draw=1, rise={("ula", "ring"): 6.0}).write(tmp_path / "new")
    made = bench.check(new, baseline)
    assert made.code == 1 and made.sentence.startswith("REGRESSION: ula on ring")
    worst = made.table().iloc[0]
    assert (worst.sampler, worst.target, worst.verdict) == ("ula", "ring", "worse")
    assert worst.new > worst.old and "<table>" in made._repr_html_()
    with pytest.raises(bench.UserError, match="too small for a baseline"):
        bench.freeze(new, tmp_path / "small.json")


def test_a_mistake_in_a_suite_leaves_nothing(tmp_path: Path) -> None:
    for given, said in (({"samplers": ["malla"]}, "did you mean 'mala'"),
                        ({"seeds": "none"}, "seeds 'none'"), ({"workers": 0}, "workers = 0"),
                        ({"references": {"gmm4": "x.npy"}}, "no target 'gmm4'"),
                        ({"plugin": "nowhere.py"}, "'nowhere.py' does not exist")):
        with pytest.raises(bench.UserError, match=said):
            bench.run_suite("smoke", tmp_path / "run", progress=False, **given)
    with pytest.raises(bench.UserError, match="not the folder of a run"):
        bench.load(tmp_path / "nowhere")
    with pytest.raises(bench.UserError, match="not the folder of a run"):
        bench.resume(tmp_path / "nowhere")
    assert not list(tmp_path.iterdir())


def test_an_unfinished_run_goes_on(run: bench.interface.suites.SuiteRun, tmp_path: Path) -> None:
    with pytest.raises(bench.UserError, match="already holds a run"):
        bench.run_suite("smoke", run.path)
    lines = (run.path / "records.jsonl").read_text().splitlines(keepends=True)
    before = run.samples("mala", "gmm4", 4)
    (run.path / "records.jsonl").write_text("".join(x for x in lines if "mala--gmm4--s4" not in x))
    again = bench.resume(run.path, progress=False)
    assert len(again.jobs()) == 4 and np.array_equal(again.samples("mala", "gmm4", 4), before)


# ---- what there is ------------------------------------------------------------------------------


def test_what_there_is() -> None:
    for kind in ("samplers", "targets", "metrics"):
        listed = getattr(bench, kind)()
        assert listed.index.tolist() == sorted(catalogue()[kind]) and listed.summary.all()
    assert bench.samplers().kind["hmc"] == "continuing"
    assert "chains=" in bench.samplers().parameters["hmc"]
    assert {"smoke", "toy2d"} <= set(bench.suites().index)
    assert not bench.metrics().default["elbo"]
    x = torch.zeros(5, 3, dtype=torch.float64)
    assert bench.target("gmm_nd", dim=3).log_prob(x).shape == (5,)
    with pytest.raises(bench.UserError, match="no parameter 'dims'; did you mean 'dim'"):
        bench.target("gmm_nd", dims=3)
