"""Is there a better 95 % interval of a mean than Student's? By simulation: ``python -m
results.comparison.interval_study`` prints it and writes intervals.json beside this file.

Values have mean 0. ``one skewed`` is the difference that a comparison meets: one sampler at the
floor, whose values hardly vary beside the other's, which are lognormal (sigma 1). ``floor`` draws
from the committed MMD^2 of exact samples, as values of a sampler at the floor have it, and
``floor, paired`` is the difference of two such.

References: Johnson (1978), J. Am. Stat. Assoc. 73 (t with a correction for skewness); Hall (1992),
J. R. Stat. Soc. B 54 (its monotone cubic); Efron (1981), Can. J. Stat. 9 (bootstrap-t).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from scipy import stats

from bench.core.places import FLOORS, STUDIES
from bench.core.types import Array
from results.comparison.calibration import LAWS, Law

FILE = STUDIES / "comparison_intervals.json"
SIZES = (6, 10, 20)
REPEATS, RESAMPLED, RESAMPLES = 40_000, 8_000, 600
SKEWED = "one skewed, the other at the floor"
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


def laws() -> dict[str, Law]:
    """What values of a mean, or differences of pairs, may be distributed as."""
    with np.load(FLOORS / "gmm4.npz") as data:
        draws = data["mmd/1000"].astype(np.float64)
    floor = (draws - draws.mean()) / draws.std()
    skewed = LAWS["skewed (lognormal)"]

    def of_floor(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return np.asarray(floor[rng.integers(len(floor), size=shape)])

    return {**LAWS,
            SKEWED: lambda rng, shape: (
                skewed(rng, shape) - AT_FLOOR * of_floor(rng, shape)),
            "floor": of_floor,
            "floor, paired": lambda rng, shape: of_floor(rng, shape) - of_floor(rng, shape)}


def measure(repeats: int = REPEATS, resampled: int = RESAMPLED) -> dict[str, Any]:
    """Of each law, number of seeds and way: share that hold 0, and mean width over that of t."""
    rows = []
    for name, law in laws().items():
        for n in SIZES:
            rng = np.random.default_rng((4, n))
            x = law(rng, (repeats, n))
            found: dict[str, list[float]] = {}
            for way, ends in WAYS.items():
                used = x[:resampled] if way == "bootstrap-t" else x
                low, high = ends(used, rng)
                a, b = student(used, rng)
                found[way] = [float(np.mean((low <= 0) & (high >= 0))),
                              float(np.mean(high - low) / np.mean(b - a))]
            rows.append({"law": name, "n": n, "ways": found})
    return {"repeats": repeats, "resampled": resampled, "rows": rows}


def read() -> dict[str, Any]:
    """What was measured and committed."""
    return dict(json.loads(FILE.read_text(encoding="utf-8")))


@cache
def caution() -> str:
    """What stands wherever a 95 % t-interval is shown: how often it holds under a skewed law."""
    few, more = (next(r for r in read()["rows"] if (r["law"], r["n"]) == (SKEWED, n))
                 for n in SIZES[:2])
    return ("Where single seeds lie far off (lognormal values, sigma 1) such an interval holds "
            f"the truth in {100 * few['ways']['t'][0]:.0f} % of cases at {few['n']} seeds and in "
            f"{100 * more['ways']['t'][0]:.0f} % at {more['n']}, not in 95 %.")


def main() -> None:
    """Measure, print, write."""
    found = measure()
    FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for row in found["rows"]:
        ways = "  ".join(f"{k} {100 * v[0]:.1f} (x {v[1]:.2f})" for k, v in row["ways"].items())
        print(f"{row['law']:36}{row['n']:3}  {ways}")


if __name__ == "__main__":
    main()
