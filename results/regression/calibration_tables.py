"""The committed calibration of the check as tables: false alarms, and which bugs it detects.

``python -m bench.maintain check-calibration`` makes it.
"""

from __future__ import annotations

import json
from typing import Any

from scipy import stats

from bench.core.places import STUDIES
from results.presentation.table import Cell, Column, Table, number, p_value_text
from results.regression.verdicts import CHECK_SEEDS, FRESH_SEEDS

CALIBRATION = STUDIES / "regression_calibration.json"
#: A mutation is harmful where all its seeds against the whole pool are worse with at most this p.
HARM = 0.001


def tables(found: dict[str, Any] | None = None) -> list[Table]:
    """False alarms by stage, and mutations by seeds; of the committed calibration by default."""
    found = found or json.loads(CALIBRATION.read_text(encoding="utf-8"))
    return [_alarms(found), _mutations(found)]


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
            f"{number(100 * found['tolerance'])} %, {CHECK_SEEDS} seeds against "
            f"{found['baseline_seeds'] - CHECK_SEEDS}, "
            f"{FRESH_SEEDS} fresh ones against {found['baseline_seeds']}. In brackets "
            "95 % intervals of the simulation; comparisons share the pool, so that they are not "
            "quite independent.",))


def _mutations(found: dict[str, Any]) -> Table:
    sizes = list(next(iter(found["mutations"].values()))["caught"])
    rows = []
    for name, mutation in found["mutations"].items():
        said = [f"{c['target']}: {c['metric']} {number(c['old'])} → {number(c['new'])}, "
                f"{p_value_text(c['p'])}" + (f", {c['failed']} failed" if c["failed"] else "")
                for c in mutation["cells"]]
        rows.append((Cell(name), Cell(mutation["sampler"]), Cell(_verdict(mutation)),
                     Cell("\n".join(said).replace("\n", "; ")),
                     *(Cell(f"{100 * share:.1f} %", share)
                       for share in mutation["caught"].values())))
    return Table(
        "mutations", "Injected bugs: share of checks that detect them, confirmed",
        (Column("mutation", numeric=False), Column("sampler", numeric=False),
         Column("harmful here", "200 seeds", numeric=False),
         Column("what it does", numeric=False),
         *(Column(f"{k} seeds") for k in sizes)), tuple(rows), notes=(
            f"{found['trials']:,} trials each, against the committed baseline, adjusted as if "
            "every test of the suite took part; the 40 seeds are 45 to 84, not the baseline's. "
            "Shown of each target: the metric that moved most, "
            "medians of the pool and of the mutation.",))


def _verdict(mutation: dict[str, Any]) -> str:
    if mutation["harmful"]:
        return "yes"
    real = any(c["p"] <= HARM for c in mutation["cells"])
    return "less than what counts" if real else "not a regression here"
