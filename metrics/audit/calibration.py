"""The calibration of audits: false alarms, zero means and rulers of all metrics and targets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from metrics.audit.false_alarms import FAMILY, Null, Ruler, alarm_faults, mean_faults


@dataclass(frozen=True)
class Verdict:
    """Sentences on what was tested, and what failed: metric on target at n -> why."""

    lines: tuple[str, ...]
    faults: dict[str, str]


def judge(contents: dict[str, dict[str, Any]], metrics: Collection[str]) -> Verdict:
    """The verdict on audits (target -> content), simultaneously over all their cells."""
    nulls: dict[str, tuple[Null, int]] = {}
    signed: dict[str, Null] = {}
    rulers: dict[str, Ruler] = {}
    declared: set[str] = set()
    for target, content in contents.items():
        for metric, found in content["metrics"].items():
            if metric not in metrics:
                continue
            rulers[f"{metric} on {target}"] = Ruler(*found["ruler"])
            if found.get("own_ruler"):
                declared.add(f"{metric} on {target}")
            for n, at_n in found["n"].items():
                name, null = f"{metric} on {target} at n = {n}", Null(*at_n["null"])
                nulls[name] = (null, at_n["floor"][0])
                if found["signed"]:
                    signed[name] = null
    alarms, means = alarm_faults(nulls), mean_faults(signed)
    moving = {name: "its ruler moves with what it measures: with most points far away it no "
              "longer sees a gross shift of the others; take bandwidths from the reference only"
              for name, ruler in rulers.items()
              if ruler.verdict == "moves" and name not in declared}
    return Verdict((_alarm_line(nulls, alarms), _mean_line(signed, means),
                    _ruler_line(rulers, declared)), {**alarms, **means, **moving})


def _alarm_line(cells: dict[str, tuple[Null, int]], faults: dict[str, str]) -> str:
    if not cells:
        return "False alarms: nothing to test."
    draws = sum(null.draws for null, _ in cells.values())
    seen = sum(null.seen for null, _ in cells.values())
    rates = [null.seen / null.draws for null, _ in cells.values()]
    return (f"False alarms at the 5 % level: {100 * seen / draws:.1f} % of {draws} null draws, "
            f"{100 * min(rates):.1f} to {100 * max(rates):.1f} % over {len(cells)} cells (metric, "
            f"target, n); {len(faults) or 'none'} outside the simultaneous "
            f"{100 * (1 - FAMILY):.0f} % band, which holds the floors' own error.")


def _mean_line(cells: dict[str, Null], faults: dict[str, str]) -> str:
    if not cells:
        return "Zero means: no signed metric here."
    return (f"Zero means: {len(faults) or 'none'} of {len(cells)} cells of signed metrics have a "
            "null mean that is not zero, at the same simultaneous level.")


def _ruler_line(rulers: dict[str, Ruler], declared: set[str]) -> str:
    counts = Counter("declared" if ruler.verdict == "moves" and name in declared else ruler.verdict
                     for name, ruler in rulers.items())
    said = {"fixed": "stand fixed", "grows": "grow with the distance and are exempt",
            "no contrast": "are full at any distance", "moves": "move",
            "declared": "move as their definition says"}
    return "Rulers: " + ", ".join(f"{counts[k]} {words}" for k, words in said.items()
                                  if counts[k]) + "."
