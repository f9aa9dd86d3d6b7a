"""Simulations of a comparison's own intervals and tests, as they were measured and committed.

``python -m bench.maintain comparison-calibration`` and ``interval-study`` make them.
"""

from __future__ import annotations

import json
import math
from functools import cache
from typing import Any

from bench.core.places import STUDIES

CALIBRATION = STUDIES / "comparison_calibration.json"
INTERVALS = STUDIES / "comparison_intervals.json"
#: Numbers of seeds at which intervals were studied.
INTERVAL_SIZES = (6, 10, 20)
#: The distribution of differences under which a t-interval holds the truth least often.
SKEWED = "one skewed, the other at the floor"


def calibration() -> dict[str, Any]:
    """Coverage of intervals and family-wise errors of tests."""
    return dict(json.loads(CALIBRATION.read_text(encoding="utf-8")))


def intervals() -> dict[str, Any]:
    """Coverage and width of several intervals of a mean."""
    return dict(json.loads(INTERVALS.read_text(encoding="utf-8")))


def monte_carlo_error(share: float, repeats: int) -> float:
    """Standard error of a simulated share; that of one repeat where the share is 0 or 1."""
    return math.sqrt(max(share * (1 - share), 1 / repeats) / repeats)


@cache
def interval_caution() -> str:
    """What stands wherever a 95 % t-interval is shown: its coverage for a skewed distribution."""
    few, more = (next(r for r in intervals()["rows"] if (r["distribution"], r["n"]) == (SKEWED, n))
                 for n in INTERVAL_SIZES[:2])
    return ("Where single seeds lie far off (lognormal values, sigma 1) such an interval holds "
            f"the truth in {100 * few['ways']['t'][0]:.0f} % of cases at {few['n']} seeds and in "
            f"{100 * more['ways']['t'][0]:.0f} % at {more['n']}, not in 95 %.")
