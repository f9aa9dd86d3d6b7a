"""A run of ``drifting_ablation`` as one table: a row a variant, three columns a target."""

from __future__ import annotations

import math

import numpy as np

from results.bars.seen import Reader, Seen
from results.content import MISSING, Cell, Column, Table, number
from results.floors import LEVEL
from results.folder import Run

#: Metric, heading, factor, decimals, and whether the signed error (``parts[0]``) is meant.
COLUMNS = (("mmd", "MMD² × 10⁴", 1e4, 1, False), ("mode_tv", "TV", 1.0, 3, False),
           ("cov_trace", "trace", 1.0, 2, True))


def ablation_table(run: Run) -> Table:
    """Means over seeds; with MMD² the seeds that cannot be told from exact samples."""
    reader = Reader(run, int(run.suite["n"]))
    columns = [Column("variant", numeric=False)]
    for target in run.targets:
        columns += [Column(f"{target}: {title}" if i == 0 else title)
                    for i, (_, title, *_) in enumerate(COLUMNS)]
    rows = [(Cell(f"`{label}`"), *(_cell(reader.metric(label, target, metric, signed), metric,
                                         factor, decimals)
                                   for target in run.targets
                                   for metric, _, factor, decimals, signed in COLUMNS),
             Cell(f"{_seconds(reader, label):.0f}")) for label in run.labels]
    return Table("ablation", "Each part on and off", (*columns, Column("s")), tuple(rows),
                 sortable=False)


def _cell(seen: Seen, metric: str, factor: float, decimals: int) -> Cell:
    if seen.failed and not seen.values:
        return Cell(", ".join(dict.fromkeys(seen.failed.values())), math.inf)
    if not seen.values:
        return Cell(MISSING, math.inf)
    mean = float(seen.array.mean()) * factor
    text = f"{mean:.{decimals}f}" if abs(mean) < 1000 else number(mean)
    dead = f", {len(seen.failed)} failed" if seen.failed else ""
    if metric == "mmd" and seen.draws is not None:
        return Cell(f"{text} ({int((seen.ps > LEVEL).sum())}{dead})", mean)
    sign = "+" if metric == "cov_trace" and mean >= 0 else ""
    return Cell(sign + text + dead, mean)


def _seconds(reader: Reader, label: str) -> float:
    """CPU seconds of training and one draw: the mean over targets and seeds."""
    found = [reader.cost(label, target, "seconds").array for target in reader.run.targets]
    return float(np.mean(np.concatenate(found)))
