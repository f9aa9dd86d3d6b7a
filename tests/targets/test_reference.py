"""A user's own target with a long run named as its reference."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from results.records.schema import Measure
from results.records.store import read
from tests import support
from tests.support import warm

PLUGIN = Path(support.__file__).with_name("bad_samplers.py")
N = 100
SUITE = f"""
targets = ["mine"]
samplers = ["mala"]
baselines = ["initial"]
metrics = ["mmd", "mean_energy"]
seeds = 1
budget = "150000evals"
n = {N}
n_curve = {N}
checkpoints = 1
floor_draws = 40
"""


def long_run(rows: int) -> np.ndarray:
    """Exact points of the plugin's target: N(0, I) thinned by sigmoid(-3 x_0)."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4 * rows, 2))
    return x[rng.random(len(x)) < 1 / (1 + np.exp(3 * x[:, 0]))][:rows]


def bench(tmp_path: Path, pool: np.ndarray) -> subprocess.CompletedProcess[str]:
    (tmp_path / "own.toml").write_text(SUITE)
    np.save(tmp_path / "pool.npy", pool)
    return warm.run("run", "--suite", str(tmp_path / "own.toml"), "--plugin", str(PLUGIN), "--out",
                    str(tmp_path / "run"), "--reference", f"mine={tmp_path / 'pool.npy'}",
                    "--no-report")


def test_a_long_run_makes_two_sample_metrics_apply(tmp_path: Path) -> None:
    assert bench(tmp_path, long_run(10 * N)).returncode == 0
    found = {(r.key.split("--")[0], r.metric): r for r in read(tmp_path / "run")[0]
             if isinstance(r, Measure) and r.stage == "final"}
    assert found["mala", "mmd"].p is not None and found["mala", "mmd"].p > 0.01
    assert found["initial", "mmd"].p == pytest.approx(1 / 41)
    facts = json.loads((tmp_path / "run" / "run.json").read_text())["targets"]["mine"]
    assert "pool.npy" in facts["reference_note"]


@pytest.mark.parametrize(("pool", "said"), [
    (long_run(10 * N) + 0.3, "disagrees with the target's score"),
    (long_run(5 * N), "at least 1000 rows"),
    (long_run(10 * N)[:, :1], "cannot be used"),
], ids=["shifted", "short", "flat"])
def test_a_wrong_reference_is_refused(tmp_path: Path, pool: np.ndarray, said: str) -> None:
    done = bench(tmp_path, pool)
    assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()
