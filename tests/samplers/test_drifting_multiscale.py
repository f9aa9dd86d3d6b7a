"""The sampler ``drifting_multiscale``: its options, its price, its diagnostics."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from bench.core.errors import UserError
from bench.core.log_weights import systematic
from bench.core.registry import load
from bench.harness.meter import Ledger, MeteredTarget
from samplers.base import initial_points, uniform
from samplers.learning.smoothed_score import monte_carlo_score
from samplers.one_step.centres import restarted
from samplers.one_step.kernels import mean_shift, smoothed_score
from tests.support.drifting_cases import SMALL, Normals, generator, pair, points, solved

# ---- the sampler --------------------------------------------------------------------------------


@pytest.mark.parametrize("eta", [0.22, 1.0])
def test_drifting_is_one_line_of_options(eta: float) -> None:
    """Same generator, same points, same perturbations: the same drift, up to eta."""
    target, at = pair(), points(20)
    faithful = load("samplers", "drifting", batch=20, perturbations=9, eta=eta)
    line = load("samplers", "drifting_multiscale", bandwidths="fixed", bandwidth=0.22, latent=32,
                estimator="local", perturbations=9, sampler_side="self_inclusive", codes=1,
                walkers=0, scouts=0, ema=0.0, normalisation="score", width=256, batch=20,
                support=5)
    theirs, ours = faithful.init(target, generator(1)), line.init(target, generator(1))
    z, code = points(20, 32), torch.zeros(20, dtype=torch.long)
    with torch.no_grad():
        torch.testing.assert_close(target.scale * theirs.generator(z), ours.generator(z, code))
        expected = eta * (monte_carlo_score(target, at, 0.22, 9, generator(3))[0]
                          - mean_shift(at, 0.22))
        found = line._drift(target, ours, at, points(5), generator(3))
    torch.testing.assert_close(eta * found, expected)


@pytest.mark.parametrize("side", ["fresh", "self_exclusive", "self_inclusive"])
def test_step_descends_along_the_drift(side: str) -> None:
    """grad L = -(2/N) sum_i V_i . dx_i/dtheta, with V from the step's own random numbers."""
    target = pair()
    sampler = load("samplers", "drifting_multiscale", **SMALL, sampler_side=side)
    state, twin = (sampler.init(target, generator(1)) for _ in range(2))
    sampler.step(target, state, 0.0, generator(2))
    rng = generator(2)
    with torch.no_grad():
        code = torch.multinomial(twin.mass, 40, replacement=True, generator=rng)
        y = sampler._push(target, twin.generator, code, rng)
        twin.side.gather(target, sampler._centres(target, twin, y, 0.0, rng), twin.widths, rng)
    code = systematic(twin.mass, 24, uniform(target, (1,), rng))
    x = sampler._push(target, twin.generator, code, rng)
    widths, weights = twin.widths.active()
    cloud = y if side == "fresh" else x.detach()
    drift = torch.zeros_like(x)
    for s, w in zip(widths, weights, strict=True):
        theirs = smoothed_score(x.detach(), twin.side.points, [s], [1.0])
        mine = smoothed_score(x.detach(), cloud, [s], [1.0], exclude=side == "self_exclusive")
        drift += w * s * (theirs - mine)
    parameters = list(twin.generator.parameters())
    expected = torch.autograd.grad(x, parameters, -2.0 * drift / 24)
    for parameter, gradient in zip(state.generator.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("normalisation", "power"), [("score", 0), ("width", 1), ("square", 2)])
def test_normalisation_is_the_power_of_the_width(normalisation: str, power: int) -> None:
    sampler, state, target = solved(normalisation=normalisation, bandwidth=0.5)
    x, y, state.side.points = points(5), points(30, seed=1), points(30, seed=2)
    bare = (smoothed_score(x, state.side.points, [0.5], [1.0])
            - smoothed_score(x, y, [0.5], [1.0]))
    torch.testing.assert_close(sampler._drift(target, state, x, y, generator()),
                               0.5**power * bare)


@pytest.mark.parametrize(("parameters", "said"), [
    ({"bandwidths": "wide"}, "bandwidths must be one of fixed, annealed, ladder, adaptive"),
    ({"estimator": "monte_carlo"}, "estimator must be one of local, gradient, second_order"),
    ({"sampler_side": "self"}, "sampler_side must be one of fresh, self_exclusive"),
    ({"normalisation": "none"}, "normalisation must be one of score, width, square"),
    ({"estimator": "weighted"}, "the mass step needs estimator = resampled, not 'weighted'"),
    ({"estimator": "local"}, "set mass_rate = 0 or codes = 1"),
    ({"restarts": 129}, "restarts must lie between 0 and walkers = 128, not 129"),
])
def test_bad_options_are_said_in_a_sentence(parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said) as error:
        load("samplers", "drifting_multiscale", **parameters)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("parameters", "cost"), [
    ({}, (40 + 12 + 10, 12, 0)),
    ({"scouts": 0}, (40 + 12, 12, 0)),
    ({"restarts": 5}, (40 + 12 + 10, 12 + 5, 0)),
    ({"walkers": 0, "scouts": 0}, (40, 0, 0)),
    ({"estimator": "weighted", "codes": 1}, (40 + 12, 12, 0)),
    ({"estimator": "local", "codes": 1, "walkers": 0, "perturbations": 16, "rungs": 4},
     (24 * 16, 0, 0)),
    ({"estimator": "local", "codes": 1, "walkers": 0, "perturbations": 6, "bandwidths": "fixed"},
     (24 * 6, 0, 0)),
    ({"estimator": "gradient", "codes": 1, "walkers": 0, "perturbations": 16, "rungs": 4},
     (0, 24 * 16, 0)),
    ({"estimator": "second_order", "codes": 1, "walkers": 0, "bandwidths": "fixed"},
     (0, 24, 48)),
])
def test_evaluations_of_an_update(parameters: dict[str, Any], cost: tuple[int, int, int]) -> None:
    target = pair()
    ledger = Ledger(target.device)
    face = MeteredTarget(target, ledger)
    sampler = load("samplers", "drifting_multiscale", **(SMALL | parameters))
    state = sampler.step(face, sampler.init(face, generator()), 0.0, generator())
    before = ledger.cost("train")  # after an update, since the first has no scouts yet
    for update in (1, 2):
        state = sampler.step(face, state, 0.0, generator(update))
        now = ledger.cost("train")
        assert (now.density - before.density, now.score - before.score,
                now.hvp - before.hvp) == tuple(update * c for c in cost)
    sampler.draw(face, state, 100, generator())
    assert ledger.total("draw") == 0


def test_restarts_take_the_walkers_in_turn_and_leave_the_rest_alone() -> None:
    target, sampler = pair(), load("samplers", "drifting_multiscale", **SMALL, restarts=3)
    walkers = sampler.init(target, generator()).walkers
    seen: list[int] = []
    for update in range(4):
        moved = restarted(target, walkers, 3, update, generator(update))
        changed = (moved.x != walkers.x).all(dim=1)
        seen += changed.nonzero()[:, 0].tolist()
        assert torch.equal(moved.x[~changed], walkers.x[~changed])
        assert torch.equal(moved.x[changed], initial_points(target, 3, generator(update)))
        log_p, score = target.log_prob_and_score(moved.x)
        torch.testing.assert_close((moved.log_p, moved.score), (log_p, score))
    assert seen == list(range(12))


def test_restarts_find_a_mode_in_whose_basin_no_walker_started() -> None:
    """One point in eighty of the initial law lies nearer to the second mode than the first."""
    target = Normals([[0.0, 0.0], [9.0, 0.0]], [1.0, 1.0], [0.5, 0.5], 2.0)
    found = {}
    for restarts in (0, 4):
        sampler = load("samplers", "drifting_multiscale", **SMALL, restarts=restarts)
        state = sampler.init(target, generator())
        assert not (state.walkers.x[:, 0] > 4.5).any()
        reached = 0
        for update in range(150):
            rng = generator(update)
            sampler._centres(target, state, torch.zeros((1, 2), dtype=torch.float64), 0.0, rng)
            state.updates += 1
            reached += int((state.walkers.x[:, 0] > 6.0).any())
        found[restarts] = reached
    assert found[0] == 0 and found[4] > 0


def test_diagnostics_are_finite_and_named() -> None:
    target, sampler = pair(), load("samplers", "drifting_multiscale", **SMALL)
    state = sampler.init(target, generator())
    assert {"main_width", "codes_in_use"} <= sampler.diagnostics(state).keys()
    for update in range(3):
        state = sampler.step(target, state, 0.0, generator(update))
    found = sampler.diagnostics(state)
    assert found.keys() == {"loss", "drift_norm", "pool_ess", "window_ess", "main_width",
                            "codes_in_use", "smoothing_error", "optimisation_error"}
    assert all(math.isfinite(v) for v in found.values())
    assert 0.0 < found["pool_ess"] <= 1.0 and 1.0 <= found["window_ess"] <= 3 * 62
    assert found["codes_in_use"] <= 8.0 + 1e-9


@pytest.mark.parametrize("shift", [0.0, 2.0])
def test_optimisation_error_is_zero_at_the_solution(shift: float) -> None:
    """Support exact, or moved by two widths; the width is .5 and the law N(0, I)."""
    sampler, state, target = solved(bandwidth=0.5)
    rng, found = generator(), []
    for _ in range(40):
        state.side.points = target.sample(200, rng)
        state.support = target.sample(200, rng) + 0.5 * shift / math.sqrt(2)
        found.append(sampler.diagnostics(state)["optimisation_error"])
    mean = sum(found) / 40
    assert abs(mean) < 0.01 and max(found) < 0.1 if shift == 0.0 else min(found) > 0.1


def test_smoothing_error_tells_a_width_too_wide_from_one_that_fits() -> None:
    errors = {}
    for width in (0.1, 1.0):
        sampler, state, target = solved(bandwidth=width)
        state.side.points = state.support = target.sample(3000, generator())
        errors[width] = sampler.diagnostics(state)["smoothing_error"]
    # For N(0, I) the overlap at the summed variance v is 1 / (2 pi (2 + v)).
    exact = (1 / 4 + 1 / 2.5 - 2 / 3.25) * 4
    assert abs(errors[0.1]) < 0.05 and errors[1.0] == pytest.approx(exact, abs=0.03)
