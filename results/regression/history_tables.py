"""Tables of a history: change points, breaks, and the entries that were read."""

from __future__ import annotations

import math
from collections.abc import Sequence

from results.presentation.table import Cell, Column, Table, count, listing, number
from results.regression.change_points import ChangePoint, Name
from results.regression.history import History, cells_text
from results.regression.history_entries import Entry
from results.regression.history_figure import ARROWS
from results.regression.outcome import COST
from results.regression.verdicts import Verdict

_MARKS = {Verdict.WORSE: "fail", Verdict.BETTER: "good", Verdict.LOWER: ""}


def history_tables(made: History) -> list[Table]:
    """Change points, and breaks; only those that there are."""
    return [t for t in (_changes_table(made), _breaks_table(made)) if t.rows]


def _commit(made: History, i: int) -> Cell:
    entry = made.entries[i]
    return Cell(entry.commit, float(i), entry.date.replace("-", "\u2011"))


def _changes_table(made: History) -> Table:
    columns = (Column("sampler", numeric=False), Column("target", numeric=False),
               Column("changed at", "commit", False), Column("after", "commit", False),
               Column("what", numeric=False), Column("metric", "that moved most", False),
               Column("median before"), Column("median after"),
               Column("seeds", "before, after"), Column("p", "adjusted"))
    rows = [(Cell(c.sampler, c.sampler), Cell(c.target, c.target), _commit(made, c.at),
             _commit(made, c.after),
             Cell(f"{ARROWS[c.verdict]}\u00a0{c.what}\u00a0{c.verdict}", c.verdict,
                  mark=_MARKS[c.verdict]),
             Cell(c.metric, c.metric), _median(c, c.old), _median(c, c.new),
             Cell(f"{c.seeds[0]}, {c.seeds[1]}", float(sum(c.seeds))),
             Cell(_p_text(c.adjusted_p), c.adjusted_p))
            for c in sorted(made.found.changes, key=lambda c: (c.at, c.adjusted_p))]
    return Table("changes", "Change points", columns, tuple(rows), notes=(CHANGES_NOTE,))


def _breaks_table(made: History) -> Table:
    reasons: dict[tuple[int, int, str], list[Name]] = {}
    for b in made.found.breaks:
        reasons.setdefault((b.at, b.after, b.reason), []).append(b.name)
    rows = [(_commit(made, at), _commit(made, after), Cell(reason, reason),
             Cell(cells_text(len(names)), float(len(names)),
                  _named(names)))
            for (at, after, reason), names in sorted(reasons.items())]
    return Table("breaks", "Where entries cannot be compared",
                 (Column("from", "commit", False), Column("after", "commit", False),
                  Column("why", numeric=False), Column("cells", numeric=False)), tuple(rows))


def entries_table(made: History) -> Table:
    """What was read, in order."""
    rows = [(Cell(e.commit, float(i), code=True),
             Cell(f"{e.started:%Y-%m-%d %H:%M}", float(i)),
             Cell(str(len(e.snapshot.cells)), float(len(e.snapshot.cells))),
             Cell(_seeds(e), float(len(e.snapshot.seeds))), Cell(e.path.name, e.path.name))
            for i, e in enumerate(made.entries)]
    return Table("entries", "Entries in order of time",
                 (Column("commit", numeric=False), Column("started", "universal time", False),
                  Column("cells"), Column("seeds", "a cell"), Column("file", numeric=False)),
                 tuple(rows), notes=("A + marks uncommitted changes.",))


def _seeds(entry: Entry) -> str:
    sizes = sorted({len(c.seeds) for c in entry.snapshot.cells})
    return str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"


def _named(names: Sequence[Name]) -> str:
    return listing([f"{s} on {t}" for s, t in names]) if len(names) <= 4 else ""


def _median(change: ChangePoint, value: float) -> Cell:
    if not math.isfinite(value):
        return Cell("never reached" if change.what == COST else "failed", value, mark="fail")
    return Cell(count(value) if change.what == COST else number(value), value)


def _p_text(p: float) -> str:
    return number(p, 2) if p >= 1e-6 else "< 10⁻⁶"


CHANGES_NOTE = (
    "Medians: from the change point before to this one, and from this one to the next. Cost: "
    "evaluations to reach a quality that half of these seeds reach. p is multiplied by the number "
    "of splits that were tried on the page; the commit is an estimate, nearby ones are possible.")
