"""Injected defects do what they say, in distribution and in number."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.core import registry
from metrics.audit.defect import Defect
from metrics.audit.defects import (
    KINDS,
    OUTLIER_DISTANCE,
    Duplicates,
    HeavyTails,
    Narrower,
    Nothing,
    Outliers,
    Shift,
    Straightened,
    Wider,
    defects,
)
from metrics.audit.mode_defects import Between, ModeDropped, Tilted, WeightDefect, true_weights
from targets.base import Target

torch.set_num_threads(1)
MANY = 20_000


@cache
def target(name: str) -> Target:
    made: Target = registry.load("targets", name)
    return made.to("cpu", torch.float32)


def exact(name: str, n: int = MANY) -> Tensor:
    return target(name).sample(n, torch.Generator().manual_seed(1))


def injected(defect: Defect, name: str, n: int = MANY) -> Tensor:
    return defect.inject(exact(name, n), target(name), torch.Generator().manual_seed(2))


def shares(x: Tensor, name: str) -> np.ndarray:
    modes = target(name).mode_of(x)
    return np.bincount(modes.numpy(), minlength=len(true_weights(target(name)))) / len(x)


@pytest.mark.parametrize("name", ["gmm4", "gmm4_skewed", "double_well", "gmm40_fab", "banana",
                                  "gaussian", "funnel"])
def test_every_defect_keeps_shape_samples_and_global_stream(name: str) -> None:
    x = exact(name, 500)
    before, state = x.clone(), torch.get_rng_state()
    for defect in defects(target(name)):
        once, again = (defect.inject(x, target(name), torch.Generator().manual_seed(7))
                       for _ in range(2))
        assert once.shape == x.shape and once.dtype == x.dtype and torch.isfinite(once).all()
        assert torch.equal(once, again)
        assert torch.equal(once, x) == isinstance(defect, Nothing)
    assert torch.equal(x, before)
    assert torch.equal(state, torch.get_rng_state())


def test_defects_go_where_they_mean_something() -> None:
    kinds = {name: {d.name for d in defects(target(name))}
             for name in ("gmm4", "banana", "gaussian", "donut")}
    of_modes, everywhere = {"mode_dropped", "tilted", "between"}, {
        "none", "shift", "wider", "narrower", "heavy_tails", "outliers", "duplicates"}
    assert kinds["gmm4"] == everywhere | of_modes
    assert kinds["banana"] == everywhere | {"straightened"}
    assert kinds["gaussian"] == kinds["donut"] == everywhere  # a Gaussian's shear is nothing
    assert all(list(kind.grades) == sorted(kind.grades) for kind in KINDS)


@pytest.mark.parametrize("name", ["gmm4", "gmm4_skewed", "double_well", "gmm40_fab", "mog2"])
@pytest.mark.parametrize("defect", [Tilted(0.1), Tilted(0.6), ModeDropped(0.5), ModeDropped(1.0)])
def test_mode_weights_become_what_the_defect_says(name: str, defect: WeightDefect) -> None:
    wanted, old = defect.weights(target(name)).numpy(), true_weights(target(name)).numpy()
    assert wanted.sum() == pytest.approx(1.0) and wanted.min() >= 0.0
    assert 0.5 * np.abs(wanted - old).sum() == pytest.approx(
        defect.total_variation(target(name)), abs=1e-9)
    error = np.sqrt(wanted * (1.0 - wanted) / MANY)
    assert (np.abs(shares(injected(defect, name), name) - wanted) <= 4.5 * error).all()


def test_total_variations_by_hand() -> None:
    for strength in Tilted.grades:
        assert Tilted(strength).total_variation(target("gmm4_far")) == pytest.approx(
            strength / 2, abs=1e-6)
    # .1 .2 .3 .4 times 1.3 .7 1.3 .7 is .13 .14 .39 .28, of sum .94
    gain = 0.13 / 0.94 - 0.1 + 0.39 / 0.94 - 0.3
    assert Tilted(0.3).total_variation(target("gmm4_skewed")) == pytest.approx(gain, abs=1e-5)
    assert ModeDropped(0.5).total_variation(target("gmm4_skewed")) == pytest.approx(0.05, abs=1e-5)
    assert shares(injected(ModeDropped(1.0), "gmm4_skewed"), "gmm4_skewed")[0] == 0.0


def test_reweighted_points_are_exact_inside_their_modes_and_few_are_new() -> None:
    x, y = exact("gmm4_far"), injected(Tilted(0.6), "gmm4_far")
    changed = float((x != y).any(1).double().mean())
    assert changed == pytest.approx(0.3, abs=4 * math.sqrt(0.21 / MANY))
    modes = target("gmm4_far").mode_of(y)
    for k in range(4):
        part = y[modes == k].double()
        corner = part.mean(0).abs()
        assert torch.allclose(corner, torch.full((2,), 1.5, dtype=torch.float64), atol=0.02)
        assert torch.allclose(part.std(0), torch.full((2,), 0.2, dtype=torch.float64), atol=0.01)


@pytest.mark.parametrize("name", ["banana", "gmm40_fab"])
def test_shift_and_rescale(name: str) -> None:
    x = exact(name).double()
    moved = injected(Shift(0.3), name).double() - x
    length = torch.tensor(0.3 * target(name).scale, dtype=torch.float64)
    assert torch.allclose(moved.norm(dim=1), length, rtol=1e-4)
    for defect, factor in ((Wider(0.2), 1.2), (Narrower(0.2), 0.8)):
        y = injected(defect, name).double()
        assert torch.allclose(y.mean(0), x.mean(0), atol=1e-3)
        assert torch.allclose(y.std(0), factor * x.std(0), rtol=1e-4)


def test_heavy_tails_have_the_distribution_of_student() -> None:
    """In the plane |z|^2 (nu - 2) / c exceeds r^2 with p = (1 + r^2 / (nu - 2))^(-nu / 2)."""
    covariance = torch.linalg.inv(torch.tensor([[3.0, -0.5], [-0.5, 1.0]], dtype=torch.float64))
    factor = torch.linalg.inv(torch.linalg.cholesky(covariance))
    for strength in HeavyTails.grades:
        nu = round(1.0 / strength)
        y = injected(HeavyTails(strength), "gaussian").double()
        radius = ((y - torch.tensor([-1.0, 1.0])) @ factor.T).norm(dim=1)
        for r in (0.5, 1.0, 4.0):
            p = (1.0 + r * r / (nu - 2.0)) ** (-nu / 2.0)
            assert float((radius > r).double().mean()) == pytest.approx(
                p, abs=4.5 * math.sqrt(p / MANY) + 0.002)


def test_heavy_tails_stay_with_their_mode() -> None:
    x, y = exact("gmm4_far"), injected(HeavyTails(0.1), "gmm4_far")
    modes = target("gmm4_far").mode_of(x)
    for k in range(4):
        inside = y[modes == k].double()
        assert torch.allclose(inside.std(0), torch.full((2,), 0.2, dtype=torch.float64), atol=0.01)


def test_outliers_in_share_and_distance() -> None:
    x, y = exact("banana"), injected(Outliers(0.05), "banana")
    new = (x != y).any(1)
    assert float(new.double().mean()) == pytest.approx(0.05, abs=4 * math.sqrt(0.0475 / MANY))
    distance = (y[new] - x.mean(0)).norm(dim=1)
    wanted = OUTLIER_DISTANCE * target("banana").scale * math.sqrt(2.0)
    assert torch.allclose(distance, torch.tensor(wanted), rtol=1e-4)
    direction = (y[new] - x.mean(0)) / distance[:, None]
    assert float(direction.mean(0).norm()) < 4.0 / math.sqrt(float(new.sum()))


@pytest.mark.parametrize("times", [2, 5, 20])
def test_duplicates_count(times: int) -> None:
    y = injected(Duplicates(float(times)), "donut", 1000)
    found, counts = torch.unique(y, dim=0, return_counts=True)
    assert len(found) == 1000 // times and (counts == times).all()
    first = {tuple(row) for row in exact("donut", 1000)[: 1000 // times].tolist()}
    assert {tuple(row) for row in found.tolist()} == first
    start = torch.unique(y[: len(found)], dim=0)  # shuffled: any stretch holds twins, and not all
    assert len(found) / 2 < len(start) < len(found)


def test_between_lies_between() -> None:
    """Modes of mog2 lie at -+ 2 sqrt(2) along the antidiagonal; moved points at 0 +- sqrt(2)."""
    x, y = exact("mog2"), injected(Between(0.2), "mog2")
    new = (x != y).any(1)
    assert float(new.double().mean()) == pytest.approx(0.2, abs=4 * math.sqrt(0.16 / MANY))
    along = (y[new] - y[new].flip(1))[:, 0].double() / math.sqrt(2.0)
    gap = 2.0 * math.sqrt(8.0)
    spread = math.sqrt(gap**2 * 0.25 / 12.0 + 0.5 * (1.0 / 2.0 + 2.0 * 0.25 / 12.0))
    assert float(along.mean()) == pytest.approx(0.0, abs=4.5 * spread / math.sqrt(len(along)))
    assert float(along.std()) == pytest.approx(spread, rel=0.03)


@pytest.mark.parametrize("strength", Straightened.grades)
def test_straightened_banana_bends_less(strength: float) -> None:
    """The slope of x1 on x0^2 is 1 - strength; at 1 nothing of the correlation is left."""
    x, y = exact("banana").double(), injected(Straightened(strength), "banana").double()
    assert torch.equal(y[:, 0], x[:, 0])
    assert float(y[:, 1].mean()) == pytest.approx(float(x[:, 1].mean()), abs=1e-3)
    square = x[:, 0] ** 2 - (x[:, 0] ** 2).mean()
    slope = float((square * y[:, 1]).sum() / square.square().sum())
    assert slope == pytest.approx(1.0 - strength, abs=4.5 * 0.5 / math.sqrt(2 * MANY))
