"""On a CUDA device a run means what it means on a CPU; skipped where there is none.

    python -m pytest tests/bench/test_cuda.py -m "slow or not slow"

Points follow the same laws, the meter reads the same, targets and metrics give the same numbers,
a compiled step is the same step, and a run from the command line scores all its jobs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from bench.commands.parser import main
from bench.conformance.distributions import DISTRIBUTIONS
from bench.conformance.trial import Trial
from bench.conformance.verdict import verdict
from bench.core.compilation import compile_cost, compiling, forget
from bench.core.registry import catalogue, load
from bench.harness.budget import Budget
from metrics.base import Evidence, Metric
from results.records.schema import Job
from results.records.store import read
from tests.bench.test_fused import CHAINS, run
from tests.support.sampler_cases import SAMPLERS, case, marked
from tests.support.target_cases import NAMES

DEVICE = "cuda"
pytestmark = [pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device is there"),
              pytest.mark.filterwarnings("default")]
METRICS = sorted(catalogue()["metrics"])


@pytest.mark.parametrize("name", [marked(name) for name in SAMPLERS])
def test_recovers_distribution(name: str) -> None:
    tried = case(name)
    target = DISTRIBUTIONS["skewed"].to(DEVICE, torch.float32)
    x = Trial(tried.sampler, target, tried.settings.steps).run().draw(4000)
    assert x.device.type == DEVICE
    wrong = verdict(x.cpu(), "skewed", tried.settings.bias)
    assert bool(wrong) == ("recovers_distribution" in tried.sampler.exempt), wrong


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_meter_reads_the_same(name: str) -> None:
    """For samplers whose evaluations do not hang on their random numbers."""
    def rows(device: str, seed: int) -> list[Any]:
        target = DISTRIBUTIONS["skewed"].to(device, torch.float32)
        ledger = run(case(name).sampler, target, seed, Budget("steps", 5))[1].ledger
        return [ledger.cost(phase) for phase in ("train", "draw")]

    here = rows("cpu", 0)
    if here != rows("cpu", 1):
        pytest.skip("evaluations are random")
    assert rows(DEVICE, 0) == here


@pytest.mark.parametrize("name", NAMES)
def test_targets_give_the_same_numbers(name: str) -> None:
    target = load("targets", name)
    here, there = (target.to(where, torch.float64) for where in ("cpu", DEVICE))
    if target.has_reference:
        x = there.sample(200, torch.Generator(DEVICE).manual_seed(0))
        assert x.device.type == DEVICE
    else:
        x = target.scale * torch.randn(200, target.dim, dtype=torch.float64, device=DEVICE)
    close(there.log_prob(x), here.log_prob(x.cpu()))
    close(there.score(x), here.score(x.cpu()))


@pytest.mark.parametrize("name", METRICS)
def test_metrics_give_the_same_numbers(name: str) -> None:
    metric: Metric = load("metrics", name)
    some = [t for t in (load("targets", "gmm4"), load("targets", "sbtm_far")) if metric.applies(t)]
    if not some or metric.trains:
        pytest.skip("judges what a sampler says, or trains")
    home, there = (some[0].to(where, torch.float64) for where in ("cpu", DEVICE))
    rng = torch.Generator().manual_seed(0)
    x, y = (home.sample(300, rng) for _ in range(2))
    plain = metric.estimate(x, Evidence(home, y))
    found = metric.estimate(x.to(DEVICE), Evidence(there, y.to(DEVICE)))
    assert found.value == pytest.approx(plain.value, rel=1e-6, abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(CHAINS))
def test_a_compiled_step_is_the_same_step(name: str) -> None:
    target = load("targets", "gmm4").to(DEVICE, torch.float64)
    plain, was = run(CHAINS[name], target)
    forget()
    with compiling():
        checkpoint, made = run(CHAINS[name], target)
    compile_cost()
    assert made.outcome.compiling.graphs > 0 and not made.outcome.compiling.notes
    assert made.ledger.cost("train") == was.ledger.cost("train")
    close(checkpoint.points, plain.points, 1e-7)


def test_a_run_from_the_command_line(tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert main(["run", "--suite", "smoke", "--device", DEVICE, "--samplers", "hmc,dft",
                 "--seeds", "1", "--out", str(out)]) == 0
    jobs = [record for record in read(out)[0] if isinstance(record, Job)]
    assert len(jobs) == 10 and {job.status for job in jobs} == {"ok"}
    assert all(job.train.seconds > 0 for job in jobs if job.sampler in ("hmc", "dft"))


def close(there: Tensor, here: Tensor, within: float = 1e-9) -> None:
    torch.testing.assert_close(there.cpu(), here.cpu(), rtol=within, atol=within)
