"""How often a comparison's intervals hold the truth, and how often its tests err, by simulation.

``python -m bench.maintain comparison-calibration`` prints it and writes
results/data/studies/comparison_calibration.json.

Coverage: values are a common effect of the seed plus the sampler's own, both of the stated
distribution with mean 0 and variance 1; means are 2 and 1, the standard deviation is 0.3 of the
mean (15 % of the variance is common). Family-wise error: samplers without any difference, judged
by the same code as a run's; an error is any pair called better or worse, overall or on a target.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from scipy import stats

from bench.core.types import Array
from results.comparison.hypothesis_tests import compare_pairs
from results.comparison.mean_ranks import SamplerTargetValues
from results.comparison.studies import CALIBRATION, monte_carlo_error
from results.statistics.null_distribution import LEVEL
from results.statistics.paired_values import SeedValues

SIZES = (3, 5, 10, 20)
REPEATS = 40_000
FAMILIES = {3: 600, 5: 600, 6: 600, 10: 600}
SAMPLERS, TARGETS = 6, 6
COMMON = 0.15
SPREAD = 0.3

#: Draws of a given shape; mean 0, variance 1.
Distribution = Callable[[np.random.Generator, tuple[int, ...]], Array]


def _lognormal(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Sigma 1, standardised: skewness 6.2."""
    mean, sd = math.exp(0.5), math.sqrt((math.e - 1) * math.e)
    return (np.exp(rng.standard_normal(shape)) - mean) / sd


def _two_states(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """A mode kept or lost with equal probability, and little noise: the worst case of t-tests."""
    noise = 0.01 * rng.standard_normal(shape)
    return np.asarray(2.0 * rng.integers(2, size=shape) - 1.0 + noise)


DISTRIBUTIONS: dict[str, Distribution] = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "skewed (lognormal)": _lognormal,
    "heavy-tailed (t, 3 df)": lambda rng, shape: rng.standard_t(3, shape) / math.sqrt(3.0),
}
NULLS: dict[str, Distribution] = {**DISTRIBUTIONS, "two states": _two_states}


def _fieller_holds(a: Array, b: Array, ratio: float) -> Array:
    """Whether Fieller's set holds a ratio, row by row: its t-test does not reject it."""
    return np.asarray(stats.ttest_1samp(a - ratio * b, 0.0, axis=1).pvalue > 0.05)


def _fieller_bounded(b: Array) -> Array:
    return np.asarray(stats.ttest_1samp(b, 0.0, axis=1).pvalue < 0.05)


def coverage(distribution: Distribution, n: int, repeats: int, seed: int = 1) -> dict[str, float]:
    """Shares of 95 % intervals (of mean, difference, ratio) that hold it; of bounded ratios."""
    rng = np.random.default_rng((seed, n))
    common = distribution(rng, (repeats, n))
    a, b = (mean * (1 + SPREAD * (math.sqrt(COMMON) * common
                                  + math.sqrt(1 - COMMON) * distribution(rng, (repeats, n))))
            for mean in (2.0, 1.0))
    return {"mean": float(np.mean(stats.ttest_1samp(b, 1.0, axis=1).pvalue > 0.05)),
            "difference": float(np.mean(stats.ttest_1samp(a - b, 1.0, axis=1).pvalue > 0.05)),
            "ratio": float(np.mean(_fieller_holds(a, b, 2.0))),
            "ratio bounded": float(np.mean(_fieller_bounded(b)))}


def null_cells(distribution: Distribution, rng: np.random.Generator, seeds: int,
               samplers: int = SAMPLERS, targets: int = TARGETS,
               failing: float = 0.0) -> SamplerTargetValues:
    """Values of samplers without any difference; a seed fails with probability ``failing``."""
    cells = {}
    for t in range(targets):
        own = distribution(rng, (samplers, seeds))
        values = 5 + SPREAD * (math.sqrt(COMMON) * distribution(rng, (1, seeds))
                               + math.sqrt(1 - COMMON) * own)
        values[rng.random((samplers, seeds)) < failing] = math.inf
        for s in range(samplers):
            cells[f"s{s}", f"t{t}"] = SeedValues(1000, dict(enumerate(values[s].tolist())))
    return cells


def floor_cells(rng: np.random.Generator, draws: list[Array], seeds: int, shift: float,
                samplers: int = SAMPLERS) -> SamplerTargetValues:
    """Values of samplers that are all ``shift`` floor sds above the floor (gamma, shape 2).

    At a shift of 1, 54 % (3 seeds), 33 % (5) and 8 % (10) of the cells are at the floor: there a
    rule for ties that looks at the values could do most harm.
    """
    cells = {}
    for t, floor in enumerate(draws):
        values = rng.gamma(2.0, 1.0, (samplers, seeds)) - 2.0 + shift * math.sqrt(2.0)
        for s in range(samplers):
            cells[f"s{s}", f"t{t}"] = SeedValues(1000, dict(enumerate(values[s].tolist())), floor)
    return cells


def errors(cells: SamplerTargetValues, corrected: bool = True) -> tuple[bool, bool, bool]:
    """Whether any pair is called different under the null: overall, on a target, by Nemenyi.

    ``corrected=False`` reads the raw p-values: the known-bad procedure.
    """
    labels = sorted({k[0] for k in cells})
    targets = sorted({k[1] for k in cells})
    found = compare_pairs([cells], labels, targets)
    overall = any((d.adjusted_p if corrected else d.sign_flip.p) <= LEVEL for d in found.pairs)
    single = any(p is not None and p <= LEVEL for d in found.pairs for t in d.targets
                 for p in (t.adjusted_p if corrected else t.p,))
    ranks = list(found.mean_ranks.values())
    return overall, single, max(ranks) - min(ranks) > found.critical_difference


def family(make: Callable[[np.random.Generator], SamplerTargetValues], repeats: int, seed: int = 2,
           corrected: bool = True) -> dict[str, float]:
    """Rates of at least one error among all comparisons, over repeats of the null."""
    rng = np.random.default_rng(seed)
    found = np.array([errors(make(rng), corrected) for _ in range(repeats)])
    return {"overall": float(found[:, 0].mean()), "on a target": float(found[:, 1].mean()),
            "either": float(found[:, :2].any(axis=1).mean()),
            "critical difference": float(found[:, 2].mean())}


def scenarios(seeds: int) -> Mapping[str, Callable[[np.random.Generator], SamplerTargetValues]]:
    """The nulls whose family-wise error is measured."""
    rng = np.random.default_rng(3)
    draws = [np.sort(rng.gamma(2.0, 1.0, 1000) - 2.0) for _ in range(TARGETS)]
    made: dict[str, Callable[[np.random.Generator], SamplerTargetValues]] = {
        name: partial(null_cells, of, seeds=seeds) for name, of in NULLS.items()}
    made["normal, 10 % of seeds fail"] = lambda rng: null_cells(
        DISTRIBUTIONS["normal"], rng, seeds, failing=0.1)
    made["1 sd above the floor"] = lambda rng: floor_cells(rng, draws, seeds, 1.0)
    return made


def measure(repeats: int = REPEATS, families: Mapping[int, int] | None = None) -> dict[str, Any]:
    """All of it, as the committed file holds it."""
    families = FAMILIES if families is None else families
    return {
        "repeats": repeats, "samplers": SAMPLERS, "targets": TARGETS,
        "coverage": [{"distribution": name, "n": n, **coverage(of, n, repeats)}
                     for name, of in DISTRIBUTIONS.items() for n in SIZES],
        "family": [{"distribution": name, "seeds": seeds, "repeats": amount,
                    **family(make, amount)}
                   for seeds, amount in families.items()
                   for name, make in scenarios(seeds).items()]}


def lines(found: Mapping[str, Any]) -> list[str]:
    """The measurement as plain text, with Monte-Carlo standard errors in points of per cent."""
    shown = [f"coverage of 95 % intervals, {found['repeats']} repeats (error at most "
             f"{100 * monte_carlo_error(0.75, found['repeats']):.2f} points)",
             f"{'distribution':24}{'n':>4}{'mean':>8}{'diff.':>8}{'ratio':>8}{'bounded':>9}"]
    shown += [f"{r['distribution']:24}{r['n']:4}{100 * r['mean']:8.1f}{100 * r['difference']:8.1f}"
              f"{100 * r['ratio']:8.1f}{100 * r['ratio bounded']:9.1f}" for r in found["coverage"]]
    shown += ["", f"family-wise error, {found['samplers']} samplers x {found['targets']} targets, "
              "per cent", f"{'null':28}{'seeds':>6}{'repeats':>8}{'overall':>9}{'target':>9}"
              f"{'either':>9}{'+-':>6}{'Nemenyi':>9}"]
    return shown + [
        f"{r['distribution']:28}{r['seeds']:6}{r['repeats']:8}{100 * r['overall']:9.2f}"
        f"{100 * r['on a target']:9.2f}{100 * r['either']:9.2f}"
        f"{100 * monte_carlo_error(r['either'], r['repeats']):6.2f}"
        f"{100 * r['critical difference']:9.2f}" for r in found["family"]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write."""
    argparse.ArgumentParser(prog="python -m bench.maintain comparison-calibration",
                            description=__doc__).parse_args(arguments)
    found = measure()
    CALIBRATION.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print("\n".join(lines(found)))
    return 0
