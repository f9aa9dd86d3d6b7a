"""Kills, resumes and worker counts: under a budget of evaluations the numbers never change."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support import warm
from tests.support.runs import bench, finish, finish_anew, numbers, run_with_kills

SUITE = """
targets = ["mog2"]
samplers = ["mala", "svgd"]
baselines = ["initial"]
metrics = ["mmd", "ksd", "mode_tv"]
seeds = 2
budget = "40000evals"
n = 200
n_curve = 100
checkpoints = 2
floor_draws = 20
"""


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("resume") / "small.toml"
    path.write_text(SUITE)
    return path


@pytest.fixture(scope="module")
def unbroken(suite: Path) -> Path:
    folder = suite.parent / "unbroken"
    finish("--suite", str(suite), "--out", str(folder), "--workers", "2")
    return folder


def test_one_worker_gives_the_same_numbers_as_two(suite: Path, unbroken: Path) -> None:
    folder = suite.parent / "one"
    finish_anew("--suite", str(suite), "--out", str(folder), "--workers", "1")
    assert numbers(folder) == numbers(unbroken)


def test_kills_and_resumes_give_the_same_numbers(suite: Path, unbroken: Path) -> None:
    folder = suite.parent / "killed"
    assert run_with_kills(folder, ["--suite", str(suite)], kills=2, longest=7, seed=11) >= 1
    assert numbers(folder) == numbers(unbroken)


def test_resuming_a_finished_run_redoes_nothing(unbroken: Path) -> None:
    before = (unbroken / "records.jsonl").read_bytes()
    assert "6 of them done before" in finish("--resume", str(unbroken))
    assert (unbroken / "records.jsonl").read_bytes() == before


def test_interruption_stops_cleanly_and_says_how_to_go_on(suite: Path, unbroken: Path) -> None:
    folder = suite.parent / "interrupted"
    child = subprocess.Popen(bench("--suite", str(suite), "--out", str(folder)),
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             # A shell's background job starts its children deaf to Ctrl-C.
                             preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    deadline = time.monotonic() + 60
    while not (folder / "run.json").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 130, err
    assert f"--resume {folder}" in out and "Traceback" not in err
    finish("--resume", str(folder))
    assert numbers(folder) == numbers(unbroken)


def test_changed_code_is_refused_unless_told(unbroken: Path) -> None:
    path = unbroken / "run.json"
    before = path.read_text()
    code = '"code": "'
    at = before.index(code) + len(code)
    path.write_text(before[:at] + "0000" + before[at + 4:])
    done = warm.run("run", "--resume", str(unbroken), "--no-report")
    assert done.returncode == 2 and "code has changed" in done.stderr
    finish("--resume", str(unbroken), "--allow-changed-code")
    path.write_text(before)
