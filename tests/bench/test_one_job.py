"""One job of instances in this process: the same numbers as a suite's, and all that it leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from bench.core.registry import load
from bench.harness.budget import Budget
from bench.jobs.floors import find_floors
from bench.jobs.one_job import execute_job
from results.records.schema import Checkpoint, Measure
from results.records.store import read
from tests.support.hostile import spoilt
from tests.support.runs import finish

SUITE = """
targets = ["gmm4"]
samplers = ["mala"]
baselines = []
metrics = ["mmd", "ksd"]
seeds = "3:4"
n = 200
n_curve = 100
budget = "20000evals"
floor_draws = 20
"""


def test_the_numbers_are_those_of_a_suite(tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text(SUITE)
    finish("--suite", str(tmp_path / "one.toml"), "--out", str(tmp_path / "run"))
    target = load("targets", "gmm4").to("cpu", torch.float32)
    metrics = {name: load("metrics", name) for name in ("mmd", "ksd")}
    seen: list[Checkpoint] = []
    done = execute_job(
        load("samplers", "mala"), target, metrics, Budget("evals", 20000.0), n=200, n_curve=100,
        seed=3, floors=find_floors(target, "gmm4", metrics, {100, 200}, 20),
        on_checkpoint=lambda checkpoint, measures: seen.append(checkpoint))
    records = read(tmp_path / "run")[0]
    want = [m for m in records if isinstance(m, Measure)]
    assert [(m.metric, m.stage, m.index, m.value, m.p) for m in done.measures] == [
        (m.metric, m.stage, m.index, m.value, m.p) for m in want] and len(want) == 12
    assert done.job.status == "ok" and done.job.key == "mala--gmm4--s3"
    assert done.points is not None and done.points.shape == (200, 2)
    assert [c.index for c in done.checkpoints] == [0, 1, 2, 3, 4] and tuple(seen) == \
        done.checkpoints
    assert len(done.views) == 5 and done.views[-1].final


def test_a_sampler_that_fails_is_a_status() -> None:
    def step(*_: Any) -> Any:
        raise ZeroDivisionError("theirs")

    target = load("targets", "gaussian").to("cpu", torch.float32)
    done = execute_job(spoilt(step=step), target, {}, Budget("evals", 2000.0), n=50)
    assert (done.job.status, done.points, done.measures) == ("failed", None, ())
    assert "ZeroDivisionError: theirs" in done.job.reason
