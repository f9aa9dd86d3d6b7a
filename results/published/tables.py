"""Tables of published figures compared with ours: the paper's own table with our verdicts."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from results.presentation.table import Cell, Column, Table, number, plural, slug
from results.published.candidate_tables import best_table, mode_counts_table, scan_table
from results.published.compared import ComparedFigure, ComparedTable, compared_tables
from results.published.table_file import PublishedRow
from results.published.verdict import Verdict
from results.records.frames import Scores
from results.statistics.confidence_interval import INTERVAL_FROM
from results.statistics.null_distribution import band
from results.statistics.p_value import Standing

#: From so many rows on a table is shown as the paper prints it, and its lines stand folded.
MATRIX_FROM = 4
_STANDING = {Standing.FLOOR: "≈ floor", Standing.ABOVE: "> floor", Standing.BELOW: "< floor",
             Standing.UNKNOWN: ""}
HOW = ("How verdicts are computed. agrees: two one-sided Welch tests at 5 % show that our mean "
       "lies within 15 % of the published one. both at the floor: neither mean is significantly "
       "above what exact samples of that size score, so the figure says nothing of either "
       "sampler; it comes before agrees, and leaves two means that are both significantly below "
       "the floor to the other tests. differs: by a two-sided Welch test at 5 % the means differ "
       "significantly, with the ratio ours / published and its 95 % interval (Fieller). "
       "undecided: none of these. One figure in twenty of equal means differs by chance: p-values "
       "are not adjusted for multiple testing. ≈, > and < floor say where the published mean lies "
       "among means of as many draws of the floor.")
_CLOSE = ("close: our mean within 15 % or two published standard deviations of the published one, "
          "whatever the verdict. Faint rows: columns with a known defect.")


def published_tables(scores: Scores) -> list[Table]:
    """All tables of the report's section, in order; empty where the suite names none."""
    made: list[Table | None] = []
    for compared in compared_tables(scores):
        wide = len(compared.table.rows) >= MATRIX_FROM
        lines = lines_table(compared, folded=wide)
        made += [matrix_table(compared)] if wide else [lines]
        made += [counts_table(compared), best_table(compared), mode_counts_table(compared),
                 scan_table(compared), lines if wide else None]
    return [table for table in made if table is not None]


def notes(compared: ComparedTable) -> tuple[str, ...]:
    """Source, known problems, suspect columns and how verdicts are computed."""
    table = compared.table
    said = [f"Source: {table.source}. Spread: {table.spread}."]
    said += [f"Known problem. {text}" for text in table.problems]
    said += [f"{c.name} was {c.suspect}." for c in table.columns if c.suspect]
    said += [f"Not in this run: {', '.join(table.left_out)}."] if table.left_out else []
    chosen = [s.what for s in compared.candidates.scans if len(s.fits) > 1]
    if chosen:
        said.append(f"The candidates for {', '.join(chosen)} were chosen by these very figures: "
                    "their verdicts are kinder than those of settings fixed beforehand.")
    return (*said, HOW)


def verdict_cell(of: ComparedFigure) -> Cell:
    """The verdict in words, its ratio, and below it the interval or the reason."""
    judged = of.judgement
    if judged is None:
        if of.row.samplers:
            return Cell("no record", float(len(Verdict)), f"at n = {of.row.n}")
        return Cell("published only", float(len(Verdict) + 1))
    text, below = str(judged.verdict), [judged.why]
    tested = (Verdict.DIFFERS, Verdict.UNDECIDED, Verdict.AGREES)
    if judged.ratio is not None and judged.verdict in tested:
        text += f" (× {number(judged.ratio)})" if judged.verdict == Verdict.DIFFERS else ""
        below.insert(0, _interval(judged.interval, judged.ratio))
    mark = {Verdict.AGREES: "good", Verdict.DIFFERS: "warn"}.get(
        judged.verdict, "fail" if of.ours.lost else "")
    return Cell(text, judged.verdict.order, "\n".join(filter(None, below)), mark)


def _interval(interval: tuple[float, float] | None, ratio: float) -> str:
    if interval is None:
        return f"ratio {number(ratio)}, without bounds"
    return f"ratio {number(ratio)}, 95 %: {number(interval[0])} to {number(interval[1])}"


def _spread(values: tuple[float, ...]) -> str:
    sd = f" ± {number(float(np.std(values, ddof=1)), 2)}" if len(values) > 1 else ""
    return number(float(np.mean(values))) + sd


def matrix_table(compared: ComparedTable) -> Table:
    """The table as the paper prints it, each figure with its verdict and the three numbers."""
    table, targets = compared.table, compared.candidates.targets
    figures = {(f.row.name, f.column.name): f for f in compared.figures}
    columns = [Column("", numeric=False)]
    columns += [Column(c.name, targets[c.group], False) for c in table.columns]
    rows = [(Cell(row.name, float(i), _sampler_text(compared, row)),
             *(_matrix_cell(figures.get((row.name, c.name))) for c in table.columns))
            for i, row in enumerate(table.rows)]
    return Table(slug("published", table.key), f"{table.title}: published and ours",
                 tuple(columns), tuple(rows), notes=notes(compared), matrix=True)


def _sampler_text(compared: ComparedTable, row: PublishedRow) -> str:
    label, several = compared.candidates.sampler(row), len(row.samplers) > 1
    if several:
        return f"{label}, best of {len(row.samplers)}" if label else "no candidate ran"
    return label


def _matrix_cell(of: ComparedFigure | None) -> Cell:
    if of is None:
        return Cell("–", math.inf)
    verdict = verdict_cell(of)
    lines = [f"published {of.figure.text} {_STANDING[of.standing]}".rstrip()]
    lines += [f"ours {_spread(of.ours.values)}"] if of.ours.values else []
    if of.draws is not None:
        lines.append(f"floor {number(float(of.draws.mean()))}")
    why = of.judgement.why if of.judgement else ""
    return Cell(verdict.text, verdict.order, "\n".join(lines), verdict.mark, why)


def lines_table(compared: ComparedTable, folded: bool) -> Table:
    """One line a published figure and candidate target: published, ours, floor, verdict."""
    columns = (Column("published", "row", False), Column("", "column", False),
               Column("ours", "sampler on target", False), Column("published", "± spread"),
               Column("ours", "± sd over seeds"), Column("floor", "exact samples, same n"),
               Column("verdict", numeric=False))
    rows, kinds = [], []
    for row in compared.table.rows:
        for column in compared.table.columns:
            if column.name not in row.cells:
                continue
            chosen = compared.candidates.targets[column.group]
            for target in column.targets:
                rows.append(_line(compared.figure(row, column, target)))
                kinds.append("" if target == chosen else "muted")
    many = any(len(c.targets) > 1 for c in compared.table.columns)
    faint = ("Faint lines are candidates for a target that fit less well.",) if many else ()
    return Table(slug("published", compared.table.key, "lines"),
                 f"{compared.table.title}: line by line", columns, tuple(rows), tuple(kinds),
                 notes=faint if folded else (*faint, *notes(compared)), folded=folded)


def _line(of: ComparedFigure) -> tuple[Cell, ...]:
    published = Cell(of.figure.text, of.figure.value,
                     "\n".join(filter(None, (_STANDING[of.standing], of.figure.note))))
    where = f"{of.label} on {of.target}" if of.label else f"none, on {of.target}"
    return (Cell(of.row.name, of.row.name), Cell(of.column.name, of.column.name),
            Cell(where, where), published, _ours_cell(of), _floor_cell(of), verdict_cell(of))


def _ours_cell(of: ComparedFigure) -> Cell:
    values = of.ours.values
    if not values:
        return Cell("–", math.inf)
    few = len(values) < INTERVAL_FROM
    points = " · ".join(map(number, values)) if few and len(values) > 1 else ""
    se = number(float(np.std(values, ddof=1)) / len(values)**0.5, 2) if len(values) > 1 else ""
    below = points or f"{plural(len(values), 'seed')}" + (f", se {se}" if se else "")
    return Cell(_spread(values), float(np.mean(values)), below,
                hint=f"seeds {', '.join(map(str, of.ours.seeds))}")


def _floor_cell(of: ComparedFigure) -> Cell:
    if of.draws is None:
        return Cell("–", math.inf, "not stored")
    low, _, high = band(of.draws)
    mean = float(of.draws.mean())
    return Cell(number(mean), mean, f"95 %: {number(low)} to {number(high)}",
                hint=f"{len(of.draws)} draws at n = {of.row.n}")


def counts_table(compared: ComparedTable) -> Table | None:
    """How many figures got which verdict, by family of rows; suspect columns apart."""
    groups: dict[tuple[str, str], list[ComparedFigure]] = {}
    for of in compared.figures:
        suspect = of.column.name if of.column.suspect else ""
        groups.setdefault((of.row.family, suspect), []).append(of)
    if not any(of.reran for of in compared.figures):
        return None
    columns = [Column("rows", numeric=False), Column("figures"), Column("with ours")]
    columns += [Column(verdict) for verdict in Verdict]
    columns += [Column("close", "15 % or two sds"), Column("published above floor", "of judged")]
    order = sorted(groups, key=lambda key: bool(key[1]))
    rows = [_tally(f"{family}, {suspect}" if suspect else family, groups[family, suspect])
            for family, suspect in order]
    rows.append(_tally("all", list(compared.figures)))
    kinds = tuple("muted" if suspect else "" for _, suspect in order) + ("floor",)
    return Table(slug("published", compared.table.key, "counts"),
                 f"{compared.table.title}: verdicts counted", tuple(columns), tuple(rows), kinds,
                 notes=(_CLOSE,))


def _tally(name: str, figures: list[ComparedFigure]) -> tuple[Cell, ...]:
    ours = [of.reran for of in figures if of.reran]
    counts = Counter(found.verdict for found in ours)
    judged = [found for found in ours if found.verdict != Verdict.INCOMPARABLE]
    near = sum(found.close for found in judged)
    floors = [of for of in figures if of.standing != Standing.UNKNOWN]
    above = sum(of.standing == Standing.ABOVE for of in floors)
    lower = sum(found.verdict == Verdict.DIFFERS and (found.ratio or 0.0) < 1 for found in ours)
    below = {Verdict.DIFFERS: f"ours lower in {lower}"} if counts[Verdict.DIFFERS] else {}
    return (Cell(name, name), Cell(str(len(figures)), float(len(figures))),
            Cell(str(len(ours)), float(len(ours))),
            *(Cell(str(counts[v]), float(counts[v]), below.get(v, "")) for v in Verdict),
            Cell(f"{near} of {len(judged)}" if judged else "–", float(near)),
            Cell(f"{above} of {len(floors)}" if floors else "–", float(above)))
