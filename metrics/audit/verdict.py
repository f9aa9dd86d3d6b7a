"""The verdict on audits: false alarms, zero means and scales of all metrics and targets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from metrics.audit.null_checks import FAMILY, Null, alarm_faults, mean_faults
from metrics.audit.sample_scale import ScaleResponse


@dataclass(frozen=True)
class Verdict:
    """Sentences on what was tested, and what failed: metric on target at n -> why."""

    lines: tuple[str, ...]
    faults: dict[str, str]


def judge(contents: dict[str, dict[str, Any]], metrics: Collection[str]) -> Verdict:
    """The verdict on audits (target -> content), simultaneously over all their cells."""
    nulls: dict[str, tuple[Null, int]] = {}
    signed: dict[str, Null] = {}
    responses: dict[str, ScaleResponse] = {}
    declared: set[str] = set()
    for target, content in contents.items():
        for metric, found in content["metrics"].items():
            if metric not in metrics:
                continue
            responses[f"{metric} on {target}"] = ScaleResponse(*found["scale_response"])
            if found.get("scale_from_samples"):
                declared.add(f"{metric} on {target}")
            for n, at_n in found["n"].items():
                name, null = f"{metric} on {target} at n = {n}", Null(*at_n["null"])
                nulls[name] = (null, at_n["floor"][0])
                if found["signed"]:
                    signed[name] = null
    alarms, means = alarm_faults(nulls), mean_faults(signed)
    moving = {name: "its scale is estimated from the tested samples: with most points far away it "
              "no longer detects a gross shift of the others; take bandwidths from the reference "
              "only"
              for name, response in responses.items()
              if response.verdict == "moves" and name not in declared}
    return Verdict((_alarm_line(nulls, alarms), _mean_line(signed, means),
                    _scale_line(responses, declared)), {**alarms, **means, **moving})


def _alarm_line(cells: dict[str, tuple[Null, int]], faults: dict[str, str]) -> str:
    if not cells:
        return "False alarms: nothing to test."
    draws = sum(null.draws for null, _ in cells.values())
    detected = sum(null.detected for null, _ in cells.values())
    rates = [null.detected / null.draws for null, _ in cells.values()]
    return (f"False alarms at the 5 % level: {100 * detected / draws:.1f} % of {draws} null "
            f"draws, {100 * min(rates):.1f} to {100 * max(rates):.1f} % over {len(cells)} cells "
            f"(metric, target, n); {len(faults) or 'none'} outside the simultaneous "
            f"{100 * (1 - FAMILY):.0f} % band, which holds the floors' own error.")


def _mean_line(cells: dict[str, Null], faults: dict[str, str]) -> str:
    if not cells:
        return "Zero means: no signed metric here."
    return (f"Zero means: {len(faults) or 'none'} of {len(cells)} cells of signed metrics have a "
            "null mean that is not zero, at the same simultaneous level.")


def _scale_line(responses: dict[str, ScaleResponse], declared: set[str]) -> str:
    counts = Counter("declared" if r.verdict == "moves" and name in declared else r.verdict
                     for name, r in responses.items())
    sentences = {"fixed": "do not depend on the samples",
                 "grows": "are exempt (the value grows with the distance of far points)",
                 "no contrast": "have their largest value at any distance",
                 "moves": "are estimated from the tested samples",
                 "declared": "are estimated from the tested samples, as their definition says"}
    return "Scales of metrics: " + ", ".join(
        f"{counts[k]} {words}" for k, words in sentences.items() if counts[k]) + "."
