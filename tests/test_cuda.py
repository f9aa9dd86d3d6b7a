"""On a CUDA device a run means what it means on a CPU; skipped where there is none.

    python -m pytest tests/test_cuda.py -m "slow or not slow"

Points follow the same laws, the meter reads the same, targets and metrics give the same numbers,
a compiled step is the same step, and a run from the command line scores all its jobs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from bench.budget import Budget
from bench.cli import main
from bench.exemptions import EXEMPTIONS
from bench.loop import Run
from bench.registry import catalogue, load
from metrics.base import Evidence, Metric
from results.records import Job, parse
from samplers.base import Sampler
from targets.base import Target
from targets.parts.fused import bill, compiling, forget
from tests.laws import LAWS, verdict
from tests.target_cases import NAMES
from tests.test_fused import CHAINS
from tests.test_sampler_laws import SAMPLERS, marked, sampler, setting

DEVICE = "cuda"
pytestmark = [pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device is there"),
              pytest.mark.filterwarnings("default")]
METRICS = sorted(catalogue()["metrics"])


def last(made: Sampler, target: Target, budget: Budget, n: int, seed: int = 0) -> tuple[Any, Run]:
    """The last look of a run without others, and the run."""
    looks: list[Any] = []
    run = Run(made, target, "t", budget, seed, n, n)
    run.go(looks.append, (1.0,))
    return looks[-1], run


def on(target: Target, device: str, dtype: torch.dtype = torch.float64) -> Target:
    return target.to(device, dtype)


@pytest.mark.parametrize("name", [marked(name) for name in SAMPLERS])
def test_recovers_law(name: str) -> None:
    chosen = setting(name)
    target = on(LAWS["skewed"], DEVICE, torch.float32)
    look, _ = last(sampler(name), target, Budget("steps", max(1, chosen.steps)), 4000)
    assert look.points.device.type == DEVICE
    wrong = verdict(look.points.cpu(), "skewed", chosen.bias)
    assert bool(wrong) == ((name, "recovers_law") in EXEMPTIONS), wrong


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_meter_reads_the_same(name: str) -> None:
    """For samplers whose evaluations do not hang on their random numbers."""
    def rows(device: str, seed: int) -> list[Any]:
        target = on(LAWS["skewed"], device, torch.float32)
        ledger = last(sampler(name), target, Budget("steps", 5), 50, seed)[1].ledger
        return [ledger.rows(phase) for phase in ("train", "draw")]

    here = rows("cpu", 0)
    if here != rows("cpu", 1):
        pytest.skip("evaluations are random")
    assert rows(DEVICE, 0) == here


@pytest.mark.parametrize("name", NAMES)
def test_targets_give_the_same_numbers(name: str) -> None:
    target = load("targets", name)
    here, there = on(target, "cpu"), on(target, DEVICE)
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
    target = some[0]
    rng = torch.Generator().manual_seed(0)
    x, y = (target.sample(300, rng) for _ in range(2))
    here = metric.estimate(x, Evidence(on(target, "cpu"), y))
    there = metric.estimate(x.to(DEVICE), Evidence(on(target, DEVICE), y.to(DEVICE)))
    assert there.value == pytest.approx(here.value, rel=1e-6, abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(CHAINS))
def test_a_compiled_step_is_the_same_step(name: str) -> None:
    target, budget = on(load("targets", "gmm4"), DEVICE), Budget("evals", 64 * 60)
    plain, was = last(CHAINS[name], target, budget, 64)
    forget()
    with compiling():
        look, made = last(CHAINS[name], target, budget, 64)
    bill()
    assert made.outcome.compiling.graphs > 0 and not made.outcome.compiling.notes
    assert made.ledger.rows("train") == was.ledger.rows("train")
    close(look.points, plain.points, 1e-7)


def test_a_run_from_the_command_line(tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert main(["run", "--suite", "smoke", "--device", DEVICE, "--samplers", "hmc,dft",
                 "--seeds", "1", "--out", str(out)]) == 0
    records = [parse(line) for line in (out / "records.jsonl").read_text().splitlines()]
    jobs = [record for record in records if isinstance(record, Job)]
    assert len(jobs) == 10 and {job.status for job in jobs} == {"ok"}
    assert all(job.train.seconds > 0 for job in jobs if job.sampler in ("hmc", "dft"))


def close(there: Tensor, here: Tensor, within: float = 1e-9) -> None:
    torch.testing.assert_close(there.cpu(), here.cpu(), rtol=within, atol=within)
