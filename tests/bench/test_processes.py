"""What code that runs in a child prints, starts and does to its process reaches no other job.

Before, a printed dot lost a target's facts, a printed event killed the run, evaluations in forked
processes and their processor time were free, and helpers outlived their job.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.jobs.messages import read_event
from results.records.schema import Job
from results.records.store import read, read_header
from tests import support

PLUGIN = Path(support.__file__).with_name("hostile_samplers.py")
SUITE = """
targets = ["dots"]
samplers = ["talks", "forkpool", "falls", "leaves", "closes", "asks", "lingers",
            "hangs_among_helpers"]
baselines = []
metrics = ["ksd"]
seeds = 1
budget = "1000evals"
n = 60
n_curve = 20
checkpoints = 1
wall_limit = 8
"""


#: Real runs, and every command of the program: `.ci/run` and `pytest -m slow` hold them.
pytestmark = pytest.mark.slow


def start(place: Path, *words: str, suite: str = SUITE) -> subprocess.Popen[str]:
    """A run with the plugin; helpers carry the path of the folder in their command line."""
    (place / "suite.toml").write_text(suite)
    words = words or ("--suite", str(place / "suite.toml"), "--plugin", str(PLUGIN), "--out",
                      str(place / "run"))
    return subprocess.Popen(
        [sys.executable, "-m", "bench", "run", *words, "--no-report"], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "MARK": str(place / "mark")})


def marked(place: Path) -> list[str]:
    """Commands of helpers that are still running."""
    listing = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, check=True)
    return [line for line in listing.stdout.decode().splitlines() if str(place / "mark") in line]


def gone(place: Path, within: float = 5.0) -> bool:
    until = time.monotonic() + within
    while marked(place) and time.monotonic() < until:
        time.sleep(0.05)
    return not marked(place)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("processes")
    run = start(place)
    out, err = run.communicate(timeout=300)
    assert run.returncode == 0, err + out
    return place


@pytest.fixture(scope="module")
def jobs(place: Path) -> dict[str, Job]:
    return {r.label: r for r in read(place / "run")[0] if isinstance(r, Job)}


@pytest.mark.parametrize(("sampler", "status", "reason"), [
    ("talks", "ok", ""),
    ("forkpool", "failed", "in another process than its job's own"),
    ("falls", "ok", ""),
    ("leaves", "failed", "sys.exit or os._exit"),
    ("closes", "failed", "descriptor"),
    ("asks", "failed", "EOFError"),
    ("lingers", "ok", ""),
    ("hangs_among_helpers", "timeout", "8 s"),
])
def test_each_ends_as_what_it_did(jobs: dict[str, Job], sampler: str, status: str,
                                  reason: str) -> None:
    assert jobs[sampler].status == status, jobs[sampler].reason
    assert reason in jobs[sampler].reason


def test_a_job_whose_sampler_forks_is_recorded_once(place: Path, jobs: dict[str, Job]) -> None:
    lines = (place / "run" / "records.jsonl").read_text().splitlines()
    assert sum('"job"' in line and '"falls"' in line for line in lines) == 1
    assert jobs["falls"].train.score == jobs["talks"].train.score


def test_what_is_printed_goes_to_the_log(place: Path) -> None:
    said = next((place / "run" / "log").glob("talks*")).read_bytes()
    assert b'{"is": "started"}\n' in said and b"\xff\x00 half a line" in said


def test_a_target_that_prints_has_its_facts(place: Path) -> None:
    assert "fingerprint" in read_header(place / "run")["targets"]["dots"]


def test_helpers_end_with_their_job(place: Path, jobs: dict[str, Job]) -> None:
    assert jobs and not marked(place)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_helpers_end_with_the_run(tmp_path: Path, number: signal.Signals) -> None:
    suite = SUITE.replace(SUITE[SUITE.index("samplers"):SUITE.index("baselines")],
                          'samplers = ["hangs_among_helpers"]\n')
    run = start(tmp_path, suite=suite.replace("wall_limit = 8", "wall_limit = 100"))
    until = time.monotonic() + 60
    while len(marked(tmp_path)) < 2 and time.monotonic() < until:
        time.sleep(0.1)
    assert len(marked(tmp_path)) == 2
    run.send_signal(number)
    run.communicate(timeout=30)
    assert run.returncode == (130 if number == signal.SIGTERM else -signal.SIGKILL)
    assert gone(tmp_path)


def test_a_target_that_ends_the_process_is_one_sentence(tmp_path: Path) -> None:
    """Exit code 0 and no facts: before, the jobs ran, and the run went on to a traceback."""
    run = start(tmp_path, suite=SUITE.replace("dots", "leaver"))
    out, err = run.communicate(timeout=60)
    assert run.returncode == 2, out
    assert "preparing target 'leaver' failed" in err and "os._exit" in err
    assert err.count("\n") == 1 and not (tmp_path / "run").exists()


def test_a_full_disk_met_by_a_child_stops_the_run(tmp_path: Path) -> None:
    """The child's own write fails: before, the seeds were failed for good, and exit code was 0."""
    suite = SUITE.replace(SUITE[SUITE.index("samplers"):SUITE.index("baselines")],
                          'samplers = ["fills_disk"]\n').replace("dots", "gaussian")
    (tmp_path / "mark").write_text("")
    run = start(tmp_path, suite=suite)
    out, err = run.communicate(timeout=60)
    assert run.returncode == 2, out
    assert f"cannot write to '{tmp_path / 'run'}" in err and "File too large" in err
    assert err.count("\n") == 1 and "Traceback" not in err
    assert not [r for r in read(tmp_path / "run")[0] if isinstance(r, Job)]
    (tmp_path / "mark").unlink()
    run = start(tmp_path, "--resume", str(tmp_path / "run"))
    assert run.communicate(timeout=60) and run.returncode == 0
    assert [r.status for r in read(tmp_path / "run")[0] if isinstance(r, Job)] == ["ok"]


@pytest.mark.parametrize("line", [
    b"", b".", b"[]", b"3", b"null", b"[" * 100_000, b"\xff\xfe",
    b'{"is": "started"}', b'{"is": []}', b'{"is": "reached"}', b'{"key": "k"}',
    b'{"is": "started", "key": 3}', b'{"is": "other", "key": "k"}',
    b'{"is": "stopped", "cause": "nobody", "message": "m"}',
    b'{"is": "reached", "key": "k", "progress": "a", "steps": 1, "spent": {}, "values": {}}',
    b'{"is": "reached", "key": "k", "progress": 0.5, "steps": true, "spent": {}, "values": {}}',
    b'{"is": "reached", "key": "k", "progress": 0.5, "steps": 1, "spent": {"score": "x"}}',
    b'{"is": "reached", "key": "k", "progress": 0.5, "steps": 1, "values": {"w2": "x"}}'])
def test_what_is_no_event_is_ignored(line: bytes) -> None:
    assert read_event(line) is None
