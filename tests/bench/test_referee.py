"""``--referee``: samplers run where nothing can judge them, and the numbers stay the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.core.errors import UserError
from bench.jobs import referee
from bench.jobs.plan import job_tasks
from bench.suite.suite import read_suite
from results.records.run_folder import load
from results.records.schema import Job, Measure
from results.records.store import read
from results.report.sections.summary import facts
from tests import support
from tests.support.runs import finish, finish_anew, numbers

PLUGIN = Path(support.__file__).with_name("bad_samplers.py")

SPY = '''
import gc, sys
from dataclasses import dataclass
from pathlib import Path
import bench.core.seal
import torch
from samplers.base import Sampler, initial_points
from targets.base import Target


@dataclass(frozen=True)
class Spy(Sampler):
    """Breaks the seal, looks round for exact points, and says in its diagnostics what it found."""

    name = "spy"
    kind = "one-shot"
    family = "mcmc"

    def init(self, target, rng):
        return initial_points(target, 60, rng)

    def step(self, target, state, progress, rng):
        return state + 0.05 * target.score(state)

    def draw(self, target, state, n, rng):
        return state[:n].clone()

    def independent_steps(self, state):
        return 60, 10.0

    def diagnostics(self, state):
        bench.core.seal._sealed = False
        found = [t for t in gc.get_objects() if isinstance(t, Target)]
        able = 0
        for target in found:
            try:
                type(target).sample(target, 3, torch.Generator())
            except NotImplementedError:
                continue
            except Exception:
                pass
            able += 1
        told = str([v for f in sys._current_frames().values() for v in _frames(f)])
        return {"targets": len(found), "able": able, "truths": sum(len(t.truths()) for t in found),
                "told": float("runs-folder" in told)}


def _frames(frame):
    while frame is not None:
        yield {k: v for k, v in frame.f_locals.items() if isinstance(v, (dict, str, Path))
               or hasattr(v, "__dataclass_fields__")}
        frame = frame.f_back
'''
SUITE = '''
targets = ["gmm4"]
samplers = ["ula", "coupling_flow"]
baselines = ["exact"]
metrics = ["mmd", "ksd", "elbo", "eubo"]
seeds = 2
budget = "9000evals"
checkpoints = 2
n = 120
n_curve = 60
floor_draws = 25
'''
SPYING = '''
targets = ["gmm4"]
samplers = ["spy"]
baselines = ["exact"]
metrics = ["mmd"]
seeds = 1
budget = "2000evals"
checkpoints = 1
n = 60
n_curve = 60
floor_draws = 25
'''


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """One suite, judged in the sampler's process and apart from it."""
    place = tmp_path_factory.mktemp("referee")
    (place / "both.toml").write_text(SUITE)
    suite = ["--suite", str(place / "both.toml")]
    finish(*suite, "--out", str(place / "together"))
    finish(*suite, "--out", str(place / "apart"), "--referee")
    return place / "together", place / "apart"


def test_the_numbers_are_those_of_an_ordinary_run_to_the_bit(both: tuple[Path, Path]) -> None:
    together, apart = (numbers(folder) for folder in both)
    exact_weights = {key for key in together if key[0] == "measure" and key[-1] == "eubo"}
    assert exact_weights and not exact_weights & apart.keys()
    assert {k: v for k, v in together.items() if k not in exact_weights} == apart
    for folder in both:
        jobs = [r for r in read(folder)[0] if isinstance(r, Job)]
        assert len(jobs) == 2 * 3 and {job.status for job in jobs} <= {"ok", "unaffordable"}
        assert len(list((folder / "samples").iterdir())) == len(jobs)


def test_the_report_says_which_way_it_was_judged(both: tuple[Path, Path]) -> None:
    said = [dict(facts(load(folder)))["Judged"] for folder in both]
    assert "sampler's process" in said[0] and "--referee" in said[1]


def test_a_spy_finds_exact_points_together_and_none_apart(tmp_path: Path) -> None:
    """Its process holds no target that can be sampled, no truth, and not the run's folder."""
    (tmp_path / "spy.py").write_text(SPY)
    (tmp_path / "spying.toml").write_text(SPYING)
    found = []
    for mode in ([], ["--referee"]):
        folder = tmp_path / f"runs-folder{len(mode)}"
        finish_anew("--suite", str(tmp_path / "spying.toml"), "--plugin", str(tmp_path / "spy.py"),
                    "--out", str(folder), *mode)
        found.append(next(r.diagnostics for r in read(folder)[0]
                          if isinstance(r, Job) and r.label == "spy"))
        assert any(isinstance(r, Measure) and r.metric == "mmd" for r in read(folder)[0])
    together, apart = found
    assert together["able"] > 0 and together["truths"] > 0 and together["told"]
    assert apart["targets"] > 0 and not apart["able"] + apart["truths"] + apart["told"]


@pytest.mark.slow
def test_a_job_that_dies_apart_is_a_row_and_the_others_are_judged(tmp_path: Path) -> None:
    (tmp_path / "mixed.toml").write_text(SPYING.replace('"spy"', '"dies", "raises", "good"')
                                         .replace("seeds = 1", "seeds = 2"))
    finish("--suite", str(tmp_path / "mixed.toml"), "--plugin", str(PLUGIN),
           "--out", str(tmp_path / "run"), "--referee")
    jobs = {(r.label, r.seed): r.status for r in read(tmp_path / "run")[0] if isinstance(r, Job)}
    assert {k: v for k, v in jobs.items() if k[0] != "exact"} == {
        ("dies", 0): "killed", ("dies", 1): "killed", ("raises", 0): "failed",
        ("raises", 1): "failed", ("good", 0): "ok", ("good", 1): "ok"}


@pytest.mark.parametrize(("half", "broken"), [(referee.play, "sample"),
                                              (referee.judge, "make_scorer")])
def test_a_fault_of_the_benchmark_is_no_sampler_s(half: Callable[..., None], broken: str,
                                                 tmp_path: Path,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    """It ended the process, and the sampler was recorded as failed."""
    def fails(*_: object) -> None:
        raise RuntimeError("a slip")

    monkeypatch.setattr(referee, broken, fails)
    monkeypatch.setattr(referee, "_density", lambda spec: None)  # it would strip classes here
    (tmp_path / "suite.toml").write_text(SUITE)
    suite = read_suite(str(tmp_path / "suite.toml"))
    (task,) = [t for t in job_tasks(suite, tmp_path, 1, set()) if t.name == "ula--gmm4"]
    with pytest.raises(UserError, match="the benchmark itself failed at ula--gmm4--s0"):
        half(task.jobs[0], tmp_path if half is referee.judge else False, lambda event: None)
