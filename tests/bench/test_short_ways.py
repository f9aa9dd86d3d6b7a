"""Short ways past the meter that were open: each is closed (docs/budgets.md says which stay)."""

from __future__ import annotations

from dataclasses import dataclass
from types import FunctionType

import pytest
import torch

from bench.core.registry import catalogue, load
from bench.core.seal import SealedError, sealed
from bench.harness.budget import Budget
from bench.harness.loop import JobLoop
from bench.harness.meter import Ledger, MeteredTarget
from samplers.baselines.exact import Exact
from targets.base import Target
from targets.mixtures.gmm4 import Gmm4


@pytest.mark.parametrize("name", sorted(catalogue()["targets"]))
def test_helpers_of_a_bare_target_are_sealed_too(name: str) -> None:
    """``components(x)`` of a mixture is its log-density: it answered, uncharged."""
    target = load("targets", name)
    points = torch.zeros(2, target.dim, dtype=torch.float64)
    own = {name for cls in type(target).__mro__ if issubclass(cls, Target) and cls is not Target
           for name, item in vars(cls).items() if isinstance(item, FunctionType)}
    with sealed():
        for helper in sorted(own):
            if not helper.startswith("_") and helper not in ("to", "declaring", "tempered"):
                with pytest.raises(SealedError):
                    getattr(target, helper)(points)


def test_no_public_name_unseals_a_target() -> None:
    """``behind_meter()`` gave whoever called it a copy that answers; ``__wrapped__`` a method."""
    target = Gmm4()
    assert not hasattr(target, "behind_meter")
    for method in (Gmm4.log_prob, Gmm4.score, Gmm4.sample, Gmm4.components):
        assert not hasattr(method, "__wrapped__")


def test_a_meter_still_answers_for_a_target_made_of_targets() -> None:
    tempered = Gmm4().tempered(2.0)
    face = MeteredTarget(tempered, Ledger(tempered.device))
    points = torch.zeros(2, 2, dtype=torch.float64)
    expected = tempered.score(points)
    with sealed():
        assert torch.equal(face.score(points), expected)


@dataclass(frozen=True)
class Impostor(Exact):
    """Has the name of the baseline that may draw exact points, and is another class."""

    name = "exact"


def test_exact_points_are_for_our_own_baseline_alone() -> None:
    """The view with exact points was chosen by the sampler's name."""
    target = Gmm4().to("cpu", torch.float32)
    for sampler, may in ((Exact(), True), (Impostor(), False)):
        run = JobLoop(sampler, target, "gmm4", Budget("evals", 1e4), 0, 20, 20)
        assert hasattr(run.interface, "sample") is may
