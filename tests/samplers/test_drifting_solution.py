"""At the solution q = p drift and mass step stand still: points are exact, nothing is trained."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import pytest
import torch
from torch import Tensor

from bench.core.log_weights import systematic
from bench.core.registry import load
from samplers.one_step.bandwidths import Bandwidths
from samplers.one_step.codes import mass_step, responsibilities
from samplers.one_step.kernels import smoothed_score
from samplers.one_step.proposal_pool import Window, propose
from targets.base import Target
from tests.support.drifting_cases import (
    Cells,
    Normals,
    generator,
    ladder,
    mean_and_error,
    normal,
    solved,
)

# ---- unbiased at q = p ------------------------------------------------------------------------
#
# Drifts at fixed places, in units of the width, along the direction in which the smoothed law
# rises: "inward". The bias of one side alone is what a drift would have if nothing cancelled.


@dataclass(frozen=True)
class Places:
    """A law, a width, places to look at and the smoothed score there times the width."""

    target: Target
    widths: Bandwidths
    x: Tensor
    shift: Tensor

    def inward(self, drift: Tensor) -> Tensor:
        return (drift * self.shift / self.shift.norm(dim=1, keepdim=True)).sum(1)

    def drift(self, cloud: Tensor, log_b: Tensor | None = None) -> Tensor:
        s = self.widths.main()
        return smoothed_score(self.x, cloud, [s], [s], log_weights=log_b)


def gaussian_places() -> Places:
    x = torch.tensor([[0.5, 0.0], [2.5, 0.0], [3.5, 0.0]], dtype=torch.float64)
    widths = ladder([0.1, 0.6, 0.3])
    return Places(normal(), widths, x, -x / 1.25 * 0.5)


def banana_places() -> Places:
    """The bend and two places of the arm; scores from the exact law on a fine grid."""
    target: Target = load("targets", "banana")
    x = torch.tensor([[0.5, 0.25], [1.5, 2.25], [2.0, 4.0]], dtype=torch.float64)
    widths = ladder([0.1, 0.6, 0.3])
    grid = torch.cartesian_prod(torch.linspace(-5, 5, 501, dtype=torch.float64),
                                torch.linspace(-3, 16, 951, dtype=torch.float64))
    exact = smoothed_score(x, grid, [0.5], [0.5], log_weights=target.log_prob(grid))
    return Places(target, widths, x, exact)


@cache
def drifts_at_the_solution(name: str, count: int = 96, window: int = 40,
                           updates: int = 1600) -> dict[str, tuple[Tensor, Tensor]]:
    """Mean drift and its standard error at each place, by estimator; y exact, pools rolling."""
    places = gaussian_places() if name == "gaussian" else banana_places()
    target, rng = places.target, generator(3)
    kept = Window.empty(target, count * window)
    seen: dict[str, list[Tensor]] = {}
    for update in range(window + updates):
        y = target.sample(count, rng)
        pool = propose(target, y, places.widths, rng)
        kept = kept.add(pool)
        if update < window:
            continue
        u = kept.resample(count, target, rng)
        batch = target.sample(count - 1, rng)
        with_itself = torch.cat([places.drift(torch.cat([at, batch]))[i:i + 1]
                                 for i, at in enumerate(places.x.split(1))])
        theirs, ours = places.drift(u), places.drift(y)
        of_pool = places.drift(pool.points, pool.log_weights)
        for key, value in (("fresh", theirs - ours), ("self_inclusive", theirs - with_itself),
                           ("weighted", of_pool - ours), ("one side", ours - places.shift)):
            seen.setdefault(key, []).append(places.inward(value))
    return {key: mean_and_error(torch.stack(v), blocks=20) for key, v in seen.items()}


@pytest.mark.parametrize("name", ["gaussian", "banana"])
def test_fresh_support_and_drawn_points_have_no_drift_at_the_solution(name: str) -> None:
    """Zero at every place, where one side alone is biased by up to a width."""
    mean, error = drifts_at_the_solution(name)["fresh"]
    assert (mean.abs() < 4 * error + 0.002).all(), (mean, error)
    assert (mean.abs() < 0.12).all() and mean[:2].abs().max() < 0.06
    alone = drifts_at_the_solution(name)["one side"][0]
    assert alone[2] > 0.12


@pytest.mark.parametrize("name", ["gaussian", "banana"])
def test_a_self_inclusive_batch_pulls_inward_at_the_solution(name: str) -> None:
    found = drifts_at_the_solution(name)
    mean, error = found["self_inclusive"]
    assert mean[2] > 5 * error[2] and mean[2] > 0.2
    assert mean[2] > found["one side"][0][2]  # more than the bias of one side


@pytest.mark.parametrize(("name", "sign"), [("gaussian", -1.0), ("banana", 1.0)])
def test_a_weighted_pool_drifts_at_the_solution(name: str, sign: float) -> None:
    """Outward on the Gaussian, inward on the banana's arm: the biases of the sides differ."""
    mean, error = drifts_at_the_solution(name)["weighted"]
    assert sign * mean[2] > 5 * error[2] and sign * mean[2] > 0.2


@cache
def steps_at_the_solution() -> tuple[Tensor, Tensor]:
    """Of 2,000 whole steps: inward drifts in widths at three radii, gains of rings of codes."""
    sampler, state, target = solved(mass_rate=0.1)
    angle = torch.arange(16).double() * math.pi / 8
    out = torch.stack([angle.cos(), angle.sin()], dim=1)
    x = torch.cat([r * out for r in (1.0, 2.0, 2.5)])
    rng, start, drifts, gains = generator(5), state.mass, [], []
    for _ in range(2000):
        state.mass = start
        state = sampler.step(target, state, 0.0, rng)
        drift = sampler._drift(target, state, x, state.support, rng) / 0.25
        drifts.append(-(drift.view(3, 16, 2) * out).sum(2).mean(1))
        gains.append((state.mass - start).view(8, 8).sum(1) * 8 / 0.1)
    return torch.stack(drifts), torch.stack(gains)


def test_the_cells_are_a_normal_law() -> None:
    n, rng = 40_000, generator()
    z = torch.randn((n, 2), generator=rng, dtype=torch.float64)
    y = Cells()(z, torch.randint(64, (n,), generator=rng)).detach()
    assert torch.allclose(y.T @ y / n, torch.eye(2).double(), atol=0.03)
    assert float((y**4).mean()) == pytest.approx(3.0, abs=0.1)
    assert float((y.norm(dim=1) > 2.5).double().mean()) == pytest.approx(0.0439, abs=0.004)


def test_whole_steps_have_no_drift_at_the_solution() -> None:
    """Codes of the support are drawn independently: evenly spread ones would favour one side."""
    mean, error = mean_and_error(steps_at_the_solution()[0])
    assert (mean.abs() < 4 * error).all(), (mean, error)
    assert (error < 0.05).all()


# ---- the mass step ------------------------------------------------------------------------------


def test_mass_step_stands_still_at_the_solution_because_points_are_smoothed() -> None:
    """Codes of unequal width; without smoothing the narrow one would gain mass."""
    law = Normals([[0.0, 0.0], [1.5, 0.0]], [1.0, 0.1], [0.5, 0.5])
    rng, s, n, found = generator(), 0.25, 256, {}
    for smooth in (True, False):
        gains = []
        for _ in range(500):
            u = law.sample(n, rng)
            code = systematic(law.weights, n, torch.rand(1, generator=rng))
            z = torch.randn((n, 2), generator=rng, dtype=torch.float64)
            y = law.means[code] + law.deviations[code].unsqueeze(1) * z
            if smooth:
                u = u + s * torch.randn((n, 2), generator=rng, dtype=torch.float64)
            share = responsibilities(u, y, code, 2, s)
            assert float(share.sum()) == pytest.approx(1.0)
            gains.append(share - torch.bincount(code).double() / n)
        found[smooth] = mean_and_error(torch.stack(gains))
    mean, error = found[True]
    assert abs(mean[1]) < 4 * error[1] < 0.01, (mean, error)
    mean, error = found[False]
    assert mean[1] > 5 * error[1] and mean[1] > 0.02, (mean, error)


def test_wrong_masses_converge_to_the_truth() -> None:
    """Whole steps with exact cells and tilted masses: the covariance's trace comes right."""
    sampler, state, target = solved(mass_rate=0.2)
    tilt = torch.linspace(0.3, 1.7, 64, dtype=torch.float64)
    state.mass, rng, late = tilt / 64, generator(4), []
    for update in range(1200):  # late enough that no code is reseated
        state = sampler.step(target, state, 0.75, rng)
        if update >= 400:
            late.append(state.mass)
    rings = torch.stack(late).mean(0).view(8, 8).sum(1)
    rest = torch.linspace(1.0, 0.0, 9, dtype=torch.float64)  # of the mass, beyond a ring's edge
    integral = 2 * (rest - torch.special.xlogy(rest, rest))  # of -2 log: the squared radius
    trace = float((rings * (integral[:-1] - integral[1:]) * 8).sum())
    assert trace == pytest.approx(2.0, abs=0.08)  # neighbouring rings trade mass, this is firm
    assert float(state.mass.sum()) == pytest.approx(1.0)


def test_mass_never_dies() -> None:
    mass = torch.tensor([0.5, 0.5]).double()
    for _ in range(500):
        mass = mass_step(mass, torch.tensor([-1.0, 1.0]).double(), 0.05)
    assert 0.0 < float(mass[0]) < 0.01 and float(mass.sum()) == pytest.approx(1.0)


def test_whole_steps_move_no_mass_at_the_solution() -> None:
    """No ring of the cells of a normal law gains or loses."""
    mean, error = mean_and_error(steps_at_the_solution()[1])
    assert (mean.abs() < 4 * error).all(), (mean, error)
