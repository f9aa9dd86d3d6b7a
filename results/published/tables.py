"""Tables of published figures beside ours: the paper's own table with verdicts, cell by cell."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from results.presentation.table import Cell, Column, Table, number, plural, slug
from results.published.cells import Beside, PublishedCell, Values
from results.published.scans import best_table, counts_of_modes, scan_table
from results.published.table import PublishedRow, published_table
from results.published.verdict import AGREES, DIFFERS, INCOMPARABLE, UNDECIDED, VERDICTS
from results.records.frames import Scores
from results.statistics.confidence_interval import INTERVAL_FROM
from results.statistics.null_distribution import band

#: From so many rows on a table is shown as the paper prints it, and its lines stand folded.
MATRIX_FROM = 4
_PLACES = {"floor": "≈ floor", "above": "> floor", "below": "< floor", "unknown": ""}
HOW = ("How verdicts are computed. agrees: two one-sided Welch tests at 5 % put our mean within "
       "15 % of the published one. both at the floor: neither mean is told above what exact "
       "samples of that size score, so the cell says nothing of either sampler; it comes before "
       "agrees, and leaves two means that are both told below the floor to the other tests. "
       "differs: a two-sided Welch test at 5 % tells the means apart, with the ratio ours "
       "/ published and its 95 % interval (Fieller). undecided: none of these. One cell in twenty "
       "of equal means is told apart by chance: no correction is made for their number. ≈, > and "
       "< floor say where the published mean lies among means of as many draws of the floor.")


def joined(scores: Scores) -> list[Beside]:
    """The run beside each table that its suite names; ReportError for a name without a file."""
    values = Values(scores.run)
    return [Beside(published_table(str(name)).of(scores.run.targets), scores.run, values)
            for name in scores.run.suite.get("published") or ()]


def published_tables(scores: Scores) -> list[Table]:
    """All tables of the report's section, in order; empty where the suite names none."""
    made: list[Table | None] = []
    for beside in joined(scores):
        wide = len(beside.table.rows) >= MATRIX_FROM
        lines = lines_table(beside, folded=wide)
        made += [matrix_table(beside)] if wide else []
        made += [] if wide else [lines]
        made += [counts_table(beside), best_table(beside), counts_of_modes(beside),
                 scan_table(beside), lines if wide else None]
    return [table for table in made if table is not None]


def notes(beside: Beside) -> tuple[str, ...]:
    """Source, known problems, suspect columns and how verdicts are computed."""
    table = beside.table
    said = [f"Source: {table.source}. Spread: {table.spread}."]
    said += [f"Known problem. {text}" for text in table.problems]
    said += [f"{c.name} was {c.suspect}." for c in table.columns if c.suspect]
    said += [f"Not in this run: {', '.join(table.left_out)}."] if table.left_out else []
    chosen = [s.what for s in beside.scans if len(s.fits) > 1]
    if chosen:
        said.append(f"The candidates for {', '.join(chosen)} were chosen by these very figures: "
                    "their verdicts are kinder than those of settings fixed beforehand.")
    return (*said, HOW)


def verdict_cell(cell: PublishedCell) -> Cell:
    """The verdict in words, its ratio, and below it the interval or the reason."""
    found = cell.judgement
    if found is None:
        if cell.row.samplers:
            return Cell("no record", float(len(VERDICTS)), f"at n = {cell.row.n}")
        return Cell("published only", float(len(VERDICTS) + 1))
    text, below = found.verdict, [found.why]
    if found.ratio is not None and found.verdict in (DIFFERS, UNDECIDED, AGREES):
        text += f" (× {number(found.ratio)})" if found.verdict == DIFFERS else ""
        below.insert(0, _interval(found.interval, found.ratio))
    mark = {AGREES: "good", DIFFERS: "warn"}.get(found.verdict, "fail" if cell.found.lost else "")
    return Cell(text, float(VERDICTS.index(found.verdict)), "\n".join(filter(None, below)), mark)


def _interval(interval: tuple[float, float] | None, ratio: float) -> str:
    if interval is None:
        return f"ratio {number(ratio)}, without bounds"
    return f"ratio {number(ratio)}, 95 %: {number(interval[0])} to {number(interval[1])}"


def _spread(values: tuple[float, ...]) -> str:
    sd = f" ± {number(float(np.std(values, ddof=1)), 2)}" if len(values) > 1 else ""
    return number(float(np.mean(values))) + sd


def matrix_table(beside: Beside) -> Table:
    """The table as the paper prints it, each cell with its verdict and the three numbers."""
    table = beside.table
    cells = {(c.row.name, c.column.name): c for c in beside.cells}
    columns = [Column("", numeric=False)]
    columns += [Column(c.name, beside.targets[c.group], False) for c in table.columns]
    rows = [(Cell(row.name, float(i), _whose(beside, row)),
             *(_entry(cells.get((row.name, c.name))) for c in table.columns))
            for i, row in enumerate(table.rows)]
    return Table(slug("published", table.key), f"{table.title}: published beside ours",
                 tuple(columns), tuple(rows), notes=notes(beside), matrix=True)


def _whose(beside: Beside, row: PublishedRow) -> str:
    label, several = beside.sampler(row), len(row.samplers) > 1
    if several:
        return f"{label}, best of {len(row.samplers)}" if label else "no candidate ran"
    return label


def _entry(cell: PublishedCell | None) -> Cell:
    if cell is None:
        return Cell("–", math.inf)
    verdict = verdict_cell(cell)
    lines = [f"published {cell.figure.text} {_PLACES[cell.place]}".rstrip()]
    lines += [f"ours {_spread(cell.found.values)}"] if cell.found.values else []
    if cell.draws is not None:
        lines.append(f"floor {number(float(cell.draws.mean()))}")
    why = cell.judgement.why if cell.judgement else ""
    return Cell(verdict.text, verdict.order, "\n".join(lines), verdict.mark, why)


def lines_table(beside: Beside, folded: bool) -> Table:
    """One line a published figure and candidate target: published, ours, floor, verdict."""
    columns = (Column("published", "row", False), Column("", "column", False),
               Column("ours", "sampler on target", False), Column("published", "± spread"),
               Column("ours", "± sd over seeds"), Column("floor", "exact samples, same n"),
               Column("verdict", numeric=False))
    rows, kinds = [], []
    for row in beside.table.rows:
        for column in beside.table.columns:
            if column.name not in row.cells:
                continue
            for target in column.targets:
                rows.append(_line(beside.cell(row, column, target)))
                kinds.append("" if target == beside.targets[column.group] else "muted")
    many = any(len(c.targets) > 1 for c in beside.table.columns)
    faint = ("Faint lines are candidates for a target that fit less well.",) if many else ()
    return Table(slug("published", beside.table.key, "lines"),
                 f"{beside.table.title}: line by line", columns, tuple(rows), tuple(kinds),
                 notes=faint if folded else (*faint, *notes(beside)), folded=folded)


def _line(cell: PublishedCell) -> tuple[Cell, ...]:
    values, place = cell.found.values, _PLACES[cell.place]
    ours, floor = Cell("–", math.inf), Cell("–", math.inf, "not stored")
    if values:
        few = len(values) < INTERVAL_FROM
        points = " · ".join(map(number, values)) if few and len(values) > 1 else ""
        se = number(float(np.std(values, ddof=1)) / len(values)**0.5, 2) if len(values) > 1 else ""
        below = points or f"{plural(len(values), 'seed')}" + (f", se {se}" if se else "")
        ours = Cell(_spread(values), float(np.mean(values)), below,
                    hint=f"seeds {', '.join(map(str, cell.found.seeds))}")
    if cell.draws is not None:
        low, _, high = band(cell.draws)
        mean = float(cell.draws.mean())
        floor = Cell(number(mean), mean, f"95 %: {number(low)} to {number(high)}",
                     hint=f"{len(cell.draws)} draws at n = {cell.row.n}")
    published = Cell(cell.figure.text, cell.figure.value,
                     "\n".join(filter(None, (place, cell.figure.note))))
    where = f"{cell.label} on {cell.target}" if cell.label else f"none, on {cell.target}"
    return (Cell(cell.row.name, cell.row.name), Cell(cell.column.name, cell.column.name),
            Cell(where, where), published, ours, floor, verdict_cell(cell))


def counts_table(beside: Beside) -> Table | None:
    """How many cells got which verdict, by family of rows; suspect columns apart."""
    groups: dict[tuple[str, str], list[PublishedCell]] = {}
    for cell in beside.cells:
        suspect = cell.column.name if cell.column.suspect else ""
        groups.setdefault((cell.row.family, suspect), []).append(cell)
    if not any(c.reran for c in beside.cells):
        return None
    columns = [Column("rows", numeric=False), Column("figures"), Column("with ours")]
    columns += [Column(verdict) for verdict in VERDICTS]
    columns += [Column("close", "15 % or two sds"), Column("published above floor", "of judged")]
    order = sorted(groups, key=lambda key: bool(key[1]))
    rows = [_tally(f"{family}, {suspect}" if suspect else family, groups[family, suspect])
            for family, suspect in order]
    rows.append(_tally("all", list(beside.cells)))
    kinds = tuple("muted" if suspect else "" for _, suspect in order) + ("floor",)
    return Table(slug("published", beside.table.key, "counts"),
                 f"{beside.table.title}: verdicts counted", tuple(columns), tuple(rows), kinds,
                 notes=("close: our mean within 15 % or two published standard deviations of the "
                        "published one, whatever the verdict. Faint rows: columns with a known "
                        "defect.",))


def _tally(name: str, cells: list[PublishedCell]) -> tuple[Cell, ...]:
    ours = [c.reran for c in cells if c.reran]
    counts = Counter(found.verdict for found in ours)
    judged = [found for found in ours if found.verdict != INCOMPARABLE]
    near = sum(found.close for found in judged)
    floors = [c for c in cells if c.place != "unknown"]
    above = sum(c.place == "above" for c in floors)
    lower = sum(found.verdict == DIFFERS and (found.ratio or 0.0) < 1 for found in ours)
    below = {DIFFERS: f"ours lower in {lower}"} if counts[DIFFERS] else {}
    return (Cell(name, name), Cell(str(len(cells)), float(len(cells))),
            Cell(str(len(ours)), float(len(ours))),
            *(Cell(str(counts[v]), float(counts[v]), below.get(v, "")) for v in VERDICTS),
            Cell(f"{near} of {len(judged)}" if judged else "–", float(near)),
            Cell(f"{above} of {len(floors)}" if floors else "–", float(above)))
