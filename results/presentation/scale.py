"""The scale a metric is shown on: its power of ten, and the decimals its floor allows."""

from __future__ import annotations

import math

import numpy as np

from results.records.frames import Scores
from results.statistics.null_distribution import band


def exponent(scores: Scores, metric: str) -> int:
    """The power of ten a metric is multiplied by, one for the whole report: floors become ~1."""
    run = scores.run
    most = {t: max((n for u, m, n in run.draws if (u, m) == (t, metric)), default=0)
            for t in run.targets}
    sizes = [size for t, n in most.items()
             if n and (size := abs(band(run.draws[t, metric, n])[2])) > 0]
    if not sizes:
        return 0
    size = float(np.median(sizes))
    return -math.floor(math.log10(size)) if size < 0.01 else 0


def decimals(scores: Scores, target: str, metric: str, n: int | None) -> int:
    """Decimals beyond which a number on the report's scale would be finer than its floor."""
    draws = scores.run.draws.get((target, metric, n or 0))
    if draws is None:
        return 99
    low, _, high = band(draws)
    width = (high - low) * 10.0 ** exponent(scores, metric)
    return max(math.ceil(1.3 - math.log10(width)), 0) if width > 0 else 99
