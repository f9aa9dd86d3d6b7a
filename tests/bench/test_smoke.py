"""The suite ``smoke`` itself: something to lose, and twenty kills that change nothing."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from bench.core.places import BASELINES
from results.records.schema import Job, Measure
from results.records.store import read
from results.regression.baseline_file import read as read_baseline
from tests.support.runs import finish, numbers, run_with_kills

BASELINE = BASELINES / "smoke.json"
#: Known to fall short of five deviations: 3.6 over the pool of 400 seeds, where three seeds said
#: 5.1 once and 4.5 the next time. What they must gain at least.
SHORT = {("dft", "squiggle"): 2.5}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("smoke") / "whole"
    finish("--suite", "smoke", "--out", str(folder))
    return folder


def test_every_sampler_beats_the_prior_by_five_deviations(smoke: Path) -> None:
    """By MMD^2, the larger of the two standard deviations over seeds being the unit.

    The deviations are the baseline's, over its 45 seeds: three seeds hardly know their own.
    """
    base = read_baseline(BASELINE).by_name
    records = read(smoke)[0]
    assert {r.status for r in records if isinstance(r, Job)} == {"ok"}
    found: dict[tuple[str, str], list[float]] = {}
    for r in records:
        if isinstance(r, Measure) and (r.stage, r.metric) == ("final", "mmd"):
            sampler, target, _ = r.key.split("--")
            assert r.value is not None
            found.setdefault((sampler, target), []).append(r.value)
    for (sampler, target), values in found.items():
        if sampler not in ("initial", "overhead"):
            prior = found["initial", target]
            unit = max(statistics.stdev(c.values[c.metrics.index("mmd")])
                       for c in (base[sampler, target], base["initial", target]))
            gain = (statistics.mean(prior) - statistics.mean(values)) / unit
            assert gain >= SHORT.get((sampler, target), 5), f"{sampler} on {target}: {gain:.1f}"


def test_twenty_kills_of_smoke(smoke: Path, tmp_path: Path) -> None:
    hits = run_with_kills(tmp_path / "killed", ["--suite", "smoke"], kills=20, longest=15, seed=7)
    assert hits >= 10
    assert numbers(tmp_path / "killed") == numbers(smoke)
