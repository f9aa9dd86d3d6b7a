"""An error is the sampler's, the target's, the metric's or the run's, and becomes what is right.

Before, a job was ``failed`` for whatever was raised anywhere in it, and lost all it had spent.
"""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.core.errors import StoreError, UserError
from bench.harness.budget import Budget
from bench.harness.judge import Judge
from bench.jobs.execute import execute
from bench.jobs.messages import Event, Reached
from bench.jobs.prepare import prepare_target
from bench.jobs.spec import JobSpec, RunSettings
from bench.suite.declarations import Declared
from bench.suite.specs import MetricSpec, SamplerSpec, TargetSpec
from metrics.base import Estimate, Evidence, Metric
from results.records.floors_file import Floors
from results.records.schema import Checkpoint, Job, Measure, parse
from tests.support.hostile import Bell, Fair, State, play, spoilt


def raising(error: Exception, after: int = 0) -> Any:
    """A step that raises once so many were made."""
    def step(self: Any, target: Any, state: State, progress: float, rng: Any) -> State:
        if state.steps >= after:
            raise error
        return Fair.step(self, target, state, progress, rng)
    return step


class Fragile(Bell):
    """Raises as soon as a point lies beyond ``edge``, or is no number."""

    edge = 4.0

    def score(self, x: Tensor) -> Tensor:
        if not bool((x.abs() < self.edge).all()):
            raise ValueError("outside the support")
        return -x


class Ever(Fragile):
    edge = -1.0


def test_what_a_verb_raises_is_failed_and_keeps_what_was_spent() -> None:
    outcome, checkpoints, _ = play(spoilt(step=raising(KeyError("beta"), after=7)))
    assert (outcome.status, outcome.reason) == ("failed", "step raised KeyError: 'beta'")
    assert outcome.steps == 7 and outcome.train.score == 700 and outcome.train.wall > 0
    assert [c.steps for c in checkpoints] == [2, 3, 5], "checkpoints until then are kept"


def test_what_the_target_raises_is_the_target_s() -> None:
    outcome, _, _ = play(Fair(), Ever())
    assert outcome.status == "target-failed"
    assert outcome.reason == "the target raised ValueError: outside the support (asked by step)"
    later, _, _ = play(Fair(), Fragile(), evals=1e5)
    assert later.status == "target-failed" and later.steps > 0 and later.train.score > 0


def test_by_backward_too() -> None:
    def step(self: Any, target: Any, state: State, progress: float, rng: Any) -> State:
        x = state.x.clone().requires_grad_()
        (g,) = torch.autograd.grad(target.log_prob(x).sum(), x)
        return State(state.x + 0.1 * g)
    assert play(spoilt(step=step), Ever())[0].status == "target-failed"


@pytest.mark.parametrize(("points", "status"), [
    (lambda x: x * float("nan"), "diverged"), (lambda x: x.double(), "failed"),
    (lambda x: x[:, :1], "failed"), (lambda x: x.numpy(), "failed")])
def test_a_target_that_is_asked_wrongly_is_not_at_fault(points: Any, status: str) -> None:
    def step(self: Any, target: Any, state: State, progress: float, rng: Any) -> State:
        return State(state.x + target.score(points(state.x)))
    assert play(spoilt(step=step), Ever())[0].status == status


def test_a_sampler_may_catch_what_its_target_raises_by_its_class() -> None:
    def step(self: Any, target: Any, state: State, progress: float, rng: Any) -> State:
        try:
            return Fair.step(self, target, state, progress, rng)
        except ValueError:
            return State(state.x * 0.5, state.steps + 1)
    assert play(spoilt(step=step), Fragile())[0].status == "ok"


@pytest.mark.parametrize(("error", "status"), [
    (MemoryError(), "out-of-memory"), (torch.OutOfMemoryError("x"), "out-of-memory"),
    (NotImplementedError("only in one dimension"), "unsupported"), (UserError("x"), "failed")])
def test_other_errors_keep_their_meaning(error: Exception, status: str) -> None:
    assert play(spoilt(step=raising(error)))[0].status == status


def test_a_full_disk_is_nobody_s_failure() -> None:
    with pytest.raises(StoreError, match="disk is full.*--resume"):
        play(spoilt(step=raising(OSError(errno.ENOSPC, "No space left on device"))))


def test_the_judge_s_own_trouble_comes_out() -> None:
    """Before, an error of the judge was recorded as the sampler's."""
    from tests.support.hostile import JobLoop

    run = JobLoop(Fair(), Bell().to("cpu", torch.float32), "bell", Budget("evals", 2000), 0,
                  60, 30)
    with pytest.raises(ZeroDivisionError):
        run.play(lambda checkpoint: 1 // 0)


def test_a_failed_draw_keeps_its_cost() -> None:
    def draw(self: Any, target: Any, state: State, n: int, rng: Any) -> Tensor:
        target.log_prob(state.x)
        if n == 60:
            raise RuntimeError("no more")
        return state.x[:n]
    outcome, checkpoints, _ = play(spoilt(draw=draw))
    assert outcome.reason == "draw raised RuntimeError: no more"
    assert outcome.draw.density == 100 and len(checkpoints) == 4


# ---- metrics ------------------------------------------------------------------------------------


class Bad(Metric):
    """A metric that answers with whatever it is given."""

    name = title = "bad"

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def estimate(self, x: Tensor, evidence: Evidence) -> Estimate:
        if isinstance(self.answer, Exception):
            raise self.answer
        x.zero_()  # what it does to its points is its own
        answer: Estimate = self.answer
        return answer


def judged(answer: Any, floors: Path) -> list[Measure]:
    measures: list[Measure] = []
    judge = Judge(Bell().to("cpu", torch.float32), "bell", {"bad": Bad(answer)}, 0, 60,
                  Floors.read(floors))
    judge.warm_up()
    from tests.support.hostile import JobLoop

    run = JobLoop(Fair(), Bell().to("cpu", torch.float32), "bell", Budget("evals", 2000), 0,
                  60, 30)
    assert run.play(lambda at: measures.extend(judge.measures("k", at, 30))).status == "ok"
    return measures


@pytest.mark.parametrize(("answer", "note"), [
    (KeyError("beta"), "KeyError: 'beta'"), (AssertionError("no"), "AssertionError: no"),
    (Estimate(float("nan")), "not finite"), (3.0, "must return an Estimate"),
    (Estimate(1 + 2j), "a number is wanted"), (Estimate("a"), "a number is wanted")])  # type: ignore[arg-type]
def test_what_a_metric_does_is_a_note_of_its_measure(answer: Any, note: str,
                                                     tmp_path: Path) -> None:
    """KeyError came out of the job before; NaN on exact points raised in p_value."""
    for measure in judged(answer, tmp_path / "none"):
        assert measure.value is None and note in measure.note


def test_a_metric_s_tensor_is_a_number_and_its_points_are_a_copy(tmp_path: Path) -> None:
    measures = judged(Estimate(torch.tensor(2.5), np.float32(0.5)), tmp_path / "none")  # type: ignore[arg-type]
    assert {m.value for m in measures} == {2.5} and type(measures[0].value) is float
    assert type(measures[0].se) is float


def test_a_floor_that_is_no_number_gives_no_p(tmp_path: Path) -> None:
    path = tmp_path / "bell.npz"
    np.savez(path, **{"bad/30": np.array([1.0, np.nan]), "bad/60": np.array([1.0, 2.0])})
    small, large = (next(m for m in judged(Estimate(1.5), path) if m.n == n) for n in (30, 60))
    assert small.value == 1.5 and small.p is None and small.floor_mean is None
    assert "not finite on exact points" in small.note
    assert large.p is not None and not large.note


def settings(tmp_path: Path, plugin: Path, metric: str) -> RunSettings:
    return RunSettings(tmp_path, plugin, "cpu", "float32", 1, False, 60, 30, (1.0,), 0.01, 5,
                       (MetricSpec(metric, "theirs"),), {})


PLUGIN = '''
from dataclasses import dataclass
import torch
from metrics import Metric, Estimate
from targets import Target

class Stubborn(Target):
    """Cannot be made."""
    name = "stubborn"
    dim, scale = 2, 1.0
    def __init__(self):
        raise FileNotFoundError("data.csv")
    def log_prob(self, x):
        return -x.square().sum(-1)

class Tensors(Target):
    """Declares itself in tensors and NumPy scalars."""
    name = "tensors"
    def __init__(self):
        import numpy
        self.dim, self.scale = numpy.int64(2), torch.tensor(1.5)
        self.log_z, self.mode_weights = numpy.float32(0.5), [0.5, 0.5]
    def log_prob(self, x):
        return -x.square().sum(-1)

@dataclass(frozen=True)
class Wrong(Metric):
    """Raises a programming error."""
    name = title = "wrong"
    def estimate(self, x, evidence):
        return {}["beta"]

@dataclass(frozen=True)
class Unable(Metric):
    """Cannot be computed here."""
    name = title = "unable"
    def estimate(self, x, evidence):
        raise ValueError("no finite moments")

@dataclass(frozen=True)
class Nan(Metric):
    """Is NaN on exact points."""
    name = title = "nan"
    def estimate(self, x, evidence):
        return Estimate(float("nan"))
'''


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    path = tmp_path / "theirs.py"
    path.write_text(PLUGIN)
    return path


def prepare(target: str, given: RunSettings) -> dict[str, Any]:
    return prepare_target(TargetSpec(target, target), (), given)


@pytest.mark.parametrize(("metric", "why"), [("unable", "ValueError: no finite moments"),
                                             ("nan", "not finite on exact points")])
def test_a_metric_without_a_null_law_has_no_floor_and_says_so(
        metric: str, why: str, tmp_path: Path, plugin: Path) -> None:
    facts = prepare("gaussian", settings(tmp_path, plugin, metric))
    assert facts["floor_draws"] == {}
    path = tmp_path / "floors" / "gaussian.npz"
    stored = Floors.read(path)
    assert stored.draws == {} and why in stored.left_out["theirs/60"]


def test_a_metric_with_a_programming_error_refuses_the_run_by_name(
        tmp_path: Path, plugin: Path) -> None:
    with pytest.raises(UserError, match="metric 'theirs' raised KeyError: 'beta'.*'gaussian'.*"
                                        "mend it, or leave it out"):
        prepare("gaussian", settings(tmp_path, plugin, "wrong"))


def test_a_target_that_cannot_be_made_stops_the_run(tmp_path: Path, plugin: Path) -> None:
    with pytest.raises(UserError, match="'stubborn' cannot be made: FileNotFoundError: data.csv"):
        prepare("stubborn", settings(tmp_path, plugin, "nan"))


def test_a_target_s_facts_may_be_tensors(tmp_path: Path, plugin: Path) -> None:
    facts = prepare("tensors", settings(tmp_path, plugin, "nan"))
    assert (facts["dim"], facts["scale"], facts["log_z"]) == (2, 1.5, 0.5)
    assert all(type(facts[k]) in (int, float) for k in ("dim", "scale", "log_z"))


# ---- a job's record -----------------------------------------------------------------------------


def job_spec(tmp_path: Path, plugin: Path, target: str = "gaussian",
             kind: str = "continuing") -> JobSpec:
    return JobSpec(SamplerSpec("ula", "ula"), TargetSpec(target, target), 1,
                   Budget("evals", 2000.0), Declared(kind, False, False), "",
                   settings(tmp_path, plugin, "nan"))


def test_outer_trouble_records_nothing(tmp_path: Path, plugin: Path) -> None:
    """A missing floor and a target that cannot be made were ``failed`` samplers before."""
    for target, error in (("gaussian", StoreError), ("stubborn", UserError)):
        with pytest.raises(error):
            execute(job_spec(tmp_path, plugin, target), lambda event: None)
    assert not list(tmp_path.glob("inbox/*"))


def test_the_benchmark_s_own_trouble_records_nothing(
        tmp_path: Path, plugin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = job_spec(tmp_path, plugin)
    prepare("gaussian", spec.settings)
    for error, said in ((ZeroDivisionError("x"), "benchmark itself failed at ula--gaussian--s1"),
                        (OSError(errno.ENOSPC, "No space left on device"), "No space left")):
        def fail(*args: Any, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr("bench.harness.scoring.Judge.measures", fail)
        with pytest.raises((UserError, StoreError), match=said):
            execute(spec, lambda event: None)
    assert not list(tmp_path.glob("inbox/*"))


@pytest.mark.parametrize("says", [0, 61, 2.5, None])
def test_points_that_cannot_be_refuse_the_run(says: Any, tmp_path: Path, plugin: Path,
                                              monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("samplers.mcmc.ula.Ula.points", lambda self, n: says)
    with pytest.raises(UserError, match="sampler 'theirs': points"):
        prepare_target(TargetSpec("gaussian", "gaussian"), [SamplerSpec("ula", "theirs")],
                       settings(tmp_path, plugin, "nan"))


def test_a_whole_job(tmp_path: Path, plugin: Path) -> None:
    spec = job_spec(tmp_path, plugin)
    prepare("gaussian", spec.settings)
    events: list[Event] = []
    job = execute(spec, events.append)
    assert job.status == "ok" and job.notes == () and job.uncharged.score > 0
    lines = (tmp_path / "inbox" / "ula--gaussian--s1.jsonl").read_text().splitlines()
    assert {type(parse(line)) for line in lines} == {Job, Checkpoint, Measure}
    checkpoint = next(e for e in events if isinstance(e, Reached))
    assert checkpoint.steps == job.steps and checkpoint.spent.score == job.train.score
    assert job.params["step_size"] > 0
    lied = execute(job_spec(tmp_path, plugin, kind="amortised"), events.append)
    assert lied.status == "failed" and "kind = 'continuing' when it runs" in lied.reason
