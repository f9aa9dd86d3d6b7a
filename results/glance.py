"""The glance: sampler by target in one table, for whoever reads nothing else."""

from __future__ import annotations

from results.content import Cell, Column, Table, number
from results.frames import Scores
from results.tables import failure_word, name_cell

#: What a cell says where a score cannot be told from the floor, or lies below it.
MARK_TEXT = {"floor": "≈ floor", "below": "≤ floor"}


def share_left(scores: Scores, label: str, target: str, metric: str) -> float | None:
    """Excess over the floor as a share of the ceiling's (``prior``); None where either lacks."""
    score = scores.final(label, target, metric)
    ceilings = [s for c in scores.run.labels if scores.run.sampler(c)["name"] == "prior"
                and (s := scores.final(c, target, metric))]
    if score is None or score.draws is None or not ceilings or ceilings[0].excess <= 0:
        return None
    return score.excess / ceilings[0].excess


def glance(scores: Scores, metric: str) -> Table:
    """Sampler by target: at the floor, or how much of the ceiling's excess is left."""
    run = scores.run
    columns = [Column("sampler", numeric=False), *(Column(t) for t in run.targets)]
    rows = []
    for label in run.ranked:
        rows.append((name_cell(run, label), *(_glance_cell(scores, label, t, metric)
                                              for t in run.targets)))
    return Table("glance", f"At a glance: {run.metric(metric)['title']} at the end of the budget",
                 tuple(columns), tuple(rows), matrix=True)


def _glance_cell(scores: Scores, label: str, target: str, metric: str) -> Cell:
    run = scores.run
    score = scores.final(label, target, metric)
    bad = scores.failed(label, target)
    lost = [f"{bad} of {len(run.of(label, target))} failed"] if bad else []
    missing = scores.final(label, target, "missing_modes")
    if missing is not None and missing.verdict in ("above", "unknown") and missing.mean > 0:
        lost.append(f"misses {number(missing.mean, 2)} {'mode' if missing.mean == 1 else 'modes'}")
    if not any(j.status == "ok" for j in run.of(label, target)):
        return Cell(failure_word(run, label, target), 1e9, mark="fail")
    if scores.lost(label, target, metric):
        return Cell("not finite", 1e9, "; ".join(lost), "fail")
    if score is None or score.draws is None:
        known = score is not None and any(k[:2] == (target, metric) for k in run.draws)
        return Cell(f"no floor at n = {score.n}" if score and known else "no floor", 1e9,
                    "; ".join(lost))
    if score.verdict == "floor" or score.verdict == "below":
        return Cell(MARK_TEXT[score.verdict], 0.0, "; ".join(lost),
                    "warn" if lost else "good")
    share = share_left(scores, label, target, metric)
    if share is None:
        return Cell("above floor", score.mean, "; ".join(lost))
    return Cell(f"{number(100 * share, 2)} %", share, "; ".join(lost),
                "fail" if bad else "warn" if lost else "")
