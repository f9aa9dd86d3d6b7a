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

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from bench.core.types import Array
from results.published.table import Figure
from results.statistics.floors import LEVEL, standing

#: Two numbers agree where each lies within this share of the other's value (the published one).
MARGIN = 0.15
#: ``close`` also counts what lies within so many published standard deviations.
CLOSE_SDS = 2.0

AGREES, BOTH, DIFFERS = "agrees", "both at the floor", "differs"
UNDECIDED, INCOMPARABLE = "undecided", "not comparable"
VERDICTS = (AGREES, BOTH, DIFFERS, UNDECIDED, INCOMPARABLE)


@dataclass(frozen=True)
class Pair:
    """Two means with squared standard errors and degrees of freedom.

    ``shared`` says that both errors come from one estimate of the spread, with ``df_ours``.
    """

    ours: float
    published: float
    var_ours: float
    var_published: float
    df_ours: float
    df_published: float
    shared: bool = False

    def error(self, factor: float) -> tuple[float, float]:
        """Standard error of ours - factor x published, and its degrees of freedom."""
        a, b = self.var_ours, factor**2 * self.var_published
        if self.shared or a + b == 0:
            return math.sqrt(a + b), self.df_ours
        return math.sqrt(a + b), (a + b) ** 2 / (a**2 / self.df_ours + b**2 / self.df_published)

    def p_above(self, factor: float) -> float:
        """p of the hypothesis that ours is at most factor x published."""
        return self._tail(self.ours - factor * self.published, factor)

    def p_below(self, factor: float) -> float:
        """p of the hypothesis that ours is at least factor x published."""
        return self._tail(factor * self.published - self.ours, factor)

    def _tail(self, distance: float, factor: float) -> float:
        se, df = self.error(factor)
        if se == 0:
            return 0.0 if distance > 0 else 1.0
        return float(stats.t.sf(distance / se, df))

    def p_equivalent(self) -> float:
        """p of two one-sided tests against a distance of 15 %; 1 where the published is 0."""
        if self.published == 0:
            return 1.0
        low, high = 1 - MARGIN, 1 + MARGIN
        if self.published < 0:
            low, high = high, low
        return max(self.p_above(low), self.p_below(high))

    def p_apart(self) -> float:
        """p of equal means, two-sided."""
        return min(1.0, 2 * min(self.p_above(1.0), self.p_below(1.0)))

    def interval(self) -> tuple[float, float] | None:
        """Fieller's 95 % interval of ours / published; None where it has no bound."""
        _, df = self.error(1.0)
        t2 = float(stats.t.ppf(1 - LEVEL / 2, df)) ** 2
        a = self.published**2 - t2 * self.var_published
        if a <= 0:
            return None
        b, c = self.ours * self.published, self.ours**2 - t2 * self.var_ours
        root = math.sqrt(max(b * b - a * c, 0.0))
        return (b - root) / a, (b + root) / a


@dataclass(frozen=True)
class Judgement:
    """A verdict with its reason; ``close`` is the looser reading, within 15 % or two sds."""

    verdict: str
    why: str = ""
    ratio: float | None = None
    interval: tuple[float, float] | None = None
    close: bool = False


def pair(values: tuple[float, ...], figure: Figure, repeats: int) -> Pair | None:
    """Our values beside a figure; None where neither side says how far it is to be trusted."""
    size, mean = len(values), float(np.mean(values))
    sd = float(np.std(values, ddof=1)) if size > 1 else None
    if sd is not None and figure.sd is not None:
        return Pair(mean, figure.value, sd**2 / size, figure.sd**2 / repeats, size - 1,
                    repeats - 1)
    known, df = (sd, size - 1) if sd is not None else (figure.sd, repeats - 1)
    if known is None:
        return None
    return Pair(mean, figure.value, known**2 / size, known**2 / repeats, df, df, shared=True)


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
    verdict = (AGREES if found.p_equivalent() <= LEVEL else
               DIFFERS if found.p_apart() <= LEVEL else UNDECIDED)
    return Judgement(verdict, note, _ratio(values, figure), found.interval(), near)


def _ratio(values: tuple[float, ...], figure: Figure) -> float | None:
    return float(np.mean(values)) / figure.value if figure.value else None
