"""Welch's test of two means known by their standard errors: difference, equivalence, ratio.

With means o and p, their squared standard errors v_o and v_p, and a factor c, everything rests on

    T(c) = (o - c p) / sqrt(v_o + c^2 v_p),   df by Welch and Satterthwaite at that c.

References: Welch (1947), Biometrika 34; Schuirmann (1987), J. Pharmacokinet. Biopharm. 15 (two
one-sided tests of equivalence); Fieller (1954), J. R. Stat. Soc. B 16 (the ratio's interval).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import stats


@dataclass(frozen=True)
class TwoMeans:
    """Two means, ``ours`` and ``published``, with squared standard errors and degrees of freedom.

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

    def p_equivalent(self, margin: float) -> float:
        """p of two one-sided tests against a relative distance of ``margin``.

        1 where the published mean is 0.
        """
        if self.published == 0:
            return 1.0
        low, high = 1 - margin, 1 + margin
        if self.published < 0:
            low, high = high, low
        return max(self.p_above(low), self.p_below(high))

    def p_different(self) -> float:
        """p of equal means, two-sided."""
        return min(1.0, 2 * min(self.p_above(1.0), self.p_below(1.0)))

    def ratio_interval(self, level: float = 0.95) -> tuple[float, float] | None:
        """Fieller's interval of ours / published at the df of c = 1; None where unbounded.

        It leaves out 1 exactly where ``p_different`` is at most 1 - level.
        """
        _, df = self.error(1.0)
        t2 = float(stats.t.ppf(0.5 + level / 2, df)) ** 2
        a = self.published**2 - t2 * self.var_published
        if a <= 0:
            return None
        b, c = self.ours * self.published, self.ours**2 - t2 * self.var_ours
        root = math.sqrt(max(b * b - a * c, 0.0))
        return (b - root) / a, (b + root) / a
