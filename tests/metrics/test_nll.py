"""The negative log-likelihood of a flow fitted to samples: its parts, and what it detects."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

pytest.importorskip("torchdiffeq")

from bench.core import registry
from metrics.base import Evidence
from metrics.densities.continuous_flow import Velocity, fit, log_density


class Linear(nn.Module):
    """v(x, t) = a x, which carries N(0, I) to N(0, exp(2 a))."""

    def __init__(self, a: list[float]) -> None:
        super().__init__()
        self.a = torch.tensor(a)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.a * x


class Rising(Linear):
    """v(x, t) = 2 t a x: the same flow, at another pace, so that time runs the right way."""

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return 2 * t * self.a * x


@pytest.mark.parametrize("kind", [Linear, Rising])
def test_the_density_of_a_linear_field_is_known(kind: type[Linear]) -> None:
    a = torch.tensor([0.7, -0.4])
    x = torch.randn((50, 2), generator=torch.Generator().manual_seed(0)) * a.exp()
    truth = torch.distributions.Normal(0.0, a.exp()).log_prob(x).sum(1)
    found = log_density(kind(a.tolist()), x)  # type: ignore[arg-type]
    torch.testing.assert_close(found, truth, rtol=1e-4, atol=1e-4)


def test_a_fitted_density_has_mass_one() -> None:
    rng = torch.Generator().manual_seed(3)
    points = torch.cat([torch.randn((400, 1), generator=rng) * 0.3 + c for c in (-1.0, 1.0)])
    field = fit(points, 32, 300, 128, 3e-3, rng)
    x = torch.linspace(-5, 5, 801)[:, None]
    mass = log_density(field, x).exp().sum() * 10 / 800
    assert float(mass) == pytest.approx(1.0, abs=0.01)


def test_the_fit_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    Velocity(2, 8, torch.Generator().manual_seed(0))
    fit(torch.zeros(4, 2), 8, 3, 4, 1e-3, torch.Generator().manual_seed(0))
    assert torch.equal(before, torch.get_rng_state())


def test_exact_samples_score_the_entropy_and_wrong_ones_the_divergence_more() -> None:
    """On a Gaussian under another declared scale; a shift of one deviation adds 1/2 nat."""
    target = registry.load("targets", "gaussian").to("cpu", torch.float32).declaring(2.5)
    metric = registry.load("metrics", "nll_cfm", updates=1200, width=48, batch=256)
    x, y = target.blocks(1500, 2, torch.Generator().manual_seed(1))
    deviation = float(x[:, 0].std())
    exact = metric.estimate(x, Evidence(target, y))
    entropy = 1 + math.log(2 * math.pi) - math.log(2.75) / 2  # of precision [[3, -.5], [-.5, 1]]
    assert exact.parts[0] == pytest.approx(entropy, abs=0.1)
    assert exact.value - exact.parts[0] == pytest.approx(0.0, abs=0.06)
    moved = metric.estimate(x + torch.tensor([deviation, 0.0]), Evidence(target, y))
    correlation = float(torch.corrcoef(x.T)[0, 1])
    assert moved.value - exact.value == pytest.approx(0.5 / (1 - correlation**2), abs=0.15)
    assert metric.estimate(x, Evidence(target, y)) == exact
