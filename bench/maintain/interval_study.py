"""Is there a better 95 % interval of a mean than Student's? Coverage and width, by simulation.

``python -m bench.maintain interval-study`` prints it and writes
results/data/studies/comparison_intervals.json.

Values have mean 0. ``one skewed`` is the difference that a comparison meets: one sampler at the
floor, whose values hardly vary compared with the other's, which are lognormal (sigma 1).
``floor`` draws from the committed MMD^2 of exact samples, as values of a sampler at the floor
have it, and ``floor, paired`` is the difference of two such.

References: Johnson (1978), J. Am. Stat. Assoc. 73 (t with a correction for skewness); Hall (1992),
J. R. Stat. Soc. B 54 (its monotone cubic); Efron (1981), Can. J. Stat. 9 (bootstrap-t).
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import stats

from bench.core.places import FLOORS
from bench.core.types import Array
from bench.maintain.comparison_calibration import DISTRIBUTIONS, Distribution
from results.comparison.studies import INTERVAL_SIZES, INTERVALS, SKEWED
from results.records.floors_file import Floors

REPEATS, RESAMPLED, RESAMPLES = 40_000, 8_000, 600
AT_FLOOR = 0.1  # deviation of a sampler at the floor, in those of the skewed one

Ends = tuple[Array, Array]


def student(x: Array, rng: np.random.Generator) -> Ends:
    """Mean plus and minus the t-quantile times the standard error."""
    half = stats.t.ppf(0.975, x.shape[1] - 1) * x.std(1, ddof=1) / math.sqrt(x.shape[1])
    return x.mean(1) - half, x.mean(1) + half


def johnson(x: Array, rng: np.random.Generator) -> Ends:
    """Student's, shifted by skewness / (6 n) standard deviations."""
    low, high = student(x, rng)
    shift = _skewness(x) * x.std(1, ddof=1) / (6 * x.shape[1])
    return low + shift, high + shift


def hall(x: Array, rng: np.random.Generator) -> Ends:
    """The cubic that takes skewness out of t, inverted at its quantiles."""
    n, mean, sd = x.shape[1], x.mean(1), x.std(1, ddof=1)
    skew = np.where(np.abs(g := _skewness(x)) < 1e-9, 1e-9, g)
    reach = stats.t.ppf(0.975, n - 1) / math.sqrt(n)
    low, high = ((np.cbrt(1 + skew * (at - skew / (6 * n))) - 1) * 3 / skew
                 for at in (reach, -reach))
    return mean - sd * low, mean - sd * high


def wider(x: Array, rng: np.random.Generator) -> Ends:
    """The outer ends of Student's and of the cubic's."""
    (a, b), (c, d) = student(x, rng), hall(x, rng)
    return np.minimum(a, c), np.maximum(b, d)


def bootstrap(x: Array, rng: np.random.Generator) -> Ends:
    """Bootstrap-t: quantiles of t over resamples of the seeds."""
    n = x.shape[1]
    error = x.std(1, ddof=1) / math.sqrt(n)
    low, high = np.empty(len(x)), np.empty(len(x))
    for i, row in enumerate(x):
        again = row[rng.integers(n, size=(RESAMPLES, n))]
        with np.errstate(divide="ignore", invalid="ignore"):
            t = (again.mean(1) - row.mean()) / (again.std(1, ddof=1) / math.sqrt(n))
        a, b = np.quantile(np.nan_to_num(t, nan=0.0), [0.025, 0.975], method="inverted_cdf")
        low[i], high[i] = row.mean() - b * error[i], row.mean() - a * error[i]
    return low, high


def _skewness(x: Array) -> Array:
    centred = x - x.mean(1, keepdims=True)
    return np.asarray((centred**3).mean(1) / x.std(1, ddof=1) ** 3)


WAYS: dict[str, Callable[[Array, np.random.Generator], Ends]] = {
    "t": student, "Johnson": johnson, "Hall": hall, "t and Hall": wider, "bootstrap-t": bootstrap}


def distributions() -> dict[str, Distribution]:
    """What values of a mean, or differences of pairs, may be distributed as."""
    draws = Floors.read(FLOORS / "gmm4.npz").draws["mmd/1000"]
    floor = (draws - draws.mean()) / draws.std()
    skewed = DISTRIBUTIONS["skewed (lognormal)"]

    def of_floor(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return np.asarray(floor[rng.integers(len(floor), size=shape)])

    return {**DISTRIBUTIONS,
            SKEWED: lambda rng, shape: (
                skewed(rng, shape) - AT_FLOOR * of_floor(rng, shape)),
            "floor": of_floor,
            "floor, paired": lambda rng, shape: of_floor(rng, shape) - of_floor(rng, shape)}


def measure(repeats: int = REPEATS, resampled: int = RESAMPLED) -> dict[str, Any]:
    """For each distribution, number of seeds and way: coverage, and mean width over that of t."""
    rows = []
    for name, draw in distributions().items():
        for n in INTERVAL_SIZES:
            rng = np.random.default_rng((4, n))
            x = draw(rng, (repeats, n))
            found: dict[str, list[float]] = {}
            for way, ends in WAYS.items():
                used = x[:resampled] if way == "bootstrap-t" else x
                low, high = ends(used, rng)
                a, b = student(used, rng)
                found[way] = [float(np.mean((low <= 0) & (high >= 0))),
                              float(np.mean(high - low) / np.mean(b - a))]
            rows.append({"distribution": name, "n": n, "ways": found})
    return {"repeats": repeats, "resampled": resampled, "rows": rows}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write."""
    argparse.ArgumentParser(prog="python -m bench.maintain interval-study",
                            description=__doc__).parse_args(arguments)
    found = measure()
    INTERVALS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for row in found["rows"]:
        ways = "  ".join(f"{k} {100 * v[0]:.1f} (x {v[1]:.2f})" for k, v in row["ways"].items())
        print(f"{row['distribution']:36}{row['n']:3}  {ways}")
    return 0
