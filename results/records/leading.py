"""Which metrics lead: the columns of a target's main table, and the one that ranks."""

from __future__ import annotations

from results.records.frames import Scores

#: What the main table of a target shows; all other metrics stand folded below it.
MAIN = ("mmd", "w2", "ksd", "mode_tv", "missing_modes")


def primary(scores: Scores) -> str:
    """The metric that ranks: MMD where it was scored, else the first of the run's."""
    order = [m for m in ("mmd", "sliced_w2", "w2", "ksd") if m in scores.metrics]
    return (order + list(scores.metrics) + ["mmd"])[0]


#: Metrics that have curves in the report, where a run scored them.
CURVES = ("mmd", "w2")
