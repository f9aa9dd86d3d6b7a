r"""Posteriors of Bayesian logistic regression.

With rows x_i of a design matrix, labels y_i = +-1 and a prior w ~ N(0, s^2 I),

    log p(w) = sum_i log sigmoid(y_i x_i.w) - |w|^2 / (2 s^2) - d/2 log(2 pi s^2)
    score(w) = sum_i sigmoid(-y_i x_i.w) y_i x_i - w / s^2

The likelihood is that of the labels and the prior is normalised, so that Z is the evidence of the
model. log p is strictly concave: one mode, and tails no heavier than the prior's.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from targets.posteriors.reference_pool import DATA, Pooled

Array = NDArray[np.float64]


@cache
def observed(name: str) -> tuple[Array, Array]:
    """Features (m, k) and the last column (m,) of ``targets/posteriors/data/NAME.csv.gz``."""
    table = np.loadtxt(DATA / f"{name}.csv.gz", delimiter=",", skiprows=1)
    return table[:, :-1], table[:, -1]


def standardised(features: Array) -> Array:
    """Columns of mean 0 and variance 1 (divisor m), a column of ones before them."""
    return scaled(features - features.mean(0))


def scaled(features: Array) -> Array:
    """Columns over their standard deviation (divisor m), a column of ones before them."""
    return np.column_stack([np.ones(len(features)), features / features.std(0)])


class LogisticPosterior(Pooled):
    """The posterior of the weights; the intercept is coordinate 0.

    ``design``: shape (m, d), the column of ones included. ``positive``: shape (m,), the labels
    whose probability is sigmoid(x.w). ``prior_sd``: s.
    """

    def __init__(self, design: Array, positive: NDArray[np.bool_], prior_sd: float) -> None:
        self.dim = design.shape[1]
        self._prior_variance = prior_sd**2
        self._log_prior = -0.5 * self.dim * math.log(2.0 * math.pi * prior_sd**2)
        self._signed = torch.from_numpy(np.where(positive, 1.0, -1.0)[:, None] * design)

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-likelihood plus log-prior: (n, d) -> (n,)."""
        return self._log_joint(x, x @ self._signed.T)

    def score(self, x: Tensor) -> Tensor:
        """Its gradient: (n, d) -> (n, d)."""
        return self._gradient(x, x @ self._signed.T)

    def log_prob_and_score(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Both, from the same margins y_i x_i.w."""
        margins = x @ self._signed.T
        return self._log_joint(x, margins), self._gradient(x, margins)

    def hvp(self, x: Tensor, v: Tensor) -> Tensor:
        """- sum_i sigmoid'(x_i.w) (x_i.v) x_i - v / s^2: (n, d), (n, d) -> (n, d)."""
        p = torch.sigmoid(x @ self._signed.T)
        return -(p * (1.0 - p) * (v @ self._signed.T)) @ self._signed - v / self._prior_variance

    def _log_joint(self, x: Tensor, margins: Tensor) -> Tensor:
        prior = self._log_prior - 0.5 * x.square().sum(1) / self._prior_variance
        return F.logsigmoid(margins).sum(1) + prior

    def _gradient(self, x: Tensor, margins: Tensor) -> Tensor:
        return torch.sigmoid(-margins) @ self._signed - x / self._prior_variance
