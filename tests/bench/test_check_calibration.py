"""How often the check errs: the simulation itself, and that what is committed belongs together."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from bench.maintain.check_calibration import (
    BASELINES,
    MUTATIONS,
    POOL,
    SIZES,
    false_alarms,
    harm,
    power,
)
from bench.suite.schema import parse, suite_names
from results.regression.baseline import Snapshot
from results.regression.baseline_file import read
from results.regression.calibration_tables import CALIBRATION
from results.regression.outcome import Rule
from tests.results.test_check_verdicts import cell, rng, snapshot


@pytest.fixture(scope="module")
def pool() -> Snapshot:
    """Two cells of 120 seeds of one distribution."""
    return snapshot(cell(rng(0), range(120), "hmc"), cell(rng(1), range(120), "mala"))


def test_tests_alone_fire_at_their_level(pool: Snapshot) -> None:
    """Holm over four tests at alpha = 20 %: never more, and not by an order less."""
    alone, _, _ = false_alarms(pool, Rule(alpha=0.2), 200, 45)
    assert stats.binomtest(alone, 200, 0.2, alternative="greater").pvalue > 0.001
    assert alone >= 10


def test_every_stage_fires_less(pool: Snapshot) -> None:
    alone, large, held = false_alarms(pool, Rule(alpha=0.5, tolerance=0.0), 60, 45)
    assert alone >= large >= held
    assert alone > held


def test_a_lucky_baseline_raises_alarms() -> None:
    """Seeds 0-44 all better than the rest: conditional on them, everything looks worse."""
    one = cell(rng(0), range(150))
    values = one.values.copy()
    values[:, :45] *= 0.2
    lucky = snapshot(replace(one, values=values))
    assert false_alarms(lucky, Rule(), 20, 45, frozenset(range(45)))[2] == 20


def test_power_grows_with_harm_and_seeds(pool: Snapshot) -> None:
    base = snapshot(*[c.of(range(45)) for c in pool.cells])
    caught = {}
    for rise in (0.0, 0.5, 4.0):
        mutation = snapshot(cell(rng(7), range(60), "hmc", rise=rise))
        caught[rise] = [power(pool, base, mutation, k, Rule(), 40) for k in (3, 20)]
        found = harm(pool, mutation, Rule())[0]
        assert (found["p"] <= 0.001 and found["large"]) == (rise > 0)
    assert caught[0.0] == [0.0, 0.0]
    assert caught[0.5][0] < caught[0.5][1]
    assert caught[4.0] == [1.0, 1.0]


def test_the_committed_baseline_is_the_pools_first_seeds() -> None:
    base, whole = read(BASELINES / "smoke.json"), read(POOL)
    assert base.made["commit"] != whole.made["commit"] or all(
        np.array_equal(c.values, whole.by_name[c.name].of(frozenset(c.seeds)).values)
        for c in base.cells)
    assert all(len(c.seeds) >= 400 for c in whole.cells)
    assert all(len(c.seeds) >= 45 for c in base.cells)
    assert set(base.by_name) == set(whole.by_name)


def test_the_committed_calibration_keeps_what_the_check_promises() -> None:
    found = json.loads(CALIBRATION.read_text(encoding="utf-8"))
    assert found["pool_commit"] == read(POOL).made["commit"]
    assert found["comparisons"] >= 10_000
    for counts in found["false_alarms"].values():
        rate = stats.binomtest(counts[2], found["comparisons"], 0.01, alternative="greater")
        assert rate.pvalue > 0.001
    assert {p.name.removesuffix(".json.gz") for p in MUTATIONS.iterdir()} == set(
        found["mutations"])
    for name, mutation in found["mutations"].items():
        if mutation["harmful"]:
            assert max(mutation["caught"][str(k)] for k in SIZES) >= 0.9, name


@pytest.mark.parametrize("suite", ["smoke", "nightly"])
def test_whoever_is_gated_has_something_to_lose(suite: str) -> None:
    """45 seeds of each sampler and control of the suite, well away from the prior by MMD^2."""
    base, asked = read(BASELINES / f"{suite}.json"), parse(suite_names()[suite])
    controls = {name for name, _ in base.by_name} - set(asked["samplers"])
    assert controls == {"exact", "overhead", "initial"}
    assert len(base.by_name) == len(asked["targets"]) * (len(asked["samplers"]) + 3)
    for (sampler, target), found in base.by_name.items():
        assert len(found.seeds) >= 45
        if sampler not in controls:
            mine, prior = (c.values[c.metrics.index("mmd")]
                           for c in (found, base.by_name["initial", target]))
            gain = (prior.mean() - mine.mean()) / max(mine.std(ddof=1), prior.std(ddof=1))
            least = 3.5 if (sampler, target) == ("dft", "squiggle") else 5.0
            assert gain >= least, f"{sampler} on {target}: {gain:.1f}"
