"""The laws that every metric keeps.

A metric is tried on a standard normal distribution in the plane, or on the line where it knows no
other, with its default parameters unless its own file says otherwise in ``law_settings``
(``Settings`` below). Metrics of a sampler's log-weights are given those of a normal q of another
width.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.conformance.distributions import Standard
from bench.conformance.law import Law, NotApplicable, require, unknown_laws
from bench.core.errors import UserError
from bench.core.log_weights import LogWeights
from bench.harness.state_digest import digest
from metrics.base import Estimate, Evidence, Metric
from metrics.importance.log_weight_metric import LogWeightMetric
from targets.base import Target

NEEDS = ("reference", "modes", "truths", "score", "weights")
REPEATS = 60  # independent sets on which standard errors are judged


@dataclass(frozen=True)
class Settings:
    """How a metric is tried: what ``law_settings`` in its file may say.

    ``n`` points; ``parameters`` with which so few suffice.
    """

    n: int = 300
    parameters: Mapping[str, Any] = field(default_factory=dict)


def read_settings(cls: type[Metric]) -> Settings:
    """A metric's ``law_settings``; UserError where it says something else than they can."""
    known = [f.name for f in fields(Settings)]
    for key in cls.law_settings:
        if key not in known:
            raise UserError(f"metric '{cls.name}': law_settings has no '{key}' (it may have: "
                            f"{', '.join(known)})")
    return Settings(**cls.law_settings)


#: Ways in which samples are worse than exact ones; a metric must notice one of them.
WORSE: dict[str, Callable[[Tensor], Tensor]] = {
    "moved by half a deviation": lambda x: x + 0.5,
    "stretched by two": lambda x: 2.0 * x,
    "shrunk by two": lambda x: 0.5 * x,
    "one mode lost": lambda x: torch.cat([x[:, :1].abs(), x[:, 1:]], 1)}


@dataclass(frozen=True)
class MetricCase:
    """A metric, and samples with their evidence that it is asked about."""

    metric: Metric
    settings: Settings = field(default_factory=Settings)

    @property
    def weighs(self) -> bool:
        """Whether it judges a sampler's log-weights and not its points."""
        return isinstance(self.metric, LogWeightMetric)

    def target(self) -> Target:
        """A standard normal that the metric applies to."""
        for dim in (2, 1):
            target = Standard(dim).to("cpu", torch.float32)
            if self.weighs or self.metric.applies(target):
                return target
        raise NotApplicable("the metric applies to a normal distribution neither in the plane nor "
                            "on the line")

    def sets(self, seed: int, worse: Callable[[Tensor], Tensor] | None = None,
             width: float = 1.0) -> tuple[Tensor, Evidence]:
        """n exact points made ``worse``, and evidence; log-weights are of a q of that width."""
        target, n = self.target(), self.settings.n
        rng = torch.Generator().manual_seed(seed)
        x, reference = target.sample(n, rng), target.sample(n, rng)
        weights = _weights(target, n, width, rng) if self.weighs else None
        return worse(x) if worse else x, Evidence(target, reference, seed, weights)

    def value(self, x: Tensor, evidence: Evidence) -> float:
        """The metric's value."""
        return self.metric.estimate(x, evidence).value

    def of_points(self) -> None:
        """For laws of points: nothing where the metric judges log-weights."""
        if self.weighs:
            raise NotApplicable("the metric judges log-weights, not points")

    def repeated(self) -> None:
        """For laws that ask many times: nothing where the metric trains a network at each call."""
        if self.metric.trains:
            raise NotApplicable("the metric trains a network at every call")


def _weights(target: Target, n: int, width: float, rng: torch.Generator) -> LogWeights:
    """What a sampler of N(0, width^2 I) would say of its distribution q."""
    def log_w(x: Tensor) -> Tensor:
        d = x.shape[1]
        log_q = -(x / width).square().sum(1) / 2 - d * (math.log(width)
                                                        + math.log(2 * math.pi) / 2)
        return target.log_prob(x) - log_q

    at_draws, at_target = width * target.sample(n, rng), target.sample(n, rng)
    gap = (target.score(at_draws) + at_draws / width**2).square().sum(1)
    return LogWeights(at_draws=log_w(at_draws), at_target=log_w(at_target), gap=gap)


# ---- the contract -------------------------------------------------------------------------------


def declares_itself(case: MetricCase) -> None:
    """A title, known needs, a version from 1 on, and exemptions from known laws with reasons"""
    made = case.metric
    require(isinstance(getattr(made, "title", None), str) and made.title, "no title")
    unknown = sorted(set(made.needs) - set(NEEDS))
    require(not unknown, f"needs {', '.join(unknown)}, which is none of {', '.join(NEEDS)}")
    require(type(made.version) is int and made.version >= 1, f"version = {made.version!r}")
    unknown = unknown_laws(made.exempt, LAWS)
    require(not unknown, f"exempt names {', '.join(unknown)}, which no law is called")
    require(all(made.exempt.values()), "an exemption without its reason")


def the_same_question_has_the_same_answer(case: MetricCase) -> None:
    """Bitwise the same value of the same points, whatever the evidence was asked about between"""
    case.repeated()
    x, evidence = case.sets(0)
    y = 2.0 * x
    asked = (x, y, x[:200], x)
    alone = [case.value(points, _fresh(evidence)) for points in asked]
    shared = [case.value(points, evidence) for points in asked]
    require(alone[0] == alone[3], f"{alone[0]!r}, then {alone[3]!r}, with fresh evidence")
    require(shared == alone, f"{shared} where one evidence serves several sets, {alone} where "
            "each has its own: what is kept in memo must depend on the reference alone")


def _fresh(evidence: Evidence) -> Evidence:
    return Evidence(evidence.target, evidence.reference, evidence.seed, evidence.log_weights)


def points_and_reference_stay_as_they_were(case: MetricCase) -> None:
    """Samples, reference points and log-weights as they were before the metric was asked"""
    x, evidence = case.sets(0)
    held = (x, evidence.reference, evidence.log_weights)
    before = digest(held)
    case.metric.estimate(x, evidence)
    require(digest(held) == before, "the metric writes into what it is given")


def leaves_global_generators_alone(case: MetricCase) -> None:
    """The global random states of torch and NumPy as they were"""
    x, evidence = case.sets(0)
    before = digest(torch.get_rng_state()), digest(np.random.get_state())
    case.metric.estimate(x, evidence)
    after = digest(torch.get_rng_state()), digest(np.random.get_state())
    moved = [name for name, a, b in zip(("torch", "NumPy"), before, after, strict=True) if a != b]
    require(not moved, f"random numbers were drawn from the global state of {', '.join(moved)}; "
            "use evidence.generator()")


def order_of_points_does_not_matter(case: MetricCase) -> None:
    """The same value, to four digits, of the same points in another order"""
    case.of_points()
    case.repeated()
    x, evidence = case.sets(0, WORSE["moved by half a deviation"])
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(1))
    one, two = case.value(x, evidence), case.value(x[order], evidence)
    require(math.isclose(one, two, rel_tol=1e-4, abs_tol=1e-6), f"{one:.8g}, then {two:.8g}")


def points_that_are_none_are_refused(case: MetricCase) -> None:
    """ValueError for points that are not finite, for one point, and for a column too many"""
    case.of_points()
    x, evidence = case.sets(0)
    lost = x.clone()
    lost[3, -1], lost[7, 0] = math.nan, math.inf
    for what, points in (("points that are not finite", lost), ("one point", x[:1]),
                         ("a column too many", torch.cat([x, x], 1))):
        try:
            said = case.metric.estimate(points, evidence)
        except ValueError:
            continue
        require(False, f"{what} scored {said.value:.6g}; metrics.estimates.checked refuses them")


# ---- what a value says --------------------------------------------------------------------------


def exact_samples_score_at_zero(case: MetricCase) -> None:
    """Of 40 sets of exact samples, finite values; a mean within 4.5 standard errors of zero where
    the metric is signed, and else none below zero
    """
    case.repeated()
    values = _values(case)
    require(bool(np.isfinite(values).all()), "some values are not finite")
    if case.metric.signed:
        z = float(values.mean() / values.std(ddof=1) * math.sqrt(len(values)))
        require(abs(z) < 4.5, f"the mean lies {z:.1f} standard errors from zero: the estimator is "
                "biased, and not signed")
    else:
        require(values.min() > -1e-6, f"a value of {values.min():.4g}; an unbiased estimator is "
                "declared by signed = True")


def worse_samples_score_worse(case: MetricCase) -> None:
    """Above all 40 sets of exact samples, a set that is moved, stretched, shrunk or without a mode
    (log-weights: those of a q twice as wide)
    """
    case.repeated()
    ceiling = _values(case).max()
    if case.weighs:
        found = {"of a q twice as wide": case.value(*case.sets(50, width=2.0))}
    else:
        found = {how: case.value(*case.sets(50, worse)) for how, worse in WORSE.items()}
    scored = ", ".join(f"{how} {value:.4g}" for how, value in found.items())
    require(max(found.values()) > ceiling, f"{scored}; exact samples score up to {ceiling:.4g}")


def standard_errors_are_honest(case: MetricCase) -> None:
    """The spread of the value over 60 independent sets .65 to 1.5 times its own standard error"""
    case.repeated()
    found = [_off_the_null(case, 100 + i) for i in range(REPEATS)]
    errors = [e.se for e in found if e.se is not None]
    if len(errors) < REPEATS:
        raise NotApplicable("the metric states no standard error")
    spread = float(np.std([e.value for e in found], ddof=1))
    stated = float(np.sqrt(np.mean(np.square(errors))))
    require(stated > 0 and 0.65 < spread / stated < 1.5,
            f"the values spread by {spread:.4g}, and state {stated:.4g}")


def _off_the_null(case: MetricCase, seed: int) -> Estimate:
    """The estimate of a set wrong in place, spread and weights."""
    def wrong(x: Tensor) -> Tensor:
        half = (x[:, :1] * 1e4).floor() % 2 == 0  # decided by each point's own digits
        return torch.where(half, x.abs(), x) * 1.3 + 0.3
    return case.metric.estimate(*case.sets(seed, wrong, width=1.3))


def _values(case: MetricCase) -> np.ndarray:
    """Values of 40 sets of exact samples."""
    return np.array([case.value(*case.sets(seed)) for seed in range(40)])


LAWS = tuple(map(Law, (
    declares_itself, the_same_question_has_the_same_answer,
    points_and_reference_stay_as_they_were, leaves_global_generators_alone,
    order_of_points_does_not_matter, points_that_are_none_are_refused, exact_samples_score_at_zero,
    worse_samples_score_worse, standard_errors_are_honest)))
