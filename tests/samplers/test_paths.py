"""Samplers of controlled paths (PIS, DDS, DIS): their weights against what is known exactly."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from bench.conformance.distributions import distribution
from bench.conformance.trial import Trial
from bench.core.density import Density
from bench.core.log_weights import log_z_with_error
from bench.harness.meter import Ledger, MeteredTarget
from samplers.base import normal
from samplers.diffusion.controlled_paths import ControlledPaths, PathState, log_density, log_normal
from samplers.diffusion.dds import DDS
from samplers.diffusion.dis import DIS
from samplers.diffusion.pis import PIS
from targets.base import Target
from tests.support.law_cases import LOG_Z, log_z_case

SHIFT = 0.7  # log Z of the targets here
ALL: list[ControlledPaths] = [PIS(), PIS(schedule="constant"), DDS(), DIS()]
WIDE = torch.float64


class Pair(Target):
    """.3 N(-.8, 1) + .7 N(1.2, 1) in each of ``dim`` coordinates, times exp(SHIFT).

    Neither much wider nor much narrower than the references, so that w and 1/w have variances.
    """

    scale = 1.25
    log_z = SHIFT

    def __init__(self, dim: int = 1) -> None:
        self.dim = dim
        self.log_weights = torch.tensor([0.3, 0.7], dtype=WIDE).log()
        self.means = torch.tensor([-0.8, 1.2], dtype=WIDE)

    def log_prob(self, x: Tensor) -> Tensor:
        each = self.log_weights - (x[..., None] - self.means).square() / 2
        return (torch.logsumexp(each, -1) - math.log(2 * math.pi) / 2).sum(1) + SHIFT

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        k = torch.multinomial(self.log_weights.exp(), n * self.dim, True, generator=rng)
        z = torch.randn((n, self.dim), generator=rng, dtype=WIDE)
        return self.means[k].reshape(n, self.dim) + z


class Normal(Target):
    """exp(SHIFT) N(0, sd^2 I) in the plane."""

    dim = 2
    log_z = SHIFT

    def __init__(self, sd: float, scale: float) -> None:
        self.sd, self.scale = sd, scale

    def log_prob(self, x: Tensor) -> Tensor:
        return log_normal(x, self.sd**2) + SHIFT

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        return self.sd * torch.randn((n, self.dim), generator=rng, dtype=WIDE)


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_control(sampler: ControlledPaths, target: Density, size: float = 0.2) -> PathState:
    """A control that nobody trained: every layer random, also the last."""
    state = sampler.init(target, rng(0))
    with torch.no_grad():
        for layer in (state.net.last, state.net.gain):
            layer.weight.copy_(size * normal(target, tuple(layer.weight.shape), rng(1)) / 8)
            layer.bias.copy_(size * normal(target, tuple(layer.bias.shape), rng(2)))
    return state


def weights(sampler: ControlledPaths, target: Any, state: PathState,
            n: int = 8000) -> tuple[Tensor, Tensor]:
    """log w of paths drawn forward, and of paths drawn backward from exact points."""
    found = sampler.log_weights(target, state, n, target.sample(n, rng(3)), rng(4))
    assert found.at_draws is not None and found.at_target is not None
    return found.at_draws, found.at_target


def gaps(sampler: ControlledPaths, target: Any, state: PathState) -> tuple[float, float]:
    """How many standard errors E_F[w] and E_B[1/w] are off Z and 1/Z."""
    ahead, back = weights(sampler, target, state)
    (up, up_se), (down, down_se) = log_z_with_error(ahead), log_z_with_error(-back)
    assert up_se < 0.05 and down_se < 0.05  # so that the twins below are told apart
    return (up - SHIFT) / up_se, (down + SHIFT) / down_se


# ---- E[w] = Z at any control and any number of steps --------------------------------------------

# uncontrolled, DIS ends wider than it starts, and 1/w has a variance only where paths are not wide
COARSE = [replace(s, steps=steps, prior=0.7 if s.name == "dis" else 1.0)
          for s in ALL for steps in (8, 20)]


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("sampler", COARSE, ids=lambda s: f"{s.name}-{s.steps}")
def test_weights_are_unbiased_whatever_the_control(sampler: ControlledPaths, dim: int) -> None:
    target = Pair(dim)
    for state in (sampler.init(target, rng(0)), random_control(sampler, target)):
        assert max(map(abs, gaps(sampler, target, state))) < 4


def _without_ito(of: ControlledPaths) -> ControlledPaths:
    """The stochastic integral left out: half the control's energy alone."""
    class Broken(type(of)):  # type: ignore[misc]
        def log_ratio(self, x: Tensor, y: Tensor, u: Tensor, k: int) -> Tensor:
            still = self.forward(x, u, torch.zeros_like(x), k)
            return super().log_ratio(x, still, u, k)
    return Broken(**vars_of(of))


def _wrong_variance(of: ControlledPaths) -> ControlledPaths:
    """Moves with a fifth more noise than the weights say."""
    class Broken(type(of)):  # type: ignore[misc]
        def forward(self, x: Tensor, u: Tensor, z: Tensor, k: int) -> Tensor:
            return super().forward(x, u, 1.2 * z, k)

        def backward(self, y: Tensor, z: Tensor, k: int) -> Tensor:
            return super().backward(y, 1.2 * z, k)
    return Broken(**vars_of(of))


def _without_reference(of: ControlledPaths) -> ControlledPaths:
    """log w without the density of the reference (or of the start)."""
    class Broken(type(of)):  # type: ignore[misc]
        def log_reference(self, start: Tensor, end: Tensor) -> Tensor:
            return torch.zeros_like(end[:, 0])
    return Broken(**vars_of(of))


def vars_of(of: ControlledPaths) -> dict[str, Any]:
    return {k: getattr(of, k) for k in type(of).__dataclass_fields__}


TWINS = [_without_ito, _wrong_variance, _without_reference]


@pytest.mark.parametrize("broken", TWINS)
@pytest.mark.parametrize("sampler", COARSE[1::2], ids=lambda s: s.name)
def test_broken_weights_are_found_out(sampler: ControlledPaths, broken: Any) -> None:
    target = Pair()
    state = random_control(sampler, target, 0.35)
    assert max(map(abs, gaps(sampler, target, state))) < 4
    ahead, back = weights(broken(sampler), target, state)
    (up, up_se), (down, down_se) = log_z_with_error(ahead), log_z_with_error(-back)
    assert max(abs(up - SHIFT) / up_se, abs(down + SHIFT) / down_se) > 5


# ---- at the optimum -----------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", ALL[:3], ids=lambda s: s.name)
def test_weights_are_constant_where_the_reference_is_the_target(sampler: ControlledPaths) -> None:
    target = Normal(sd=sampler.prior * 1.3, scale=1.3)
    state = sampler.init(target, rng(0))
    for log_w in weights(sampler, target, state, 500):
        assert float((log_w - SHIFT).abs().max()) < 1e-4
    for log_w in weights(sampler, Normal(sd=sampler.prior * 1.2, scale=1.3), state, 500):
        assert float((log_w - SHIFT).abs().max()) > 1e-2


@dataclass(frozen=True)
class StillDIS(DIS):
    """DIS with the best control for N(0, prior^2 I) as its mean: u = -x / prior^2."""

    def mean(self, x: Tensor, u: Tensor, k: int) -> Tensor:
        return (1 + self.halves[k]) * x - self.variances[k] / self.prior**2 * x

    def pieces(self, target: Target, n: int) -> tuple[Tensor, Tensor]:
        """log w of n paths, and what the sum in the module's text says of them."""
        x = start = self.begin(target, n, rng(5))
        total, said = torch.zeros(n, dtype=WIDE), torch.full((n,), SHIFT, dtype=WIDE)
        for k in range(self.steps):
            y = self.forward(x, x, normal(target, (n, 2), rng(100 + k)), k)
            total = total - self.log_ratio(x, y, x, k)
            said -= self.halves[k] / 4 * (y.square() - x.square()).sum(1) / self.prior**2
            x = y
        return total - self.log_reference(start, x) + log_density(target, x), said


def test_what_a_step_of_dis_costs_is_what_its_text_says() -> None:
    target = Normal(sd=1.5 * 1.3, scale=1.3)
    spread = []
    for steps in (16, 64, 256):
        found, said = StillDIS(steps=steps).pieces(target, 2000)
        assert float((found - said).abs().max()) < 1e-9
        spread.append(float(found.std()))
    assert spread[0] > 3.5 * spread[1] > 3.5**2 * spread[2]  # of the order of h
    assert spread[2] < 0.02


# ---- the reference processes --------------------------------------------------------------------


@pytest.mark.parametrize("sampler", ALL[:3], ids=lambda s: s.name)
def test_the_way_back_reverses_the_uncontrolled_way(sampler: ControlledPaths) -> None:
    """A path drawn forward and one drawn backward have the same covariances between times."""
    sampler, n = replace(sampler, steps=6), 40_000
    target = Normal(sd=sampler.prior, scale=1.0)
    ahead = [sampler.begin(target, n, rng(6))]
    for k in range(6):
        ahead.append(sampler.forward(ahead[-1], torch.zeros(n, 2), normal(
            target, (n, 2), rng(10 + k)), k))
    back = [target.sample(n, rng(7))]
    for k in reversed(range(6)):
        back.insert(0, sampler.backward(back[0], normal(target, (n, 2), rng(20 + k)), k))
    one, two = (torch.cov(torch.stack([x[:, 0] for x in path])) for path in (ahead, back))
    assert float((one - two).abs().max()) < 5 * sampler.prior**2 * math.sqrt(2 / n) * math.sqrt(2)
    assert math.isclose(float(one[-1, -1]), sampler.prior**2, rel_tol=0.04)


# ---- training -----------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", [PIS(), DDS(), DIS()], ids=lambda s: s.name)
def test_rows_charged_are_those_declared(sampler: ControlledPaths) -> None:
    target, n, steps = distribution("skewed"), 10, 6
    wanted = {("kl", False): (n, n * (steps + 1), 0),
              # PIS starts from a constant, and so does no path's first score depend on the net
              ("kl", True): (n, n * (steps + 1), n * (steps - 1)),
              ("log_variance", False): (n, n * steps, 0)}
    for (loss, exact), (density, score, hvp) in wanted.items():
        ledger = Ledger(target.device)
        made = replace(sampler, steps=steps, batch=n, loss=loss, exact_gradient=exact)
        trained = Trial(made, MeteredTarget(target, ledger), 2).run()  # type: ignore[arg-type]
        rows = ledger.cost("train")
        assert (rows.density, rows.score, rows.hvp) == (2 * density, 2 * score, 2 * hvp)
        with ledger.phase("draw"):
            trained.draw(50)
        assert ledger.cost("draw").evaluations() == 50 * steps


@pytest.mark.parametrize("sampler", [PIS(), DDS(), DIS()], ids=lambda s: s.name)
def test_the_exact_gradient_is_that_of_the_kl(sampler: ControlledPaths) -> None:
    """Against a difference quotient along the gradient; held fixed, the score changes it."""
    target = Pair()
    made = replace(sampler, steps=8, exact_gradient=True)
    state = random_control(made, target)

    def loss(of: ControlledPaths) -> Tensor:
        x, log_w = of.paths(target, state.net, 200, rng(8))
        return -(log_w + log_density(target, x)).mean()

    bias = state.net.gain.bias
    (exact,) = torch.autograd.grad(loss(made), bias)
    (detached,) = torch.autograd.grad(loss(replace(made, exact_gradient=False)), bias)
    with torch.no_grad():
        bias += 1e-4
        above = loss(made)
        bias -= 2e-4
        below = loss(made)
        bias += 1e-4
    quotient = float(above - below) / 2e-4
    assert math.isclose(float(exact), quotient, rel_tol=1e-4)
    assert not math.isclose(float(detached), quotient, rel_tol=1e-2)


@pytest.mark.parametrize("loss", ["kl", "log_variance"])
@pytest.mark.parametrize("sampler", [PIS(), DDS(), DIS()], ids=lambda s: s.name)
def test_training_tightens_the_bounds(sampler: ControlledPaths, loss: Any) -> None:
    made = replace(sampler, loss=loss, steps=16, batch=64, learning_rate=3e-3)
    target = Pair()
    trial = Trial(made, target, 100)
    before = [float(w.mean()) for w in weights(made, target, trial.state, 4000)]
    trial.run()
    ahead, back = weights(made, target, trial.state, 4000)
    elbo, eubo = float(ahead.mean()), float(back.mean())
    assert before[0] < elbo < SHIFT < eubo < before[1]
    assert eubo - elbo < 0.4 * (before[1] - before[0])


@pytest.mark.slow
@pytest.mark.parametrize("sampler", [PIS(), DDS(prior=1.0, noise=3.0), DIS(prior=1.0)],
                         ids=lambda s: s.name)
def test_finds_log_z_of_the_case(sampler: ControlledPaths) -> None:
    target = log_z_case()
    trial = Trial(sampler, target, 200).run()
    found, se = log_z_with_error(
        sampler.log_weights(target, trial.state, 4000, None, rng(9)).at_draws)
    assert abs(found - LOG_Z) < 4 * se and se < 0.05
    broken = _without_reference(sampler)
    wrong, se = log_z_with_error(
        broken.log_weights(target, trial.state, 4000, None, rng(9)).at_draws)
    assert abs(wrong - LOG_Z) > 4 * se


@pytest.mark.parametrize("bad", [{"loss": "reverse"}, {"steps": 1}, {"prior": 0.0}])
def test_bad_settings_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        PIS(**bad)


def test_settings_of_one_sampler_are_refused_too() -> None:
    for make in (lambda: PIS(schedule="linear"), lambda: DDS(noise=0.0),  # type: ignore[arg-type]
                 lambda: DIS(beta_min=0.0), lambda: DIS(steps=5, beta_max=10.0)):
        with pytest.raises(ValueError):
            make()
