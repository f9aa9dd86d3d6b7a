"""Which samplers differ significantly: every test of a comparison, adjusted together.

Two families of tests are made for a metric. *Overall*, a pair of samplers is tested by the
sign-flip test of signed ranks summed over targets; it claims a difference on these targets with
fresh seeds. *On one target*, from six paired seeds on, by the paired t-test (its p raised, see
``guarded``) or, where a seed failed or differences are equal, by the sign-flip test; where both
are at the floor they are tied and p is 1. Each family is adjusted for multiple testing by Holm's
method; where both are tested each has half of the 5 %, so that all claims of a metric together
err with probability at most 5 %. Friedman's test and Nemenyi's critical difference take targets
as units and claim something else: other targets like these.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from scipy import stats

from results.comparison.findings import Findings, PairOnTarget, PairwiseComparison
from results.comparison.mean_ranks import SamplerTargetValues, mean_ranks
from results.statistics.multiple_testing import holm
from results.statistics.null_distribution import LEVEL
from results.statistics.paired_t_test import applies, can_be_tested, guarded
from results.statistics.paired_values import PairedValues
from results.statistics.ranks import cliques, critical_difference
from results.statistics.sign_flip_test import sign_flip

#: Share of the 5 % that each family has where both are tested.
SHARE_EACH = 0.5
#: Two samplers and a target.
Key = tuple[str, str, str]


def compare_pairs(metrics: Sequence[SamplerTargetValues], labels: Sequence[str],
                  targets: Sequence[str], against: str | None = None) -> Findings:
    """Compare all pairs (or all with ``against``) by one metric, or over several at once.

    Over several metrics a seed is exchanged in all of them together, and no target is tested
    alone.
    """
    kept, used, ranks = mean_ranks(metrics, labels, targets)
    means = dict(zip(kept, ranks.mean(axis=0).tolist(), strict=True)) if len(used) else {}
    order = tuple(sorted(labels, key=lambda x: (means.get(x, math.inf), labels.index(x))))
    pairs, share = _pairs(metrics, order, targets, against)
    different = [frozenset((p.a, p.b)) for p in pairs if p.adjusted_p <= LEVEL]
    several = len(used) > 1 and len(kept) > 1
    return Findings(order, means, tuple(x for x in labels if x not in means), used, pairs,
                    tuple(cliques([x for x in order if x in means], different)),
                    ranks, critical_difference(len(kept), len(used)) if several else math.nan,
                    share)


def _pairs(metrics: Sequence[SamplerTargetValues], order: Sequence[str], targets: Sequence[str],
           against: str | None) -> tuple[tuple[PairwiseComparison, ...], float]:
    """All pairwise comparisons, and the share of the 5 % that each family of tests has."""
    paired = _paired(metrics, order, targets, against)
    alone = {(a, b, t): made[0] for (a, b), here in paired.items() for t, made in here.items()
             if len(metrics) == 1}
    tested = {k: pair for k, pair in alone.items() if can_be_tested(pair)}
    share = SHARE_EACH if tested else 1.0
    on_target = {k: _untested(k[2], pair, len(alone)) for k, pair in alone.items()
                 if k not in tested}
    on_target |= _tested_alone(tested)
    flips = [sign_flip(list(here.values())) for here in paired.values()]
    adjusted = [min(p / share, 1.0) for p in holm([f.p for f in flips])]
    pairs = []
    for ((a, b), here), flip, p in zip(paired.items(), flips, adjusted, strict=True):
        pairs.append(PairwiseComparison(a, b, flip, p, tuple(
            on_target.get((a, b, t)) or PairOnTarget(t, made[0], "") for t, made in here.items()),
            LEVEL * share / len(flips)))
    return tuple(pairs), share


def _paired(metrics: Sequence[SamplerTargetValues], order: Sequence[str], targets: Sequence[str],
            against: str | None) -> dict[tuple[str, str], dict[str, list[PairedValues]]]:
    """Values of each pair of samplers on each target, one a metric that can compare them."""
    named = [(a, b) for a, b in combinations(order, 2) if against in (None, a, b)]
    named = [(b, a) if a == against else (a, b) for a, b in named]
    paired: dict[tuple[str, str], dict[str, list[PairedValues]]] = {}
    for a, b in named:
        for t in targets:
            made = [p for values in metrics if (a, t) in values and (b, t) in values
                    and (p := PairedValues(values[a, t], values[b, t])).comparable]
            if made:
                paired.setdefault((a, b), {})[t] = made
    return paired


def _untested(target: str, pair: PairedValues, amount: int) -> PairOnTarget:
    test = "tie" if pair.tied_throughout else ""
    return PairOnTarget(target, pair, test, level=LEVEL * SHARE_EACH / amount)


def _tested_alone(alone: Mapping[Key, PairedValues]) -> dict[Key, PairOnTarget]:
    """Tests of each pair on each target alone, adjusted together."""
    if not alone:
        return {}
    tests = {k: "tie" if pair.tied_throughout else "t" if applies(pair)
             else "sign-flip" for k, pair in alone.items()}
    raw = {k: 1.0 for k, test in tests.items() if test == "tie"}
    raw |= {k: sign_flip([[alone[k]]]).p for k, test in tests.items() if test == "sign-flip"}
    raw |= _t_tests({k: alone[k] for k, test in tests.items() if test == "t"})
    keys = list(alone)
    adjusted = [min(p / SHARE_EACH, 1.0) for p in holm([raw[k] for k in keys])]
    return {k: PairOnTarget(k[2], alone[k], tests[k], raw[k], p, LEVEL * SHARE_EACH / len(keys))
            for k, p in zip(keys, adjusted, strict=True)}


def _t_tests(pairs: Mapping[Key, PairedValues]) -> dict[Key, float]:
    """Guarded p-values of paired t-tests, all pairs of one number of seeds at once."""
    by_size: dict[int, list[Key]] = {}
    for k, pair in pairs.items():
        by_size.setdefault(len(pair.seeds), []).append(k)
    made: dict[Key, float] = {}
    for size, keys in by_size.items():
        d = np.array([pairs[k].differences for k in keys])
        found = stats.ttest_1samp(d, 0.0, axis=1).pvalue
        made |= {k: guarded(float(p), size) for k, p in zip(keys, found, strict=True)}
    return made
