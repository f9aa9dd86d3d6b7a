"""Correction of p-values for multiple testing, so that a family of tests errs at its level.

Reference: Holm (1979), Scand. J. Stat. 6.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def holm(ps: Sequence[float]) -> list[float]:
    """p-values adjusted by Holm's step-down method, in the order given.

    With p_(1) <= ... <= p_(m), the adjusted p_(i) is max over j <= i of (m - j + 1) p_(j), at
    most 1. It holds whatever the dependence between the tests.
    """
    order = np.argsort(ps, kind="stable")
    steps = np.array(ps, dtype=float)[order] * np.arange(len(ps), 0, -1)
    adjusted = np.empty(len(ps))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return [float(p) for p in adjusted]
