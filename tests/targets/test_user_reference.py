"""A user's reference: right ones pass however correlated, wrong ones do not.

Before, a right chain of autocorrelation time 100 was refused at 6.9 standard errors with the
advice to run longer, and ten times longer gave 12.0; a missing mode passed.
"""

from __future__ import annotations

import math

import pytest
import torch
from scipy.signal import lfilter
from torch import Tensor

from bench.core.registry import load
from bench.core.standard_errors import mean_errors
from targets.base import Target, Truth
from targets.reference import Referenced
from targets.verification import agreement
from targets.verification.agreement import Disagreement


class Bell(Target):
    """N(0, 2^2) in two dimensions, without truths."""

    dim, scale = 2, 2.0

    def log_prob(self, x: Tensor) -> Tensor:
        return -x.square().sum(1) / 8


class Box(Target):
    """N(0, 1) in [-1.5, 1.5]^2: the density has an edge where it is not small."""

    dim, scale = 2, 0.7

    def log_prob(self, x: Tensor) -> Tensor:
        return torch.where(x.abs().amax(1) < 1.5, -x.square().sum(1) / 2, -math.inf)


class FourModes(Target):
    """Four equal modes, and nothing stated about them."""

    dim, scale = 2, 4.0

    def log_prob(self, x: Tensor) -> Tensor:
        centres = torch.tensor([[4.0, 4], [4, -4], [-4, 4], [-4, -4]]).to(x)
        return torch.logsumexp(-(x[:, None] - centres).square().sum(2) / 2, 1)


def chain(rows: int, tau: float, seed: int = 0, side_by_side: int = 1) -> Tensor:
    """N(0, 1) rows of autoregressive chains of that autocorrelation time, (rows, 2)."""
    rho = (tau - 1) / (tau + 1)
    rng = torch.Generator().manual_seed(seed)
    z = torch.randn((rows // side_by_side, side_by_side, 2), generator=rng, dtype=torch.float64)
    z[1:] *= math.sqrt(1 - rho**2)
    return torch.from_numpy(lfilter([1.0], [1.0, -rho], z.numpy(), axis=0)).flatten(0, 1)


def verdict(target: Target, pool: Tensor, n: int = 100) -> str:
    try:
        return agreement.check(Referenced(target, pool, "test"), n)
    except Disagreement as error:
        return f"refused: {error}"


def modes(rows: int, of: tuple[int, ...] = (0, 1, 2, 3), seed: int = 0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    centres = torch.tensor([[4.0, 4], [4, -4], [-4, 4], [-4, -4]], dtype=torch.float64)
    which = torch.tensor(of)[torch.randint(len(of), (rows,), generator=rng)]
    return centres[which] + torch.randn((rows, 2), generator=rng, dtype=torch.float64)


@pytest.mark.parametrize(("tau", "side_by_side"), [(100.0, 1), (10.0, 50)])
@pytest.mark.parametrize("rows", [10_000, 50_000])
def test_a_correlated_reference_passes_and_says_what_it_is_worth(
        rows: int, tau: float, side_by_side: int) -> None:
    for seed in range(4):
        said = verdict(Bell(), 2 * chain(rows, tau, seed, side_by_side), rows // 20)
        assert "refused" not in said
        assert "independent points" in said and "thin it" in said


@pytest.mark.parametrize("rows", [1000, 20_000])
def test_independent_rows_pass_without_a_note(rows: int) -> None:
    for seed in range(10):
        rng = torch.Generator().manual_seed(seed)
        x = 2 * torch.randn((rows, 2), generator=rng, dtype=torch.float64)
        assert verdict(Bell(), x, rows // 10) == ""


@pytest.mark.parametrize("pool", [
    lambda x: 2 * x + 0.2, lambda x: 2.1 * x, lambda x: 1.9 * x,
    lambda x: 2 * x.sign() * x.abs().sqrt(), lambda x: 2 * x * torch.tensor([1.0, 1.1]),
], ids=["a tenth of a deviation off", "wide", "narrow", "another shape", "one axis"])
@pytest.mark.parametrize("tau", [1.0, 4.0])
def test_a_wrong_reference_is_refused(pool: object, tau: float) -> None:
    for seed in range(3):
        said = verdict(Bell(), pool(chain(50_000, tau, seed)))  # type: ignore[operator]
        assert "refused" in said and "longer" not in said


def test_a_shift_hidden_by_autocorrelation_is_not_claimed() -> None:
    """A tenth of a deviation is two standard errors of 500 independent points."""
    assert "refused" not in verdict(Bell(), 2 * chain(50_000, 100.0) + 0.2)


def test_a_missing_mode_is_refused_though_the_target_states_none() -> None:
    """Stein's identities hold in each mode alone; importance sampling detects that one is gone."""
    for seed in range(3):
        assert verdict(FourModes(), modes(10_000, seed=seed)) == ""
        for of in ((0, 1, 2), (0, 3), (0, 0, 1, 2, 3)):
            said = verdict(FourModes(), modes(10_000, of, seed))
            assert "importance sampling" in said and "never reached a mode" in said


def test_a_missing_mode_is_refused_by_the_weights_a_target_states() -> None:
    target = load("targets", "gmm4_far")
    pool = target.sample(20_000, torch.Generator().manual_seed(0))
    assert verdict(target, pool) == ""
    said = verdict(target, pool[target.mode_of(pool) != 2])
    assert "refused" in said and "standard errors off" in said


def test_a_truth_is_held_against_the_reference() -> None:
    class Told(Bell):
        dim = 8  # too many for importance sampling

        def truths(self) -> tuple[Truth, ...]:
            return (Truth("x0", lambda x: x[:, 0], 0.5, 0.01),)

    x = 2 * torch.randn((5000, 8), generator=torch.Generator().manual_seed(0),
                        dtype=torch.float64)
    assert "the target's truth 'x0'" in verdict(Told(), x)


def test_a_right_reference_of_a_density_with_an_edge_passes() -> None:
    """Before: refused, with infinite standard errors where the score was not finite."""
    rng = torch.Generator().manual_seed(0)
    x = torch.randn((40_000, 2), generator=rng, dtype=torch.float64)
    said = verdict(Box(), x[x.abs().amax(1) < 1.5][:10_000])
    assert "refused" not in said and "the density has an edge" in said
    assert "log_prob is not finite at" in verdict(Box(), x[:10_000])


def test_scores_that_are_no_numbers_are_counted() -> None:
    class Broken(Bell):
        def score(self, x: Tensor) -> Tensor:
            return torch.where(x[:, :1] > 5.0, torch.nan, -x / 4)

    x = 2 * torch.randn((10_000, 2), generator=torch.Generator().manual_seed(0),
                        dtype=torch.float64)
    bad = int((x[:, 0] > 5.0).sum())
    assert f"score is not finite at {bad} of 10000" in verdict(Broken(), x)


def test_no_gradient_is_noted() -> None:
    class Plain(Bell):
        def log_prob(self, x: Tensor) -> Tensor:
            return super().log_prob(x.detach())

    x = 2 * torch.randn((10_000, 2), generator=torch.Generator().manual_seed(0),
                        dtype=torch.float64)
    assert "gives no gradient" in verdict(Plain(), x)
    assert "refused" in verdict(Plain(), x + 1.0)


def test_errors_of_correlated_means_are_honest() -> None:
    """Spread of the means of 200 chains over the mean error: near 1, and never far below."""
    for tau in (1.0, 10.0, 50.0):
        chains = [chain(5000, tau, seed)[:, :1] for seed in range(60)]
        spread = float(torch.stack([c.mean() for c in chains]).std())
        errors = torch.stack([mean_errors(c)[0] for c in chains])
        assert 0.6 < spread / float(errors.mean()) < 1.15
