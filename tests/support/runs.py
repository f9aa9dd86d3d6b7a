"""Runs as a user starts them, killed and resumed; and what of their records must not change."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

from bench.core.cost import Cost
from results.records.schema import Checkpoint, Job, Measure
from results.records.store import read
from tests.support import warm


def bench(*words: str) -> list[str]:
    return [sys.executable, "-m", "bench", "run", *words, "--no-report"]


def finish(*words: str) -> str:
    """What a run prints that has to end well; its processes are copies of a warm one."""
    done = warm.run("run", *words, "--no-report")
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def finish_anew(*words: str) -> str:
    """The same by interpreters of its own, as a user's."""
    done = subprocess.run(bench(*words), capture_output=True, text=True, check=False)
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
