"""A mixture of heavy-tailed distributions in fifty dimensions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from targets.mixtures.student_mixture import StudentMixture

_COMPONENTS = 10
_REACH = 10.0  # locations are uniform on [-10, 10]
_APART = 10  # dimensions from which on components hardly overlap


@dataclass(frozen=True, eq=False)
class StudentMix50(StudentMixture):
    """Ten equal products of Student t distributions, 2 degrees of freedom, in ``dim`` dimensions.

    p(x) = 1/10 sum_k prod_j t2(x_j - m_kj), t2(g) = (2 + g^2)^(-3/2), m_kj uniform on [-10, 10];
    normalised.

    From Beyond ELBOs (arXiv 2406.07423, "MoS"). Its locations are draws of jax's generator at
    key 0 and cannot be had without jax: here they are those of numpy's legacy generator at seed 0,
    whose streams are frozen. It is a member of the same family, no more: figures published for the
    other are not figures of this one.

    The variance of every coordinate is infinite. No second moment is stated, so ``cov_error`` does
    not apply; the means exist and are stated, but a sample mean has no variance either, so its
    standard error means nothing and only a drawn floor is informative. ``w2`` compares tails.

    Modes are components. From 10 dimensions on they hardly overlap and ``mode_weights`` are 1/10
    each: at 10 dimensions 2e-4 of 100,000 points cross over and no mode's mass is off by more than
    5e-5 (standard error 3e-5), from 12 on none does. In fewer dimensions none are declared.

    Scale: the root mean square of a location, 5.77, to the nearest half.

    Useful because its tails are heavier than those of any Gaussian base or proposal: importance
    weights of a sampler with light tails have no variance.
    """

    name = "student_mix_50"
    citation = "arXiv 2406.07423 (Beyond ELBOs), MoS; variational_sampling_methods"
    law_settings = {"points": 20_000}

    dim: int = 50

    def __post_init__(self) -> None:
        """Draw the locations."""
        if not (isinstance(self.dim, int) and self.dim >= 1):
            raise ValueError("dim of student_mix_50 is a whole number of at least 1, "
                             f"not {self.dim!r}")
        drawn = np.random.RandomState(0).uniform(-_REACH, _REACH, (_COMPONENTS, self.dim))
        super().__init__(drawn, scale=6.0)
        if self.dim >= _APART:
            weights = torch.full((_COMPONENTS,), 1.0 / _COMPONENTS, dtype=torch.float64)
            vars(self).update(mode_weights=weights)

    def view(self) -> tuple[float, float, float, float]:
        """The locations and most of the tails."""
        return (-30.0, 30.0, -30.0, 30.0)
