"""A run of one sampler's variants as one table: a row a variant, three columns a target."""

from __future__ import annotations

import math

import numpy as np

from results.acceptance.observed import RunReader
from results.presentation.table import MISSING, Cell, Column, Table, number
from results.records.run_folder import Run
from results.statistics.null_distribution import LEVEL

#: Metric, heading, factor, decimals, and whether the signed error (``parts[0]``) is meant.
COLUMNS = (("mmd", "MMD² × 10⁴", 1e4, 1, False), ("mode_tv", "TV", 1.0, 3, False),
           ("cov_trace", "trace", 1.0, 2, True))


def variants_table(run: Run, caption: str) -> Table:
    """Means over seeds; MMD²: how many are as exact samples; TV: how many lost a mode."""
    reader = RunReader(run, int(run.suite["n"]))
    columns = [Column("variant", numeric=False)]
    for target in run.targets:
        columns += [Column(f"{target}: {title}" if i == 0 else title)
                    for i, (_, title, *_) in enumerate(COLUMNS)]
    rows = [(Cell(label, code=True),
             *(_cell(reader, label, t, *column) for t in run.targets for column in COLUMNS),
             _seconds(reader, label)) for label in run.labels]
    return Table("variants", caption, (*columns, Column("s")), tuple(rows),
                 sortable=False)


def _cell(reader: RunReader, label: str, target: str, metric: str, title: str, factor: float,
          decimals: int, signed: bool) -> Cell:
    observed = reader.metric(label, target, metric, signed)
    if not observed.values:
        return Cell(", ".join(dict.fromkeys(observed.failed.values())) or MISSING, math.inf)
    mean = float(observed.array.mean()) * factor
    text = f"{mean:{'+' if signed else ''}.{decimals}f}" if abs(mean) < 1000 else number(mean)
    notes = [f"{len(observed.failed)} failed"] if observed.failed else []
    if metric == "mmd" and len(observed.p_values):
        notes.insert(0, str(int((observed.p_values > LEVEL).sum())))
    if metric == "mode_tv":
        lost = int((reader.metric(label, target, "missing_modes").array > 0).sum())
        notes += [f"{lost} lost a mode"] if lost else []
    return Cell(text + (f" ({', '.join(notes)})" if notes else ""), mean)


def _seconds(reader: RunReader, label: str) -> Cell:
    """CPU seconds of training and one draw: the mean over targets and seeds."""
    found = np.concatenate([reader.cost(label, t, "seconds").array for t in reader.run.targets])
    return Cell(f"{found.mean():.0f}", float(found.mean())) if len(found) else Cell(MISSING)
