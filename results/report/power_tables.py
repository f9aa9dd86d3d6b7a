"""Tables of the power of metrics to detect injected defects, from an audit."""

from __future__ import annotations

from collections.abc import Sequence

from results.presentation.table import MISSING, Cell, Column, Table, number
from results.records.audit_file import Audit
from results.report.insensitivity import DETECTED, INSENSITIVE, smallest_detected


def _size_names(sizes: Sequence[int]) -> str:
    return ", ".join(f"{n:,}".replace(",", "\u202f") for n in sizes)


def _smallest_cell(audit: Audit, metric: str, defect: str, sizes: Sequence[int]) -> Cell:
    """The smallest grade detected, one for each n."""
    if defect not in audit.defects or not any(audit.audited(metric, n) for n in sizes):
        return Cell(MISSING)
    texts = []
    for n in sizes:
        texts.append(smallest_detected(audit, metric, defect, n) or "not detected"
                     if audit.audited(metric, n) else MISSING)
    last = audit.power(metric, defect, audit.grades(defect)[-1], sizes[-1])
    share = last.share if last else 0.0
    mark = "fail" if share < INSENSITIVE else "warn" if texts[-1] == "not detected" else ""
    text = texts[0] if len(set(texts)) == 1 else " / ".join(texts)
    hint = f"power {number(share, 2, 2)} at {audit.grades(defect)[-1]}, n = {sizes[-1]}"
    return Cell(text, 1.0 - share, mark=mark, hint=hint)


def power_table(audit: Audit, metrics: Sequence[str], n: int) -> Table:
    """Power of each metric at n points: a row for each grade of each defect."""
    shown = [m for m in metrics if audit.audited(m, n)]
    columns = (Column("defect", numeric=False), Column("strength", numeric=False),
               *(Column(m, hint=audit.title(m)) for m in shown))
    rows = []
    for defect, kind in audit.defects.items():
        for grade, note in kind["grades"].items():
            cells = [Cell(kind["title"]), Cell(f"{grade}, {note}" if note else grade)]
            for metric in shown:
                power = audit.power(metric, defect, grade, n)
                cells.append(Cell(MISSING) if power is None else Cell(
                    number(power.share, 2, 2), power.share, hint=f"{power.draws} draws",
                    mark="good" if power.share >= DETECTED else ""))
            rows.append(tuple(cells))
    return Table(f"power--{audit.target}--{n}", f"{audit.target}: power at n = {n}", columns,
                 tuple(rows), notes=(_draws_note(audit, shown, n),), sortable=False)


def _draws_note(audit: Audit, metrics: Sequence[str], n: int) -> str:
    counts: dict[int, list[str]] = {}
    for metric in metrics:
        entries = [e for grades in audit.metrics[metric]["n"][str(n)]["power"].values()
                   for e in grades.values()]
        if entries:
            counts.setdefault(entries[0][1], []).append(metric)
    counted = "; ".join(f"{draws} for {', '.join(names)}" for draws, names in counts.items())
    return (f"Share of draws with p ≤ 0.05. Draws: {counted or 'none at this n'}. What every draw "
            "detected with fewer points was not drawn again.")


def smallest_table(audit: Audit, metrics: Sequence[str]) -> Table:
    """The smallest defect detected with 90 % power, at each n: a row for each defect."""
    shown = [m for m in metrics if m in audit.metrics]
    rows = tuple((Cell(kind["title"]), *(_smallest_cell(audit, m, defect, audit.sizes)
                                         for m in shown))
                 for defect, kind in audit.defects.items())
    columns = (Column("defect", numeric=False),
               *(Column(m, numeric=False, hint=audit.title(m)) for m in shown))
    return Table(f"smallest--{audit.target}", f"{audit.target}: smallest defect detected with "
                 f"90 % power at n = {_size_names(audit.sizes)}", columns, rows, sortable=False)
