"""How reference pools are made: on a law in the plane whose moments a grid gives."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from bench.core.errors import UserError
from bench.maintain.references import checks, long_chains, program
from bench.maintain.references.importance import adapted_proposal, bridge, laplace, student
from bench.maintain.references.long_chains import LongChains
from targets.base import Target
from targets.posteriors.logistic_regression import LogisticPosterior
from tests.support.target_cases import generator


def limit(count: int) -> float:
    """What the largest of that many |z| exceeds by chance once in a thousand times."""
    return float(stats.norm.isf(5e-4 / count))


class Small(Target):
    """Logistic regression in the plane, so skewed that Laplace is far off; moments by a grid."""

    name = "small"
    dim = 2
    scale = 2.0

    def __init__(self, tilt: float = 1.0) -> None:
        design = np.column_stack([np.ones(6), [0.2, 1.0, 1.5, 2.0, 3.0, 4.0]])
        self.inner = LogisticPosterior(design, np.array([0, 0, 1, 1, 1, 1]) == 1, 3.0)
        self.tilt = tilt

    def log_prob(self, x: Tensor) -> Tensor:
        return self.inner.log_prob(x)

    def score(self, x: Tensor) -> Tensor:
        return self.tilt * self.inner.score(x)

    def quadrature(self) -> tuple[float, Tensor, Tensor]:
        """log Z, mean (2,) and second moments (2, 2)."""
        axis = torch.arange(-20.0, 20.0, 0.02, dtype=torch.float64)
        x = torch.cartesian_prod(axis, axis)
        log_z = torch.logsumexp(self.log_prob(x), 0) + 2 * math.log(0.02)
        mass = (self.log_prob(x) - log_z).exp() * 0.02**2
        return float(log_z), mass @ x, (mass[:, None] * x).T @ x


@cache
def small_runs(tilt: float = 1.0) -> list[LongChains]:
    return [long_chains.long_chains(Small(tilt), seed, steps=800) for seed in (1, 2)]


def test_runs_find_moments_and_their_errors() -> None:
    _, mean, second = Small().quadrature()
    value, se = checks.averaged(small_runs())
    truth = torch.cat([mean, second.flatten()])
    z = (value[:6] - truth) / se[:6]
    assert float(z.abs().max()) < limit(6)
    near = laplace(Small())
    z = (near.centre - mean) / se[:2]
    assert float(z.abs().min()) > limit(6)  # which the mode is not


def test_a_wrong_acceptance_moves_the_moments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Independent proposals accepted without their own density."""
    def silent(*arguments: object) -> tuple[Tensor, Tensor]:
        w, log_q = student(*arguments)  # type: ignore[arg-type]
        return w, torch.zeros_like(log_q)

    monkeypatch.setattr(long_chains, "student", silent)
    _, mean, second = Small().quadrature()
    value, se = checks.averaged([long_chains.long_chains(Small(), 1, steps=400)])
    z = (value[:6] - torch.cat([mean, second.flatten()])) / se[:6]
    assert float(z.abs().max()) > limit(6)


def test_log_z_by_bridge_and_by_importance() -> None:
    log_z = Small().quadrature()[0]
    found, se = checks.by_bridge(Small(), small_runs(), generator())
    assert se < 0.01 and abs(found - log_z) < 4.0 * se
    *_, weighted, share = checks.by_importance(Small(), generator())
    assert share > 0.5 and abs(weighted - log_z) < 4.0 * (checks.DRAWS * share) ** -0.5
    mine = adapted_proposal(Small(), generator())
    w, _ = student(mine, 20_000, generator(1))
    shifted = float(bridge(Small(), mine, 0.8 * w, generator(2)))  # not points of p
    assert abs(shifted - log_z) > 10.0 * se


def pooled(runs: list[LongChains]) -> Tensor:
    return torch.cat([r.kept[program.THIN - 1 :: program.THIN].flatten(0, 1) for r in runs])


def faults(target: Target, runs: list[LongChains], pool: Tensor) -> set[str]:
    found = checks.checks(target, runs, pool, generator(3))
    return {what.partition(",")[0] for what, (value, most) in found.items() if not value <= most}


def test_good_runs_pass_all_checks() -> None:
    assert faults(Small(), small_runs(), pooled(small_runs())) == set()


def test_a_wrong_score_is_caught() -> None:
    """Chains stay right, since the acceptance sees log p alone: only Stein can tell."""
    wrong = small_runs(1.05)
    assert "Stein on the runs" in faults(Small(1.05), wrong, pooled(wrong))


def test_a_wrong_pool_is_caught() -> None:
    pool = pooled(small_runs())
    caught = faults(Small(), small_runs(), pool + 0.1 * pool.std(0))
    assert {"Stein on the pool", "pool against runs"} <= caught
    repeated = torch.cat([pool[:500].repeat(10, 1), pool[5000:]])
    assert "neighbouring rows" in faults(Small(), small_runs(), repeated)


def test_runs_that_disagree_are_caught() -> None:
    """One run's means moved, as if its chains remembered their start."""
    one, two = small_runs()
    moved = two.means + 0.02 * two.means.std()
    still = LongChains(moved, two.kept, two.acceptance, two.independent)
    assert "run against run" in faults(Small(), [one, still], pooled([one, still]))


def test_a_failed_check_writes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nothing = LongChains(torch.zeros(2, 4, 2 * 61 * 62), torch.zeros(100, 4, 61), 0.8, 0.5)
    monkeypatch.setattr(program, "long_chains", lambda *_: nothing)
    for value, written in ((1.2, []), (1.0, ["sonar.npz"])):
        found = {"split R-hat": (value, 1.01)}
        monkeypatch.setattr(program, "checks", lambda *_, found=found: found)
        if value > 1.01:
            with pytest.raises(UserError, match="failed a check"):
                program.make("sonar", tmp_path)
        else:
            program.make("sonar", tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == written
