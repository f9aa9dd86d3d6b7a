"""Kills, resumes and worker counts: under a budget of evaluations the numbers never change."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from results.records import Checkpoint, Cost, Job, Measure
from results.store import read

SUITE = """
targets = ["gaussian", "mog2"]
samplers = ["mala", "svgd"]
controls = ["prior"]
metrics = ["mmd", "ksd", "mode_tv"]
seeds = 2
budget = "40000evals"
n = 200
n_curve = 100
checkpoints = 2
floor_draws = 20
"""


def bench(*words: str) -> list[str]:
    return [sys.executable, "-m", "bench", "run", *words, "--no-report"]


def finish(*words: str) -> str:
    done = subprocess.run(bench(*words), capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def numbers(folder: Path) -> dict[tuple[object, ...], object]:
    """All that must not depend on when, where and how often: everything but time and memory."""
    found: dict[tuple[object, ...], object] = {}
    for r in read(folder)[0]:
        if isinstance(r, Job):
            found["job", r.key] = (r.status, r.reason, r.steps, rows(r.train), rows(r.draw),
                                   r.params, r.fingerprint, r.overshoot)
        elif isinstance(r, Checkpoint):
            found["checkpoint", r.key, r.index] = (r.progress, r.steps, rows(r.spent), r.drawn)
        elif isinstance(r, Measure):
            found["measure", r.key, r.index, r.stage, r.metric] = (
                r.n, r.value, r.se, r.floor_mean, r.floor_sd, r.p)
    return found


def rows(cost: Cost) -> tuple[int, int, int]:
    return cost.density, cost.score, cost.hvp


def run_with_kills(folder: Path, first: list[str], kills: int, longest: float, seed: int) -> int:
    """Start, kill -9 at a random instant, resume, and so on; returns how many kills hit."""
    rng = random.Random(seed)
    hits = 0
    for attempt in range(kills):
        started = (folder / "run.json").exists()
        words = ["--resume", str(folder)] if started else [*first, "--out", str(folder)]
        child = subprocess.Popen(bench(*words), stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        try:
            child.wait(timeout=rng.uniform(0.2, longest))
            if child.returncode == 0 and attempt:
                break
        except subprocess.TimeoutExpired:
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
            hits += 1
        if folder.exists() and not (folder / "run.json").exists():
            for leftover in sorted(folder.rglob("*"), reverse=True):
                leftover.rmdir() if leftover.is_dir() else leftover.unlink()
    words = ["--resume", str(folder)] if (folder / "run.json").exists() \
        else [*first, "--out", str(folder)]
    finish(*words)
    return hits


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
    finish("--suite", str(suite), "--out", str(folder), "--workers", "1")
    assert numbers(folder) == numbers(unbroken)


def test_kills_and_resumes_give_the_same_numbers(suite: Path, unbroken: Path) -> None:
    folder = suite.parent / "killed"
    assert run_with_kills(folder, ["--suite", str(suite)], kills=3, longest=12, seed=1) >= 1
    assert numbers(folder) == numbers(unbroken)


def test_resuming_a_finished_run_redoes_nothing(unbroken: Path) -> None:
    before = (unbroken / "records.jsonl").read_bytes()
    assert "12 of them done before" in finish("--resume", str(unbroken))
    assert (unbroken / "records.jsonl").read_bytes() == before


def test_interruption_stops_cleanly_and_says_how_to_go_on(suite: Path, unbroken: Path) -> None:
    folder = suite.parent / "interrupted"
    child = subprocess.Popen(bench("--suite", str(suite), "--out", str(folder)),
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
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
    done = subprocess.run(bench("--resume", str(unbroken)), capture_output=True, text=True,
                          check=False)
    assert done.returncode == 2 and "code has changed" in done.stderr
    finish("--resume", str(unbroken), "--allow-changed-code")
    path.write_text(before)


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_twenty_kills_of_smoke(tmp_path: Path) -> None:
    finish("--suite", "smoke", "--out", str(tmp_path / "whole"))
    hits = run_with_kills(tmp_path / "killed", ["--suite", "smoke"], kills=20, longest=15, seed=7)
    assert hits >= 10
    assert numbers(tmp_path / "killed") == numbers(tmp_path / "whole")
