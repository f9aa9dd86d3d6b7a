"""The calibration of the check as tables: how often it errs, and which mistakes it catches."""

from __future__ import annotations

import json
from typing import Any

from scipy import stats

from results.presentation.table import Cell, Column, Table, chance, number
from results.regression import calibration


def tables(found: dict[str, Any] | None = None) -> list[Table]:
    """False alarms by stage, and drills by seeds; of the committed calibration by default."""
    found = found or json.loads(calibration.FILE.read_text(encoding="utf-8"))
    return [_alarms(found), _drills(found)]


def _share(hits: int, of: int) -> Cell:
    bounds = stats.binomtest(hits, of).proportion_ci(0.95, "exact")
    return Cell(f"{number(100 * hits / of, 2)} %", hits / of,
                f"{number(100 * bounds.low, 2)} to {number(100 * bounds.high, 2)} %")


def _alarms(found: dict[str, Any]) -> Table:
    names = {"random": "45 random seeds of the pool", "committed": "the committed one"}
    rows = tuple((Cell(names[k]), Cell(f"{found['comparisons']:,}"),
                  *(_share(hits, found["comparisons"]) for hits in counts))
                 for k, counts in found["false_alarms"].items())
    return Table(
        "alarms", "False alarms of a whole check: any cell called worse though nothing changed",
        (Column("baseline", numeric=False), Column("comparisons"),
         Column("tests alone", "Holm"), Column("and large enough"), Column("and confirmed")),
        rows, notes=(
            f"Suite {found['suite']}, {found['cells']} cells, {found['pool_seeds']} real seeds "
            f"each of commit {str(found['pool_commit'])[:12]} ({found['failed_seeds']} of them "
            f"failed); alpha {number(100 * found['alpha'])} %, tolerance "
            f"{number(100 * found['tolerance'])} %, {calibration.CHECK_SEEDS} seeds against "
            f"{found['baseline_seeds'] - calibration.CHECK_SEEDS}, "
            f"{calibration.FRESH_SEEDS} fresh ones against {found['baseline_seeds']}. In brackets "
            "95 % intervals of the simulation; comparisons share the pool, so that they are not "
            "quite independent.",))


def _drills(found: dict[str, Any]) -> Table:
    rows = []
    for name, drill in found["drills"].items():
        said = [f"{c['target']}: {c['metric']} {number(c['old'])} → {number(c['new'])}, "
                f"{chance(c['p'])}" + (f", {c['failed']} failed" if c["failed"] else "")
                for c in drill["cells"]]
        rows.append((Cell(name), Cell(drill["sampler"]), Cell(_verdict(drill)),
                     Cell("\n".join(said).replace("\n", "; ")),
                     *(Cell(f"{100 * drill['caught'][str(k)]:.1f} %", drill["caught"][str(k)])
                       for k in calibration.SIZES)))
    return Table(
        "drills", "Planted mistakes: share of checks that catch them, confirmed",
        (Column("drill", numeric=False), Column("sampler", numeric=False),
         Column("harmful here", "200 seeds", numeric=False),
         Column("what it does", numeric=False),
         *(Column(f"{k} seeds") for k in calibration.SIZES)), tuple(rows), notes=(
            f"{found['trials']:,} trials each, against the committed baseline, corrected as if "
            "every test of the suite took part; the 40 seeds are 45 to 84, not the baseline's. "
            "Shown of each target: the metric that moved most, "
            "medians of the pool and of the drill.",))


def _verdict(drill: dict[str, Any]) -> str:
    if drill["harmful"]:
        return "yes"
    real = any(c["p"] <= calibration.HARM for c in drill["cells"])
    return "less than what counts" if real else "not a regression here"
