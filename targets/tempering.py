"""Families that stay themselves at every temperature."""

from __future__ import annotations

import copy
from abc import abstractmethod
from typing import Self

from targets.base import Target


class TemperedFamily(Target):
    """A target that keeps its sampler, truths and log Z when its energy is divided by tau.

    ``log_prob`` is that of temperature 1 over tau, constant included.
    """

    _tau: float = 1.0

    @abstractmethod
    def _set_temperature(self, tau: float) -> None:
        """Set ``_tau`` and whatever depends on it; called on a copy nobody else holds."""

    def tempered(self, temperature: float) -> Self:
        """A copy at ``temperature`` times the present one."""
        if not temperature > 0:
            raise ValueError(f"temperature must be positive, not {temperature}")
        other = copy.copy(self)
        other._set_temperature(self._tau * temperature)
        return other
