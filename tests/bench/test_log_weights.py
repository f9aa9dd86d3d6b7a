"""What is made of importance log-weights: normalisation, effective size, log Z, resampling."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from bench.core.log_weights import (
    effective_size,
    log_mean_exp,
    log_z_with_error,
    normalised,
    systematic,
)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_log_weights(*shape: int, seed: int = 3) -> Tensor:
    return torch.randn(shape, generator=generator(seed), dtype=torch.float64)


def test_normalised_weights_are_the_softmax_whatever_is_added() -> None:
    log_w = random_log_weights(4, 50)
    wanted = torch.softmax(log_w, 1)
    for shift in (0.0, 1e4, -1e4):
        torch.testing.assert_close(normalised(log_w + shift), wanted)


def test_weights_survive_far_exponents() -> None:
    log_w = torch.tensor([[0.0, -1e4, math.log(3.0)], [-2e4, -2e4, -9e4]])
    weights = normalised(log_w)
    torch.testing.assert_close(weights, torch.tensor([[0.25, 0.0, 0.75], [0.5, 0.5, 0.0]]))
    assert effective_size(weights).tolist() == pytest.approx([1.6, 2.0])


def test_weights_of_nothing_are_zero_and_nan_stays_visible() -> None:
    nothing = normalised(torch.full((3,), -math.inf))
    assert nothing.tolist() == [0.0, 0.0, 0.0] and float(effective_size(nothing)) == 0.0
    assert bool(torch.isnan(normalised(torch.tensor([0.0, math.nan]))).any())


def test_the_effective_size_goes_from_one_to_all() -> None:
    n = 40
    alone = torch.full((n,), -math.inf, dtype=torch.float64)
    alone[7] = 2.0
    assert float(effective_size(normalised(alone))) == pytest.approx(1.0)
    assert float(effective_size(normalised(torch.full((n,), 5.0)))) == pytest.approx(n)
    log_w = random_log_weights(200, n)
    size, w = effective_size(normalised(log_w)), log_w.exp()
    torch.testing.assert_close(size, w.sum(1).square() / w.square().sum(1))  # Kish
    assert 1.0 < float(size.min()) and float(size.max()) < n


def test_the_log_mean_is_that_of_the_weights_and_its_error_shrinks_as_it_should() -> None:
    """Weights exp(N(0, s^2)): Z = exp(s^2 / 2), relative variance exp(s^2) - 1."""
    s, n = 0.5, 400
    log_w = s * random_log_weights(2000, n)
    torch.testing.assert_close(log_mean_exp(log_w), log_w.exp().mean(1).log())
    far = log_mean_exp(log_w[0] - 1e5)
    assert float(far) == pytest.approx(float(log_mean_exp(log_w[0])) - 1e5)
    found = torch.tensor([log_z_with_error(row) for row in log_w])
    theory = math.sqrt(math.expm1(s**2) / n)
    assert float(found[:, 1].mean()) == pytest.approx(theory, rel=0.03)
    assert float(found[:, 0].std()) == pytest.approx(theory, rel=0.06)
    assert abs(float(found[:, 0].mean()) - s**2 / 2) < 4 * theory / math.sqrt(2000) + theory**2


def by_rank(weights: Tensor, n: int, u: Tensor) -> Tensor:
    """Known bad: the cumulated weights are those of the sorted particles."""
    return systematic(weights.sort(-1).values, n, u)


def one_u_each(weights: Tensor, n: int, u: Tensor) -> Tensor:
    """Multinomial: right in the mean, but counts vary by more than one."""
    seed = int(float(u[0, 0]) * 2**24)
    return torch.multinomial(weights, n, replacement=True, generator=generator(seed))


def counts_are_right(resample: Callable[[Tensor, int, Tensor], Tensor]) -> tuple[bool, bool]:
    """Whether each particle comes n w times in the mean, and floor or ceiling of it always."""
    rng, n, times = generator(3), 40, 4000
    weights = normalised(torch.randn((3, 7), generator=rng, dtype=torch.float64))
    drawn = [resample(weights, n, torch.rand((3, 1), generator=rng)) for _ in range(times)]
    counts = torch.nn.functional.one_hot(torch.stack(drawn), 7).sum(2).double()
    even = bool(((counts - n * weights).abs() < 1).all())
    error = counts.std(0) / math.sqrt(times) + 1e-3
    return bool(((counts.mean(0) - n * weights).abs() < 4 * error).all()), even


def test_systematic_resampling_is_unbiased_and_within_one_of_n_w() -> None:
    assert counts_are_right(systematic) == (True, True)
    assert counts_are_right(by_rank)[0] is False
    assert counts_are_right(one_u_each) == (True, False)


@pytest.mark.parametrize("u", [0.0, 1 - 2.0**-24])
def test_a_weight_of_zero_is_never_drawn_and_sums_need_not_be_one(u: float) -> None:
    weights = torch.tensor([0.0, 3.0, 0.0, 5.0, 0.0])
    index = systematic(weights, 8, torch.tensor([u]))
    assert torch.bincount(index, minlength=5).tolist() == [0, 3, 0, 5, 0]
    assert index.tolist() == sorted(index.tolist())
