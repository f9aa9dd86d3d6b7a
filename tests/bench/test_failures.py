"""Whatever a sampler does, its job becomes a record with a reason, and the run goes on."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from results.records.schema import Job, Measure
from results.records.store import read
from tests import support
from tests.support import warm

PLUGIN = Path(support.__file__).with_name("bad_samplers.py")
SUITE = """
targets = ["mine"]
samplers = ["good", "nan", "raises", "hangs", "dies", "greedy", "cheat", "refuses"]
baselines = ["initial"]
metrics = ["ksd", "w2"]
seeds = 2
budget = "5000evals"
n = 50
n_curve = 20
checkpoints = 2
wall_limit = 4
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("failures")
    (place / "bad.toml").write_text(SUITE)
    done = warm.run("run", "--suite", str(place / "bad.toml"), "--plugin", str(PLUGIN), "--out",
                    str(place / "run"), "--workers", "2")
    assert done.returncode == 0, done.stderr + done.stdout
    return place / "run"


def jobs(folder: Path) -> dict[tuple[str, int], Job]:
    return {(r.label, r.seed): r for r in read(folder)[0] if isinstance(r, Job)}


@pytest.mark.parametrize(("sampler", "status", "reason"), [
    ("good", "ok", ""), ("nan", "diverged", "not finite"), ("raises", "failed", "boom"),
    ("hangs", "timeout", "4 s"), ("dies", "killed", "SIGKILL"),
    ("greedy", "out-of-memory", ""), ("cheat", "failed", "past the meter"),
    ("refuses", "unsupported", "only for one dimension")])
def test_every_failure_is_a_record(folder: Path, sampler: str, status: str, reason: str) -> None:
    for seed in (0, 1):
        job = jobs(folder)[(sampler, seed)]
        assert job.status == status, job.reason
        assert reason in job.reason


def test_every_job_is_accounted_for(folder: Path) -> None:
    assert len(jobs(folder)) == 2 * 9


def test_a_target_without_reference_gets_what_needs_none(folder: Path) -> None:
    measures = [r for r in read(folder)[0] if isinstance(r, Measure)]
    assert {m.metric for m in measures} == {"ksd"}
    assert all(m.value is not None and m.p is None for m in measures)
    facts = json.loads((folder / "run.json").read_text())["targets"]["mine"]
    assert facts["has_reference"] is False


def test_the_report_names_the_failures(folder: Path) -> None:
    page = (folder / "report.html").read_text()
    assert "<script>alert(1)" not in page
    for word in ("timeout", "killed", "out-of-memory", "unsupported", "diverged"):
        assert word in page
        assert word in (folder / "report.md").read_text()


def test_nothing_is_left_running(folder: Path) -> None:
    listing = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert str(folder) not in listing.stdout
