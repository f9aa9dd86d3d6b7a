"""What a metric is: an estimator of a distance from samples to a target, and how sure it is.

A new metric is one file in this folder with one frozen dataclass that carries a literal ``name``
equal to the file's name. Bandwidths and scales come from the reference only, never from the
samples under test: a metric that adapts to what it judges has no fixed null distribution.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from bench.core.log_weights import LogWeights
from targets.base import Target


@dataclass(frozen=True)
class Estimate:
    """A value and its standard error over independent points (None: no honest one is known).

    ``parts``: numbers the value was made from that a report shows too, such as mode counts.
    """

    value: float
    se: float | None = None
    parts: tuple[float, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """What samples are judged against.

    ``reference``: exact points of the target, shape (m, dim), or None where the target has none.
    ``seed`` feeds what a metric randomises (projections), so that a value is reproducible.
    ``log_weights``: what the sampler says of its own distribution, for the metrics that judge that
    (``metrics.importance.log_weight_metric``). ``memo`` keeps what depends on the reference alone
    (bandwidths, energies) between metrics.
    """

    target: Target
    reference: Tensor | None
    seed: int = 0
    log_weights: LogWeights | None = None
    memo: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def first(self, m: int) -> Tensor:
        """The first m reference points; fewer than m is an error of the caller."""
        if self.reference is None or len(self.reference) < m:
            have = 0 if self.reference is None else len(self.reference)
            raise ValueError(f"a metric wants {m} reference points, the evidence holds {have}")
        return self.reference[:m]

    def generator(self) -> torch.Generator:
        """A fresh generator for a metric's own randomness, on the CPU."""
        return torch.Generator().manual_seed(self.seed)

    def on_host(self) -> Target:
        """The target on the CPU, for exact points that are the same whatever the device."""
        return self.target.to("cpu", self.target.dtype)


class Metric(ABC):
    """An estimator. Class attributes are plain literals, read without importing the file.

    - ``needs``: any of ``"reference"``, ``"modes"``, ``"truths"``, ``"score"``; without them the
      metric does not apply. Every metric may use the target's density.
    - ``insensitive_to``: what it does not detect, in a sentence that the report repeats.
    - ``law_settings``: how the conformance kit (``python -m bench test NAME``) tries it, as
      ``bench.conformance.metrics.Settings`` explains. ``exempt``: laws of the kit that it does
      not keep, each with the reason.
    - ``packages``: optional packages it imports; a suite that names it needs them.
    - ``version``: raised with every change that moves numbers; floors of another version are void.
    - ``default``: False keeps it out of suites, floors and audits that name no metrics: one that
      is expensive, or made for a single question.
    - ``floor_draws``: how many draws a committed floor holds at least.
    - ``signed``: an unbiased estimator of something that is zero at p, so it may be negative.
    - ``trains``: it fits a network at every call; too expensive for the audits of all metrics, it
      has tests of its own, and the order of points matters to it.
    - ``scale_from_samples``: its bandwidth or scale is estimated from the tested samples, kept for
      a paper's sake; no other metric may do so, and the audit checks it.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ("reference",)
    insensitive_to: ClassVar[str] = ""
    citation: ClassVar[str] = ""
    packages: ClassVar[tuple[str, ...]] = ()
    version: ClassVar[int] = 1
    default: ClassVar[bool] = True
    law_settings: ClassVar[Mapping[str, Any]] = {}
    exempt: ClassVar[Mapping[str, str]] = {}
    floor_draws: ClassVar[int] = 1000
    signed: ClassVar[bool] = False
    trains: ClassVar[bool] = False
    scale_from_samples: ClassVar[bool] = False

    @abstractmethod
    def estimate(self, x: Tensor, evidence: Evidence) -> Estimate:
        """Judge ``x``, shape (n, dim), by the evidence. Memory O(n x block), never n x n x dim."""

    def points(self, n: int) -> int:
        """How many of n offered points the metric uses (exact transport caps it)."""
        return n

    def applies(self, target: Target) -> bool:
        """Whether points, with what the target provides, are all that the metric needs."""
        return not (("reference" in self.needs and not target.has_reference)
                    or ("modes" in self.needs and target.mode_weights is None)
                    or ("truths" in self.needs and not target.truths())
                    or ("score" in self.needs and not target.has_score)
                    or self.fails_on(target))

    def fails_on(self, target: Target) -> str:
        """Why the metric means nothing on a target that gives all it needs; '' where it does."""
        return ""
