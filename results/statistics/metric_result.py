"""The result of one metric: its values over seeds, their mean and interval, and the floor."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bench.core.types import Array
from results.statistics.confidence_interval import half_width
from results.statistics.null_distribution import usable
from results.statistics.p_value import Standing, p_value_of_mean, standing


@dataclass(frozen=True)
class MetricResult:
    """A sampler's values of one metric on one target, over seeds, against the floor.

    All values are of the same ``n``. ``draws`` are the floor's at that n, however few.
    """

    label: str
    target: str
    metric: str
    n: int
    seeds: tuple[int, ...]
    values: tuple[float, ...]
    draws: Array | None = None

    @cached_property
    def mean(self) -> float:
        """Mean over the seeds that ended well."""
        return float(np.mean(self.values))

    @cached_property
    def half(self) -> float | None:
        """Half of the 95 % interval of the mean, from six seeds on."""
        return half_width(list(self.values))

    @cached_property
    def floor(self) -> Array | None:
        """The floor's draws at this n, where they can reject some value."""
        return usable(self.draws)

    @cached_property
    def p(self) -> float | None:
        """p-value of the mean under exact sampling; None without a floor."""
        return None if self.floor is None else p_value_of_mean(list(self.values), self.floor)

    @cached_property
    def verdict(self) -> Standing:
        """Where the mean stands relative to the floor."""
        return standing(list(self.values), self.draws)

    @cached_property
    def excess(self) -> float | None:
        """How far the mean lies above the floor's mean; 0 where it is not significantly above it.

        None without a floor: a raw value is no excess, and may never stand among them.
        """
        if self.floor is None:
            return None
        above = self.verdict == Standing.ABOVE
        return max(self.mean - float(np.mean(self.floor)), 0.0) if above else 0.0
