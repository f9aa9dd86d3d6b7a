"""Squared distances: against the definition, far from the origin, and through autograd."""

from __future__ import annotations

import pytest
import torch

from samplers.distances import squared_distances


@pytest.mark.parametrize("dim", [1, 2, 6, 7, 20])
def test_squared_distances_and_their_gradients_are_those_of_the_definition(dim: int) -> None:
    rng = torch.Generator().manual_seed(dim)
    x, y = (torch.randn((n, dim), generator=rng, dtype=torch.float64) for n in (9, 12))
    torch.testing.assert_close(squared_distances(x, y), (x[:, None] - y).square().sum(-1))
    assert torch.equal(x, x.clone()) and float(squared_distances(x, x).diagonal().max()) == 0.0
    leaf = x.clone().requires_grad_()
    weights = torch.randn((9, 9), generator=rng, dtype=torch.float64)
    (found,) = torch.autograd.grad((weights * squared_distances(leaf, leaf)).sum(), leaf)
    both = weights + weights.T
    torch.testing.assert_close(found, 2 * (both.sum(1, keepdim=True) * x - both @ x))


@pytest.mark.parametrize("dim", [2, 9])
def test_nothing_cancels_far_from_the_origin(dim: int) -> None:
    x = torch.full((1, dim), 4096.0)
    y = x + 2.0**-10
    assert float(squared_distances(x, y)) == pytest.approx(dim * 2.0**-20, rel=1e-6)
    inner = x.square().sum() + y.square().sum() - 2 * (x @ y.T)  # known bad: by inner products
    assert float(inner) != pytest.approx(dim * 2.0**-20, rel=0.1)
