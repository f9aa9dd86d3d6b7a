"""Samplers on a density with an edge: log_prob is -inf at half of the points they start from.

Before, a noised copy all of whose neighbours lay outside made the weights of `idem` NaN, then its
network, and the job diverged.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from bench.core.log_weights import effective_size, normalised
from bench.harness.meter import Ledger, MeteredTarget
from targets.base import Target
from tests.support import sampler_cases as kit


class HalfPlane(Target):
    """N(0, I) where x0 > 0, and nothing elsewhere."""

    dim, scale = 2, 1.5

    def log_prob(self, x: Tensor) -> Tensor:
        return torch.where(x[:, 0] > 0.0, -x.square().sum(1) / 2, -math.inf)


def test_weights_of_nothing_are_zero_and_others_are_what_they_were() -> None:
    rows = torch.tensor([[-math.inf] * 3, [0.0, -1.0, -math.inf], [2.0, 1.0, 0.0]])
    weights = normalised(rows)
    assert weights[0].tolist() == [0.0, 0.0, 0.0]
    torch.testing.assert_close(weights[1:], torch.softmax(rows[1:], 1))
    assert float(effective_size(weights[0])) == 0.0
    assert bool(torch.isnan(normalised(torch.tensor([[0.0, math.nan]]))).any())  # stays visible


@pytest.mark.parametrize("name", ["idem", "pdem", "drifting", "drifting_multiscale", "dft", "dikl",
                                  "svgd", "smc", "ais", "fab", "parallel_tempering", "mh", "mala",
                                  "hmc", "nuts", "ula", "ksd_ns", "steingan"])
def test_no_sampler_ends_in_nan_at_an_edge(name: str) -> None:
    target = HalfPlane().to("cpu", torch.float32)
    trial = kit.trial(name)
    trial.target = MeteredTarget(target, Ledger(target.device))
    trial.state = trial.sampler.init(trial.target, trial.rng)
    x = trial.run(20).draw(100)
    assert bool(torch.isfinite(x).all())
    if name in ("mh", "parallel_tempering", "smc"):
        assert float((x[:, 0] > 0).double().mean()) > 0.9
