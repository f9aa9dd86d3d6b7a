"""Whether our number agrees with a published one. Verdicts are computed, one figure at a time.

``agrees``: both one-sided Welch tests of o <= .85 p and o >= 1.15 p reject at 5 %, with o our
mean and p the published one (``results.statistics.welch_test``). ``differs``: the two-sided test
of o = p rejects at 5 %, and the first does not hold; the ratio o / p carries Fieller's interval
at the df of equal means, so it leaves out 1 exactly then.
Where only one side has a spread, its standard deviation s stands in for the other's: v_o = s^2 /
seeds, v_p = s^2 / repeats, with the df of the side that knows it, which is exact for normal values
of equal variance. p-values are not adjusted for the number of figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from bench.core.types import Array
from results.published.table_file import Figure
from results.statistics.null_distribution import LEVEL
from results.statistics.p_value import Standing, standing
from results.statistics.welch_test import TwoMeans

#: Two numbers agree where each lies within this share of the other's value (the published one).
MARGIN = 0.15
#: ``close`` also counts what lies within so many published standard deviations.
CLOSE_SDS = 2.0


class Verdict(StrEnum):
    """What is said of our mean and the published one, in the order of the tables."""

    AGREES = "agrees"
    BOTH = "both at the floor"
    DIFFERS = "differs"
    UNDECIDED = "undecided"
    INCOMPARABLE = "not comparable"

    @property
    def order(self) -> float:
        """Its place in the order of the tables."""
        return float(list(Verdict).index(self))


@dataclass(frozen=True)
class Judgement:
    """A verdict with its reason; ``close`` is the looser reading, within 15 % or two sds."""

    verdict: Verdict
    why: str = ""
    ratio: float | None = None
    interval: tuple[float, float] | None = None
    close: bool = False


def two_means(values: tuple[float, ...], figure: Figure, repeats: int) -> TwoMeans | None:
    """Our values and a figure with their errors; None where neither side has a spread."""
    size, mean = len(values), float(np.mean(values))
    sd = float(np.std(values, ddof=1)) if size > 1 else None
    if sd is not None and figure.sd is not None:
        return TwoMeans(mean, figure.value, sd**2 / size, figure.sd**2 / repeats, size - 1,
                        repeats - 1)
    known, df = (sd, size - 1) if sd is not None else (figure.sd, repeats - 1)
    if known is None:
        return None
    return TwoMeans(mean, figure.value, known**2 / size, known**2 / repeats, df, df, shared=True)


def close(mean: float, figure: Figure) -> bool:
    """Within 15 % or two published standard deviations of the published figure."""
    reach = max(MARGIN * abs(figure.value), CLOSE_SDS * (figure.sd or 0.0))
    return abs(mean - figure.value) <= reach * (1 + 1e-9)


def published_standing(figure: Figure, repeats: int, draws: Array | None) -> Standing:
    """Where a published mean of so many repeats lies relative to the floor."""
    return standing([figure.value] * repeats, draws)


def both_at_floor(values: tuple[float, ...], figure: Figure, repeats: int,
                  draws: Array | None) -> bool:
    """Neither mean is significantly above the floor, and not both are below it.

    Two means below the floor are no noise of exact sampling (particles that repel each other):
    they are compared by their values.
    """
    both = {standing(list(values), draws), published_standing(figure, repeats, draws)}
    return both <= {Standing.FLOOR, Standing.BELOW} and both != {Standing.BELOW}


def judge(values: tuple[float, ...], figure: Figure, repeats: int,
          draws: Array | None) -> Judgement:
    """The verdict on our values over seeds and a published figure."""
    near, ratio = close(float(np.mean(values)), figure), _ratio(values, figure)
    if both_at_floor(values, figure, repeats, draws):
        return Judgement(Verdict.BOTH, "neither differs significantly from exact samples", ratio,
                         close=near)
    means = two_means(values, figure, repeats)
    if means is None:
        return Judgement(Verdict.UNDECIDED, "one seed, and no spread was published", ratio,
                         close=near)
    note = ""
    if means.shared:
        note = "our spread stands in for the published one" if figure.sd is None else (
            "one seed: the published spread stands in for ours")
    verdict = (Verdict.AGREES if means.p_equivalent(MARGIN) <= LEVEL else
               Verdict.DIFFERS if means.p_different() <= LEVEL else Verdict.UNDECIDED)
    return Judgement(verdict, note, ratio, means.ratio_interval(), near)


def _ratio(values: tuple[float, ...], figure: Figure) -> float | None:
    return float(np.mean(values)) / figure.value if figure.value else None
