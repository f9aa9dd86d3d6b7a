"""The overview: sampler by target in one table, for whoever reads nothing else."""

from __future__ import annotations

from results.presentation.sampler_cells import failure_word, inactive_words, left_words, name_cell
from results.presentation.table import Cell, Column, Table, number
from results.records.endings import ending
from results.records.frames import NOT_FINITE, Scores

#: What a cell says where a score is indistinguishable from the floor, or lies below it.
MARK_TEXT = {"floor": "≈ floor", "below": "≤ floor"}


def share_left(scores: Scores, label: str, target: str, metric: str) -> float | None:
    """Excess over the floor as a share of the ceiling's (``initial``); None where either lacks."""
    score = scores.final(label, target, metric)
    ceilings = [s for c in scores.run.labels if scores.run.sampler(c)["name"] == "initial"
                and (s := scores.final(c, target, metric))]
    if score is None or score.excess is None or not ceilings or not ceilings[0].excess:
        return None
    return score.excess / ceilings[0].excess


def overview(scores: Scores, metric: str) -> Table:
    """Sampler by target: at the floor, or how much of the ceiling's excess is left."""
    run = scores.run
    columns = [Column("sampler", numeric=False), *(Column(t) for t in run.targets)]
    rows = []
    for label in run.ranked:
        rows.append((name_cell(run, label), *(_overview_cell(scores, label, t, metric)
                                              for t in run.targets)))
    return Table("overview", f"Overview: {run.metric(metric)['title']} at the end of the budget",
                 tuple(columns), tuple(rows), matrix=True)


def _overview_cell(scores: Scores, label: str, target: str, metric: str) -> Cell:
    run = scores.run
    score = scores.final(label, target, metric)
    bad, lost = scores.failed(label, target), _remarks(scores, label, target, metric)
    said = "; ".join(lost)
    if not any(ending(j) == "ok" for j in run.of(label, target)):
        return Cell(failure_word(run, label, target), 1e9, "; ".join(lost[1:]), "fail")
    if scores.lost(label, target, metric):
        return Cell(NOT_FINITE, 1e9, said, "fail")
    if score is None:
        left = scores.left_out(label, target, metric)
        return Cell("not scored" if left else "no floor", 1e9, said, "fail" if left else "")
    if score.floor is None:
        why = scores.no_floor(target, metric, score.n)
        return Cell(why or "no floor", 1e9, said, "warn" if why else "")
    if score.verdict in MARK_TEXT:
        return Cell(MARK_TEXT[score.verdict], 0.0, said, "warn" if lost else "good")
    share = share_left(scores, label, target, metric)
    if share is None:
        return Cell("above floor", score.mean, said)
    return Cell(f"{number(100 * share, 2)} %", share, said,
                "fail" if bad else "warn" if lost else "")


def _remarks(scores: Scores, label: str, target: str, metric: str) -> list[str]:
    """What a cell's number hides: failed jobs first, seeds left out, lost modes, inactive jobs."""
    bad, jobs = scores.failed(label, target), scores.run.of(label, target)
    said = [f"{bad} of {len(jobs)} failed"] if bad else []
    left = {s: why for s, why in scores.left_out(label, target, metric).items()
            if why != NOT_FINITE}
    said += [left_words(left)] if left else []
    missing = scores.final(label, target, "missing_modes")
    if missing is not None and missing.verdict in ("above", "unknown") and missing.mean > 0:
        said.append(f"misses {number(missing.mean, 2)} {'mode' if missing.mean == 1 else 'modes'}")
    return said + inactive_words(jobs)
