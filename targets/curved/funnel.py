"""A funnel along the second coordinate."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from targets.base import Truth
from targets.numerics.raw_moments import raw_moments
from targets.tempering import TemperedFamily


class Funnel(TemperedFamily):
    """A funnel: x1 ~ N(4, 9) and x0 given x1 ~ N(1, exp(x1)).

    log p(x) = -(x1 - 4)^2 / 18 - (x0 - 1)^2 e^(-x1) / 2 - x1 / 2 - log(6 pi); normalised. The
    long direction is x1, not the first coordinate as in Neal's funnel.

    From Denoising Fisher Training (Table 1), which names but does not define it; the parameters
    are those of louissharrock/Coin-SVGD. This is the correct score,
    s1 = -(x1 - 4) / 9 - 1/2 + (x0 - 1)^2 e^(-x1) / 2. The code there differentiates the normal of
    x1 by its scale and so has ((x1 - 4)^2 - 9) / 27 in place of -(x1 - 4) / 9, a field whose
    potential has no finite integral; the published funnel column was probably made with it.

    Scale: the root mean square of x1, 5; that of x0 (50) belongs to its tail.

    Useful because the right step size varies by e^6 over the bulk. Second moments of x0 are finite
    (E (x0 - 1)^2 = e^8.5 = 4915) but so heavy-tailed that no sample mean of practical size comes
    near; (x0 - 1)^2 e^(-x1), with mean 1, is stated next to them.
    """

    name = "funnel"
    citation = "Denoising Fisher Training, Table 1; louissharrock/Coin-SVGD distributions.py"
    law_settings = {"heavy": ("x0^2", "x0*x1"), "shown": 0.9}
    exempt = {
        "exact_points_fill_cells": "its neck is too narrow for an even grid; tests/targets holds "
                                   "it to the distribution in coordinates that straighten it",
        "log_z_and_truths_by_quadrature": "as for the cells"}

    dim = 2
    scale = 5.0
    has_reference = True
    reference_note = "exact: x1, then x0 given x1"

    def __init__(self) -> None:
        self._set_temperature(1.0)

    def _set_temperature(self, tau: float) -> None:
        """At temperature tau: x1 ~ N(4 + 4.5 (tau - 1), 9 tau), x0 | x1 ~ N(1, tau e^x1)."""
        self._tau = tau
        self._mean = 4.0 + 4.5 * (tau - 1.0)
        self._variance = 9.0 * tau
        # integrate x0, then complete the square in x1
        gain = (self._mean**2 - 16.0) / (2.0 * self._variance)
        self.log_z = math.log(6.0 * math.pi) * (1.0 - 1.0 / tau) + math.log(tau) + gain

    def log_prob(self, x: Tensor) -> Tensor:
        """Normalised at temperature 1: (n, 2) -> (n,)."""
        a, b = x[:, 0] - 1.0, x[:, 1]
        energy = (b - 4.0) ** 2 / 18.0 + 0.5 * a * a * torch.exp(-b) + 0.5 * b
        return -(energy + math.log(6.0 * math.pi)) / self._tau

    def score(self, x: Tensor) -> Tensor:
        """The gradient, (n, 2) -> (n, 2)."""
        a, b = x[:, 0] - 1.0, x[:, 1]
        pull = a * torch.exp(-b)
        return torch.stack([-pull, -(b - 4.0) / 9.0 - 0.5 + 0.5 * a * pull], 1) / self._tau

    def hvp(self, x: Tensor, v: Tensor) -> Tensor:
        """Hessian times v in closed form, (n, 2) each."""
        a = x[:, 0] - 1.0
        stiff = torch.exp(-x[:, 1])
        cross = a * stiff
        first = -stiff * v[:, 0] + cross * v[:, 1]
        second = cross * v[:, 0] - (1.0 / 9.0 + 0.5 * a * cross) * v[:, 1]
        return torch.stack([first, second], 1) / self._tau

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """n independent points, shape (n, 2)."""
        z = torch.randn(n, 2, generator=rng, device=self.device, dtype=self.dtype)
        b = self._mean + math.sqrt(self._variance) * z[:, 1]
        return torch.stack([1.0 + math.sqrt(self._tau) * torch.exp(0.5 * b) * z[:, 0], b], 1)

    def truths(self) -> tuple[Truth, ...]:
        """Raw moments in closed form, and the conditional scale of x0."""
        tau, mean, variance = self._tau, self._mean, self._variance
        square = 1.0 + tau * math.exp(mean + 0.5 * variance)
        moments = raw_moments(np.array([1.0, mean]),
                              np.array([[square, mean], [mean, variance + mean**2]]))
        scaled = Truth("(x0-1)^2*exp(-x1)",
                       lambda x: (x[:, 0] - 1.0) ** 2 * torch.exp(-x[:, 1]), tau)
        return (*moments, scaled)

    def view(self) -> tuple[float, float, float, float]:
        """The neck and the mouth."""
        return (-40.0, 42.0, -5.0, 13.0)
