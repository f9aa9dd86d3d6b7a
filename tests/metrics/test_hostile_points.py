"""Metrics on hostile points: a finite number that says so, or one sentence; never a false zero.

Before, MMD of a target of scale 1e30 was 0.000 whatever the samples, sliced W2 of one of scale
1e-30 too, KSD of points outside the support was 0.000, `kl_kde` of points 1e12 away was negative,
and one draw had a perfect effective sample size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from bench.core.log_weights import LogWeights
from bench.core.registry import catalogue, load
from bench.jobs.prepare import _failing
from metrics.base import Estimate, Evidence, Metric
from metrics.importance.log_weight_metric import LogWeightMetric
from targets.base import Target, Truth

NAMES = [n for n, e in sorted(catalogue()["metrics"].items())
         if "weights" not in e.attributes.get("needs", ()) and not e.attributes.get("trains")]
WEIGHERS = [n for n, e in sorted(catalogue()["metrics"].items())
            if "weights" in e.attributes.get("needs", ())]
N = 40


@dataclass(frozen=True)
class Bell(Target):
    """N(0, size^2) with all that a metric can ask of a target."""

    size: float = 1.0
    dim: int = 2
    has_reference = True
    has_mode_distance = True
    mode_weights = torch.ones(1)

    @property
    def scale(self) -> float:  # type: ignore[override]
        return self.size

    @property
    def log_z(self) -> float:  # type: ignore[override]
        return self.dim * (0.5 * math.log(2 * math.pi) + math.log(self.size))

    def log_prob(self, x: Tensor) -> Tensor:
        return -(x / self.size).square().sum(1) / 2

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        z = torch.randn((n, self.dim), generator=rng, dtype=torch.float64)
        return (self.size * z).to(self.dtype)

    def truths(self) -> tuple[Truth, ...]:
        d = self.dim
        return (*(Truth(f"x{i}", lambda x: x[:, 0], 0.0) for i in range(d)),
                *(Truth(f"x{i}^2" if i == j else f"x{i}*x{j}", lambda x: x[:, 0],
                        float(i == j) * self.size**2) for i in range(d) for j in range(i, d)))

    def mode_of(self, x: Tensor) -> Tensor:
        return torch.zeros(len(x), dtype=torch.int64)

    def mode_distance(self, x: Tensor) -> Tensor:
        return (x / self.size).norm(dim=1)


def truncated(self: Target, x: Tensor) -> Tensor:
    return torch.where(x.abs().amax(1) < 3.5 * self.scale, Bell.log_prob(self, x), -math.inf)


@dataclass(frozen=True)
class Edged(Bell):
    """Zero beyond 3.5 deviations, where hardly any mass was."""

    log_prob = truncated  # type: ignore[assignment]


def target(kind: type[Target] = Bell, **parameters: object) -> Target:
    return kind(**parameters).to("cpu", torch.float32)  # type: ignore[call-arg]


def exact(of: Target, n: int, seed: int) -> Tensor:
    return of.sample(n, torch.Generator().manual_seed(seed))


def answer(metric: Metric, x: Tensor, of: Target) -> Estimate | str:
    """The estimate, or the sentence."""
    try:
        return metric.estimate(x, Evidence(of, exact(of, len(x), 1)))
    except ValueError as error:
        assert str(error) and "\n" not in str(error)
        return str(error)


def ceiling(metric: Metric, of: Target) -> float:
    """What 30 exact sets do not exceed."""
    floor = [metric.estimate(exact(of, N, 100 + i), Evidence(of, exact(of, N, 200 + i))).value
             for i in range(30)]
    assert all(map(math.isfinite, floor))
    return max(floor)


def spread(far: float) -> Tensor:
    return far * exact(target(), N, 5)


HOSTILE = {
    "all at 1e20": torch.full((N, 2), 1e20), "all at 1e38": torch.full((N, 2), 1e38),
    "all at 1e6": torch.full((N, 2), 1e6), "spread over 1e12": spread(1e12),
    "spread over 1e20": spread(1e20), "spread over 1e37": spread(1e37),
    "two clusters": torch.cat([spread(1e-3), spread(1e-3)])[:N] + 1e15,
    "duplicates far off": spread(30.0)[:1].repeat(N, 1) + 10.0,
}
#: What a metric is insensitive to by its own words: one mode has all the weight.
INSENSITIVE = {"mode_tv", "mode_chi2", "missing_modes"}


#: Its usual 40,000 bins hold a point each, so that exact sets of 40 already score 1.
COARSE = {"tv_histogram_idem": {"bins": 5}}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("kind", [Bell, Edged])
def test_far_points_score_high_or_give_a_sentence(name: str, case: str,
                                                  kind: type[Target]) -> None:
    metric = load("metrics", name, **COARSE.get(name, {}))
    of = target(kind, dim=1) if name == "kl_kde" else target(kind)
    if not metric.applies(of):
        pytest.skip("needs more than this target has")
    x = HOSTILE[case][:, : of.dim]
    said = answer(metric, x, of)
    if isinstance(said, str):
        return
    assert math.isfinite(said.value) and (said.se is None or math.isfinite(said.se))
    assert name in INSENSITIVE or said.value > ceiling(metric, of), said


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [1e30, 1e-30, 1e12, 1e-12])
def test_the_unit_of_length_does_not_matter(name: str, size: float) -> None:
    """A density in odd units gives the numbers of the same one in plain units, or a sentence."""
    metric = load("metrics", name)
    dim = 1 if name == "kl_kde" else 2
    plain, odd = target(dim=dim), target(dim=dim, size=size)
    if not metric.applies(odd):
        pytest.skip("needs more than this target has")
    for shift in (0.0, 2.0):
        one = answer(metric, exact(plain, N, 3) + shift, plain)
        two = answer(metric, exact(odd, N, 3) + shift * size, odd)
        assert isinstance(one, Estimate)
        if isinstance(two, str):
            continue
        power = {"cov_error": 2, "ksd": -2, "ksd_dft": -1, "w2": 1, "w2_blocks": 1,
                 "sliced_w2": 1, "mean_error": 1}.get(name, 0)
        if name in ("ksd", "ksd_dft"):  # its kernel has a length of its own
            assert math.isfinite(two.value)
            continue
        assert two.value / size**power == pytest.approx(one.value, rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_points_give_a_number_or_a_sentence(name: str, n: int) -> None:
    metric = load("metrics", name)
    of = target(dim=1) if name == "kl_kde" else target()
    if not metric.applies(of):
        pytest.skip("needs more than this target has")
    for x in (exact(of, n, 3), exact(of, 1, 3).repeat(n, 1), torch.zeros(n, of.dim)):
        said = answer(metric, x, of)
        assert isinstance(said, str) if n == 1 else True
        if isinstance(said, Estimate):
            assert math.isfinite(said.value)
            assert said.se is None or math.isfinite(said.se)


@pytest.mark.parametrize("name", ["ksd", "ksd_dft", "energy_w1", "mean_energy"])
def test_points_where_the_density_is_zero_are_counted(name: str) -> None:
    of = target(Edged)
    x = exact(of, N, 3)
    x[:3] = 4.0
    said = answer(load("metrics", name), x, of)
    assert isinstance(said, str) and "3 of 40 points lie where the density is zero" in said


def test_scores_that_are_no_numbers_are_counted() -> None:
    class Broken(Bell):
        def score(self, x: Tensor) -> Tensor:
            return torch.where(x[:, :1] > 3.0, torch.nan, -x)

    x = exact(target(), N, 3)
    x[:2] = 3.5
    said = answer(load("metrics", "ksd"), x, target(Broken))
    assert isinstance(said, str) and "score is not finite at" in said


@dataclass(frozen=True)
class Box(Bell):
    """A bell cut at 1.5 deviations: exact samples have a KSD^2 far from zero."""

    def log_prob(self, x: Tensor) -> Tensor:
        return torch.where(x.abs().amax(1) < 1.5, super().log_prob(x), -math.inf)

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        x = super().sample(20 * n, rng)
        return x[x.abs().amax(1) < 1.5][:n]


@pytest.mark.parametrize("name", ["ksd", "ksd_dft"])
def test_ksd_does_not_hold_where_exact_points_break_its_identity(name: str) -> None:
    """Before: exact samples scored far above zero there, and worse ones less."""
    of = target(Box)
    said = answer(load("metrics", name), exact(of, 200, 3), of)
    assert isinstance(said, str) and "KSD does not hold on this target" in said
    assert not load("metrics", name).applies(of) and load("metrics", name).applies(target())
    assert isinstance(answer(load("metrics", "mmd"), exact(of, 200, 3), of), Estimate)


@pytest.mark.parametrize("name", WEIGHERS)
@pytest.mark.parametrize(("weights", "said"), [
    (torch.tensor([0.5]), "too few"), (torch.full((5,), -math.inf), "too few"),
    (torch.tensor([0.0, math.nan]), "not finite"), (torch.tensor([]), "too few")],
    ids=["one", "zero", "nan", "none"])
def test_weights_that_say_nothing_are_no_number(name: str, weights: Tensor, said: str) -> None:
    metric: LogWeightMetric = load("metrics", name)
    of = target()
    evidence = Evidence(of, exact(of, N, 1),
                        log_weights=LogWeights(at_draws=weights, at_target=weights, gap=weights))
    with pytest.raises(ValueError, match=said):
        metric.estimate(exact(of, N, 3), evidence)


def test_a_metric_that_is_left_out_is_named_in_the_run_s_facts() -> None:
    """Before, each sampler's KSD there was 'not finite' and counted against the sampler."""
    said = _failing(target(Box), {"mine": load("metrics", "ksd"), "mmd": load("metrics", "mmd")})
    assert len(said) == 1 and said[0].startswith("mine is left out: KSD does not hold")
