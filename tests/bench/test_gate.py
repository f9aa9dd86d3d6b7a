"""The gates: suites against their committed baselines, on this code and on mistaken code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.core.places import BASELINES, ROOT
from bench.maintain.mutations import MUTATIONS, run_mutation

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def bench(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "bench", *words], cwd=ROOT, text=True,
                          capture_output=True, env={**os.environ, **environment})


def test_the_gate_holds_where_the_last_bits_differ(tmp_path: Path) -> None:
    """Kernels without vector instructions round differently, as another processor does."""
    done = bench("run", "--suite", "smoke", "--check", str(BASELINES / "smoke.json"), "--out",
                 str(tmp_path / "run"), "--no-report", ATEN_CPU_CAPABILITY="default")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-500:]
    assert "stayed" in done.stdout  # else nothing differed, and nothing was shown


@pytest.mark.parametrize("name", ["hmc_momentum", "mala_uncorrected", "mh_uncorrected",
                                  "smc_unweighted", "kl_ns_half"])
def test_an_injected_bug_is_stopped(name: str, tmp_path: Path) -> None:
    mutation = next(m for m in MUTATIONS if m.name == name)
    assert run_mutation(mutation, "5", tmp_path / "run") == 0
    done = bench("check", str(tmp_path / "run"), "--baseline",
                 str(BASELINES / f"{mutation.suite}.json"), "--samplers", mutation.sampler)
    assert done.returncode == 1, done.stdout
    assert f"REGRESSION: {mutation.sampler} on" in done.stdout
