"""Compiled and uncompiled are one sampler: same numbers, same meter reading, same random stream.

The default run traces with a backend that executes the graph without compiling it; the slow one
repeats everything with the real compiler.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.core import compilation as part
from bench.core.compilation import CompileCost, compilable, compile_cost, compiling
from bench.core.errors import UserError
from bench.core.registry import load
from bench.harness.budget import Budget
from bench.harness.loop import JobLoop
from bench.jobs.execute import check_compiler
from metrics.base import Evidence
from results.records.schema import Job, parse
from samplers.mcmc.hmc import Hmc
from samplers.mcmc.mala import Mala
from samplers.mcmc.mh import Mh
from samplers.mcmc.parallel_tempering import ParallelTempering
from samplers.mcmc.ula import Ula, euler
from samplers.particles.svgd import Svgd
from targets.base import Target

CHAINS = {"hmc": Hmc(chains=64, leapfrog_steps=3), "mala": Mala(chains=64), "ula": Ula(chains=64),
          "mh": Mh(chains=64),
          "parallel_tempering": ParallelTempering(replicas=4, chains=16, leapfrog_steps=2),
          "svgd": Svgd(particles=64, median_rows=8),
          "svgd_fixed": Svgd(particles=64, bandwidth=0.5)}

pytestmark = pytest.mark.filterwarnings("default")  # Dynamo trips over deprecations of torch's


@pytest.fixture(params=["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)],
                autouse=True)
def backend(request: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Each test with its own compilations, by a backend."""
    if request.param == "inductor" and shutil.which("g++") is None:
        pytest.skip("no C++ compiler here")
    monkeypatch.setattr(part, "BACKEND", request.param)
    part.forget()
    yield request.param
    part.forget()
    compile_cost()


SIXTY = Budget("evals", 64 * 60)  # steps of 64 chains


def run(sampler: Any, target: Target, seed: int = 0, budget: Budget = SIXTY
        ) -> tuple[Any, JobLoop]:
    """The whole loop: the last look, and the run."""
    checkpoints: list[Any] = []
    made = JobLoop(sampler, target, "t", budget, seed, 64, 64)
    made.play(checkpoints.append)
    return checkpoints[-1], made


def mixture() -> Target:
    target: Target = load("targets", "gmm4").to("cpu", torch.float64)
    return target


@pytest.mark.parametrize("name", sorted(CHAINS))
def test_compiled_gives_the_same_points_for_the_same_evaluations(name: str) -> None:
    plain, was = run(CHAINS[name], mixture())
    with compiling():
        checkpoint, made = run(CHAINS[name], mixture())
    assert made.outcome.compiling.graphs > 0 and not made.outcome.compiling.notes
    assert was.outcome.compiling == CompileCost()
    for phase in ("train", "draw", "uncharged"):
        assert made.ledger.cost(phase) == was.ledger.cost(phase)
    assert made.outcome.steps == was.outcome.steps > 15
    torch.testing.assert_close(checkpoint.points, plain.points, rtol=1e-7, atol=1e-7)


def test_the_next_seed_compiles_nothing() -> None:
    with compiling():
        first = run(CHAINS["mala"], mixture(), seed=0)[1].outcome.compiling.graphs
        second = run(CHAINS["mala"], mixture(), seed=1)[1].outcome.compiling
    assert first == 2  # adapting, and frozen
    assert second == CompileCost()


def test_two_targets_of_a_kind_are_not_mixed_up() -> None:
    """The graph of one must not answer with the constants of the other."""
    with compiling():
        for seed in range(3):
            target = load("targets", "random_mixture", seed=seed).to("cpu", torch.float64)
            x = torch.zeros(64, 2, dtype=torch.float64)
            moved = euler(target, x, 0.1, x)
            torch.testing.assert_close(moved, 0.1 * target.score(x))


def test_compiling_is_on_no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Graphs are also made in the middle of a run; what they cost is billed apart."""
    with compiling():
        _, made = run(Hmc(chains=64, leapfrog_steps=3), mixture())
    assert made.outcome.compiling.graphs == 3  # one for each length
    assert made.outcome.compiling.wall > 0.1
    assert made.outcome.train.wall < 0.5 * made.outcome.compiling.wall


class InNumPy(Target):
    """A target that cannot be traced."""

    name = "in_numpy"
    dim = 2
    scale = 1.0

    def log_prob(self, x: Tensor) -> Tensor:
        return torch.from_numpy(np.asarray(-(x.detach().numpy() ** 2).sum(1) / 2))

    def score(self, x: Tensor) -> Tensor:
        raise_if = x.detach().numpy().tolist()  # leaves the graph for good
        return -torch.tensor(raise_if, dtype=x.dtype)


def test_what_cannot_be_compiled_runs_as_written_and_says_so() -> None:
    plain, was = run(CHAINS["ula"], InNumPy())
    with compiling():
        checkpoint, made = run(CHAINS["ula"], InNumPy())
    assert made.outcome.compiling.graphs == 0
    (note,) = made.outcome.compiling.notes
    assert note.startswith("euler runs uncompiled: ")
    assert made.ledger.cost("train") == was.ledger.cost("train")
    assert torch.equal(checkpoint.points, plain.points)


def test_only_within_compiling(backend: str) -> None:
    calls = []

    @compilable
    def double(x: Tensor) -> Tensor:
        calls.append(torch.compiler.is_compiling())
        return 2 * x

    x = torch.ones(3)
    assert torch.equal(double(x), 2 * x) and calls == [False]
    with compiling(), compiling(False):
        double(x)
    assert calls == [False, False] and compile_cost() == CompileCost()


def test_a_bill_is_paid_once_and_adds_up() -> None:
    with compiling():
        compilable(lambda x: x + 1)(torch.ones(3))
    assert compile_cost().graphs == 1
    assert compile_cost() == CompileCost()
    both = (CompileCost(1.0, 2.0, 1, ("a",)) + CompileCost(1.0, 1.0, 2, ("b",))
            + CompileCost(notes=("a",)))
    assert both == CompileCost(2.0, 3.0, 3, ("a", "b"))


def test_without_a_compiler_the_run_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(UserError, match="'no-such-compiler', which is not there; install it"):
        check_compiler("cpu")
    check_compiler("cuda")


@pytest.mark.parametrize("name", ["ksd", "mmd", "mmd_drifting", "ksd_dft"])
@pytest.mark.parametrize("n", [70, 4100])
def test_compiled_metrics_agree(name: str, n: int, backend: str) -> None:
    """4,100 columns are taken in two slices, 70 in one."""
    if backend == "aot_eager" and n > 100:
        pytest.skip("stores whole kernels where nothing is compiled")
    target, rng = mixture(), torch.Generator().manual_seed(0)
    x, y, made = target.sample(n, rng), target.sample(n, rng), load("metrics", name)
    plain = made.estimate(x, Evidence(target, y))
    with compiling():
        found = made.estimate(x, Evidence(target, y))
    assert compile_cost().graphs > 0
    assert found.value == pytest.approx(plain.value, rel=1e-9, abs=1e-12)
    assert found.se == pytest.approx(plain.se, rel=1e-6)


SUITE = """
targets = ["gaussian"]
samplers = ["hmc", "mala", "ula", "svgd"]
baselines = []
seeds = 2
budget = "6e4evals"
n = 200
n_curve = 100
checkpoints = 2
floor_draws = 20
metrics = ["mmd", "ksd"]
"""


@pytest.mark.slow
def test_a_compiled_run_spends_the_same_and_bills_compiling_apart(tmp_path: Path,
                                                                  backend: str) -> None:
    if backend != "inductor":
        pytest.skip("children compile in earnest")
    suite, jobs = tmp_path / "small.toml", {}
    suite.write_text(SUITE)
    for option in ([], ["--compile"]):
        out = tmp_path / f"run{len(option)}"
        command = [sys.executable, "-m", "bench", "run", "--suite", str(suite), "--out", str(out)]
        done = subprocess.run([*command, "--no-report", *option], check=False)
        assert done.returncode == 0
        lines = [parse(line) for line in (out / "records.jsonl").read_text().splitlines()]
        jobs[bool(option)] = {job.key: job for job in lines if isinstance(job, Job)}
    assert len(jobs[True]) == 8
    for key, job in jobs[True].items():
        plain = jobs[False][key]
        assert (job.steps, job.train.evaluations()) == (plain.steps, plain.train.evaluations())
        assert plain.graphs == 0 and plain.compile_seconds == 0.0
        assert not job.compile_note and 0 <= job.warmup_seconds < 2 and job.train.wall < 2
        lengths = len({*range(1, 11)}) if job.sampler == "hmc" else 2 - (job.sampler == "ula")
        assert (0 < job.graphs <= lengths) if job.seed == 0 else job.graphs <= lengths - 1
        assert job.seed or job.compile_seconds > 1
