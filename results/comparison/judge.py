"""Which samplers can be told apart: every test of a comparison, corrected together.

Two families of tests are made for a metric. *Overall*, a pair of samplers is tested by the
sign-flip test of signed ranks summed over targets; it claims a difference on these targets with
fresh seeds. *On one target*, from six paired seeds on, by the paired t-test (its p raised, see
``guarded``) or, where a seed failed or differences are equal, by the sign-flip test; where both
are at the floor they are tied and p is 1. Each family is corrected by Holm's method; where both
are tested each has half of the 5 %, so that all claims of a metric together err with at most 5 %.
Friedman's test and Nemenyi's critical difference take targets as units and
claim something else: other targets like these.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from scipy import stats

from bench.core.types import Array
from results.comparison.findings import Duel, Judgement, OnTarget
from results.statistics.confidence_interval import INTERVAL_FROM, Interval, fieller
from results.statistics.metric_result import MetricResult
from results.statistics.multiple_testing import holm
from results.statistics.null_distribution import LEVEL
from results.statistics.paired_t_test import applies, guarded, testable
from results.statistics.paired_values import PairedValues, SeedValues
from results.statistics.ranks import cliques, critical_difference, doubled_midranks
from results.statistics.sign_flip_test import sign_flip

#: (sampler, target) -> its values by one metric.
Cells = Mapping[tuple[str, str], SeedValues]
#: Both means must be told from the floor at this level before excesses are divided.
CLEARLY = 0.001
#: Share of the 5 % that each family has where both are tested.
HALF = 0.5


def standing(cell: SeedValues, metric: str = "") -> tuple[float, float]:
    """What ranks a sampler on a target: share of failed seeds, then excess over the floor.

    Where a target has no floor, which is so for all samplers on it, their means stand in order.
    """
    if not len(cell.good):
        return 1.0, math.inf
    score = MetricResult("", "", metric, cell.n, (), tuple(cell.good.tolist()), cell.draws)
    excess = score.excess
    return cell.failed / len(cell.values), score.mean if excess is None else excess


def _ranks(cells: Cells, labels: Sequence[str], targets: Sequence[str]) -> Array:
    """Ranks (targets, labels), ties sharing their mean; labels must be on every target."""
    rows = []
    for target in targets:
        keys = [standing(cells[x, target]) for x in labels]
        places = sorted(set(keys))
        rows.append(doubled_midranks(np.array([places.index(k) for k in keys])) / 2)
    return np.array(rows).reshape(len(rows), len(labels))


def _mean_ranks(metrics: Sequence[Cells], labels: Sequence[str],
                targets: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...], Array]:
    """Labels on every target, the targets all metrics judge, and their ranks (targets, labels)."""
    found: list[Array] = []
    kept = tuple(x for x in labels if all(
        (x, t) in cells for cells in metrics for t in targets if any(k[1] == t for k in cells)))
    used = tuple(t for t in targets if any(any(k[1] == t for k in cells) for cells in metrics))
    for target in used:
        rows = [_ranks(cells, kept, [target])[0] for cells in metrics
                if any(k[1] == target for k in cells)]
        found.append(doubled_midranks(np.array(rows).mean(axis=0).round(9)) / 2)
    return kept, used, np.array(found).reshape(len(used), len(kept))


def judge(metrics: Sequence[Cells], labels: Sequence[str], targets: Sequence[str],
          against: str | None = None) -> Judgement:
    """Compare all pairs (or all with ``against``) by one metric, or over several at once.

    Over several metrics a seed is exchanged in all of them together, and no target is tested
    alone.
    """
    kept, used, ranks = _mean_ranks(metrics, labels, targets)
    means = dict(zip(kept, ranks.mean(axis=0).tolist(), strict=True)) if len(used) else {}
    order = tuple(sorted(labels, key=lambda x: (means.get(x, math.inf), labels.index(x))))
    duels, share = _duels(metrics, order, targets, against)
    apart = [frozenset((d.a, d.b)) for d in duels if d.adjusted <= LEVEL]
    several = len(used) > 1 and len(kept) > 1
    return Judgement(order, means, tuple(x for x in labels if x not in means), used, duels,
                     tuple(cliques([x for x in order if x in means], apart)),
                     ranks, critical_difference(len(kept), len(used)) if several else math.nan,
                     share)


def _duels(metrics: Sequence[Cells], order: Sequence[str], targets: Sequence[str],
           against: str | None) -> tuple[tuple[Duel, ...], float]:
    """All duels, and the share of the 5 % that each family of tests has."""
    named = [(a, b) for a, b in combinations(order, 2) if against in (None, a, b)]
    named = [(b, a) if a == against else (a, b) for a, b in named]
    pairs: dict[tuple[str, str], dict[str, list[PairedValues]]] = {}
    for a, b in named:
        for t in targets:
            made = [p for cells in metrics if (a, t) in cells and (b, t) in cells
                    and (p := PairedValues(cells[a, t], cells[b, t])).comparable]
            if made:
                pairs.setdefault((a, b), {})[t] = made
    alone = {(a, b, t): made[0] for (a, b), here in pairs.items() for t, made in here.items()
             if len(metrics) == 1}
    tested = {k: pair for k, pair in alone.items() if testable(pair)}
    share = HALF if tested else 1.0
    singles = {k: _untested(k[2], pair, len(alone)) for k, pair in alone.items()
               if k not in tested}
    singles |= _on_targets(tested)
    flips = [sign_flip(list(here.values())) for here in pairs.values()]
    adjusted = [min(p / share, 1.0) for p in holm([f.p for f in flips])]
    duels = []
    for ((a, b), here), flip, level in zip(pairs.items(), flips, adjusted, strict=True):
        duels.append(Duel(a, b, flip, level, tuple(
            singles.get((a, b, t)) or OnTarget(t, made[0], "") for t, made in here.items()),
            LEVEL * share / len(flips)))
    return tuple(duels), share


def _untested(target: str, pair: PairedValues, amount: int) -> OnTarget:
    test = "tie" if pair.tied_throughout else ""
    return OnTarget(target, pair, test, level=LEVEL * HALF / amount)


def _on_targets(alone: Mapping[tuple[str, str, str], PairedValues]
                ) -> dict[tuple[str, str, str], OnTarget]:
    """Tests of each pair on each target alone, corrected together."""
    if not alone:
        return {}
    tests = {k: "tie" if pair.tied_throughout else "t" if applies(pair)
             else "sign-flip" for k, pair in alone.items()}
    raw = {k: 1.0 for k, test in tests.items() if test == "tie"}
    raw |= {k: sign_flip([[alone[k]]]).p for k, test in tests.items() if test == "sign-flip"}
    by_size: dict[int, list[tuple[str, str, str]]] = {}
    for k, test in tests.items():
        if test == "t":
            by_size.setdefault(len(alone[k].seeds), []).append(k)
    for size, keys in by_size.items():
        d = np.array([alone[k].differences for k in keys])
        found = stats.ttest_1samp(d, 0.0, axis=1).pvalue
        raw |= {k: guarded(float(p), size) for k, p in zip(keys, found, strict=True)}
    keys = list(alone)
    adjusted = [min(p / HALF, 1.0) for p in holm([raw[k] for k in keys])]
    return {k: OnTarget(k[2], alone[k], tests[k], raw[k], p, LEVEL * HALF / len(keys))
            for k, p in zip(keys, adjusted, strict=True)}


def ratio(pair: PairedValues, signed: bool) -> Interval | None:
    """Ratio of means, or of excesses over the floor for signed metrics, with Fieller's interval.

    None where there is none to speak of: fewer than six seeds that ended well for both, unequal n
    or values that are not positive; for signed metrics, unless both are clearly above the floor.
    The floor's mean is taken as known: its own error is a thirtieth of a draw's spread.
    """
    a, b = (v[pair.both] for v in pair.values)
    if len(a) < INTERVAL_FROM or pair.a.n != pair.b.n:
        return None
    if not signed:
        return fieller(a, b) if min(a.min(), b.min()) > 0 else None
    if pair.a.draws is None or pair.b.draws is None:
        return None
    scores = [MetricResult("", "", "", c.n, (), tuple(v.tolist()), c.draws)
              for c, v in ((pair.a, a), (pair.b, b))]
    if any(s.p is None or s.p > CLEARLY for s in scores):
        return None
    return fieller(a - pair.a.draws.mean(), b - pair.b.draws.mean())
