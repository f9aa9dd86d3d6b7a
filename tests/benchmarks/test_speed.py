"""Speeds, shown and never gated: ``pytest tests/benchmarks --benchmark-only``.

With benchmarks disabled (the default) each runs once, which still tests that it runs.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

from bench.core.registry import catalogue, load
from bench.core.seeds import stream
from bench.harness.meter import Ledger, MeteredTarget
from metrics.base import Evidence

SAMPLERS = sorted(n for n, e in catalogue()["samplers"].items()
                  if e.attributes["kind"] != "baseline")


@pytest.mark.parametrize("behind", ["bare", "metered"])
def test_score_of_a_thousand_points(benchmark: Any, behind: str) -> None:
    """Compare the two rows: what the meter costs a call."""
    target = load("targets", "gmm4").to("cpu", torch.float32)
    face = MeteredTarget(target, Ledger(target.device)) if behind == "metered" else target
    x = torch.randn(1000, 2, generator=torch.Generator().manual_seed(0))
    assert bool(torch.isfinite(benchmark(face.score, x)).all())


@pytest.mark.parametrize("name", SAMPLERS)
def test_step(benchmark: Any, name: str) -> None:
    """One step at the preset of five seconds."""
    from bench.suite.suite import read_preset

    target = load("targets", "gmm4").to("cpu", torch.float32)
    sampler = load("samplers", name, **read_preset("toy5s").get(name, {}))
    rng = stream("speed", "gmm4", 0)
    state = sampler.init(target, rng)
    benchmark(lambda: sampler.step(target, state, 0.5, rng))


@pytest.mark.parametrize("name", sorted(
    name for name, e in catalogue()["metrics"].items()
    if "weights" not in e.attributes.get("needs", ()) and not e.attributes.get("trains")))
def test_metric_at_a_thousand_points(benchmark: Any, name: str) -> None:
    """Each with fresh evidence, so that nothing is remembered."""
    target = load("targets", "gmm4").to("cpu", torch.float32)
    rng = stream("speed", "gmm4", 1)
    x, reference = target.sample(1000, rng), target.sample(1000, rng)
    metric = load("metrics", name)
    found = benchmark(lambda: metric.estimate(x, Evidence(target, reference)))
    assert found.value == found.value
