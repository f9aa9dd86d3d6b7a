"""A code without mass goes where p is and q is not, and nowhere else."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from samplers.learning.optimisation import adam
from samplers.one_step.codes import CROWD, POOR, CodedGenerator, crowded, reseat
from samplers.one_step.proposal_pool import Pool, Window
from samplers.one_step.target_drift import Resampled
from targets.curved.gaussian import Gaussian


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(n: int, dim: int, seed: int) -> Tensor:
    return torch.randn((n, dim), generator=generator(seed), dtype=torch.float64)


def test_crowds_are_geometric_in_any_dimension_where_the_laws_agree() -> None:
    for dim in (1, 2, 10):
        counts = torch.cat([crowded(normal(200, dim, 2 * s), normal(200, dim, 2 * s + 1))
                            for s in range(60)])
        for k in (1, 2, 4):
            share = float((counts >= k).double().mean())
            assert abs(share - 2.0**-k) < 0.025, (dim, k, share)


def test_a_mode_without_points_of_q_is_chosen_and_a_lonely_outlier_is_not() -> None:
    there = normal(300, 2, 0)
    mode = 0.1 * normal(20, 2, 1) + torch.tensor([8.0, 0.0])
    outlier = torch.tensor([[0.0, 30.0]])
    copies = torch.tensor([[0.0, -30.0]]).expand(15, 2)
    u = torch.cat([there, mode, outlier, copies])
    counts = crowded(u, normal(300, 2, 2))
    assert 300 <= int(counts.argmax()) < 320
    assert int(counts[300:320].max()) >= CROWD
    assert int(counts[320]) < CROWD, "a lonely point is nobody's crowd"
    assert int(counts[321:].max()) < CROWD, "copies of one point are one point"


def test_the_poorest_code_moves_and_only_if_it_is_poor() -> None:
    target = Gaussian()
    net, other = (CodedGenerator((4, 4, 8), 2, 6, target, generator(s)) for s in (1, 2))
    optimiser = adam(net.parameters(), 1e-3)
    net(torch.ones(6, 4, dtype=torch.float64), torch.arange(6)).square().sum().backward()
    optimiser.step()
    before = net.anchor.detach().clone()
    mass = torch.full((6,), 1.0 / 6, dtype=torch.float64)
    point = torch.tensor([3.0, -2.0], dtype=torch.float64)
    reseat([net, other], optimiser, [mass], point, 0.5)
    assert torch.equal(net.anchor, before), "no code is poor"
    mass[4] = 0.1 * POOR / 6
    masses = [mass / mass.sum(), mass / mass.sum()]
    share = float(masses[0][0])
    reseat([net, other], optimiser, masses, point, 0.5)
    for moved in (net, other):
        torch.testing.assert_close(moved.scale * moved.anchor.detach()[4], point)
        torch.testing.assert_close(moved.scale * moved.log_size.detach()[4].exp(),
                                   torch.full_like(point, 0.5))
    assert torch.equal(net.anchor[:4], before[:4])
    assert not optimiser.state[net.anchor]["exp_avg"][4].any()
    assert optimiser.state[net.anchor]["exp_avg"][3].any()
    for m in masses:
        assert math.isclose(float(m.sum()), 1.0)
        assert math.isclose(float(m[4] / m[0]), 2.0 * POOR / 6 / share)


def test_scouts_are_the_heaviest_points_kept() -> None:
    target = Gaussian()
    side = Resampled(10, Window.empty(target, 50))
    assert side.scouts(3) is None
    weights = normal(30, 1, 3)[:, 0]
    points = normal(30, 2, 4)
    side.window = side.window.add(Pool(points, weights, weights[:1], weights[0]))
    side.points = side.window.resample(10, target, generator())
    found = side.scouts(3)
    assert found is not None
    assert torch.equal(found, points[weights.argsort(descending=True)[:3]])
