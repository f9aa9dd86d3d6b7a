"""Metrics of a sampler's own distribution: they judge what it says of its density, not its points.

A sampler that knows its density q (or the distribution of the paths it draws) can be asked for the
weights w = p~/q (``Sampler.log_weights``), and these show how far q is from p and what log Z it
finds. They need no reference but the target's log Z, have no floor (for exact samples all weights
are equal) and stay empty for samplers that know no density.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from bench.core.log_weights import LogWeights
from metrics.base import Evidence, Metric
from targets.base import Target


class LogWeightMetric(Metric):
    """A metric of ``Evidence.log_weights``; ``part`` names the field it reads."""

    needs = ("weights",)
    default = False
    part: ClassVar[str] = "at_draws"

    def applies(self, target: Target) -> bool:
        """Never by points alone, so there are no floors and no audits."""
        return False

    def applies_with_weights(self, target: Target) -> bool:
        """Whether the target knows what is asked: its log Z."""
        return target.log_z is not None

    def answered(self, log_weights: LogWeights | None) -> bool:
        """Whether the sampler said what is asked."""
        return log_weights is not None and getattr(log_weights, self.part) is not None


def weights(evidence: Evidence, part: str) -> Tensor:
    """log w in float64, (n,), of the wanted field.

    ValueError where one is nan or +inf, where all are -inf, and for fewer than two.
    """
    log_w: Tensor = getattr(evidence.log_weights, part).double().cpu()
    if bool(torch.isnan(log_w).any()) or bool((log_w == math.inf).any()):
        raise ValueError("the sampler's log-weights are not finite")
    if len(log_w) < 2 or bool((log_w == -math.inf).all()):
        raise ValueError(f"{len(log_w)} log-weights, {int((log_w > -math.inf).sum())} of them of "
                         "draws where the density is not zero: too few to say anything")
    return log_w


def known_log_z(evidence: Evidence) -> float:
    """log Z of the target."""
    if evidence.target.log_z is None:
        raise ValueError("the target's log Z is not known")
    return evidence.target.log_z
