"""Whether our number agrees with a published one. Verdicts are computed, one cell at a time.

With means o (ours) and p (published), their squared standard errors v_o and v_p, and a factor c,
everything rests on the statistic of Welch

    T(c) = (o - c p) / sqrt(v_o + c^2 v_p),   df by Welch and Satterthwaite at that c.

``agrees``: both one-sided tests of o <= .85 p and o >= 1.15 p reject at 5 % (two one-sided tests,
Schuirmann 1987). ``differs``: T(1) rejects at 5 %, two-sided, and the first does not hold; the
ratio o / p carries Fieller's interval at the df of c = 1, so it leaves out 1 exactly then.
Where only one side has a spread, its standard deviation s stands in for the other's: v_o = s^2 /
seeds, v_p = s^2 / repeats, with the df of the side that knows it, which is exact for normal values
of equal variance. No correction is made for the number of cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.core.types import Array
from results.published.table import Figure
from results.statistics.null_distribution import LEVEL
from results.statistics.p_value import standing
from results.statistics.welch_test import TwoMeans

#: Two numbers agree where each lies within this share of the other's value (the published one).
MARGIN = 0.15
#: ``close`` also counts what lies within so many published standard deviations.
CLOSE_SDS = 2.0

AGREES, BOTH, DIFFERS = "agrees", "both at the floor", "differs"
UNDECIDED, INCOMPARABLE = "undecided", "not comparable"
VERDICTS = (AGREES, BOTH, DIFFERS, UNDECIDED, INCOMPARABLE)


@dataclass(frozen=True)
class Judgement:
    """A verdict with its reason; ``close`` is the looser reading, within 15 % or two sds."""

    verdict: str
    why: str = ""
    ratio: float | None = None
    interval: tuple[float, float] | None = None
    close: bool = False


def pair(values: tuple[float, ...], figure: Figure, repeats: int) -> TwoMeans | None:
    """Our values beside a figure; None where neither side says how far it is to be trusted."""
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


def place(values: tuple[float, ...], draws: Array | None) -> str:
    """Where a mean lies: ``floor``, ``above`` or ``below`` it, or ``unknown`` without one."""
    return standing(list(values), draws)


def published_place(figure: Figure, repeats: int, draws: Array | None) -> str:
    """Where a published mean of so many repeats lies."""
    return place((figure.value,) * repeats, draws)


def both_at_floor(values: tuple[float, ...], figure: Figure, repeats: int,
                  draws: Array | None) -> bool:
    """Neither mean is told above the floor, and not both are told below it.

    Two means below the floor are no noise of exact sampling (particles that repel each other):
    they are compared by their values.
    """
    places = {place(values, draws), published_place(figure, repeats, draws)}
    return places <= {"floor", "below"} and places != {"below"}


def judge(values: tuple[float, ...], figure: Figure, repeats: int,
          draws: Array | None) -> Judgement:
    """The verdict on our values over seeds beside a published figure."""
    near = close(float(np.mean(values)), figure)
    if both_at_floor(values, figure, repeats, draws):
        return Judgement(BOTH, "neither can be told from exact samples", close=near,
                         ratio=_ratio(values, figure))
    found = pair(values, figure, repeats)
    if found is None:
        return Judgement(UNDECIDED, "one seed, and no spread was published", close=near,
                         ratio=_ratio(values, figure))
    note = ""
    if found.shared:
        note = "our spread stands in for the published one" if figure.sd is None else (
            "one seed: the published spread stands in for ours")
    verdict = (AGREES if found.p_equivalent(MARGIN) <= LEVEL else
               DIFFERS if found.p_different() <= LEVEL else UNDECIDED)
    return Judgement(verdict, note, _ratio(values, figure), found.ratio_interval(), near)


def _ratio(values: tuple[float, ...], figure: Figure) -> float | None:
    return float(np.mean(values)) / figure.value if figure.value else None
