"""Tables of what papers leave open: candidates for samplers and targets, and mode counts."""

from __future__ import annotations

import math

from results.presentation.table import Cell, Column, Table, number, p_value_text, slug
from results.published.candidates import Fit
from results.published.compared import ComparedTable
from results.published.table_file import ModeCounts

_HOW = ("Fit: mean |log(ours / published)| over all figures that have both; the typical factor is "
        "its exponential, 1 for a perfect fit. Candidates that lack figures others have come "
        "last and cannot win. 'Best in' redraws the means of both sides within their standard "
        "errors, independently from figure to figure. Metrics that may be negative have no "
        "logarithm and are left out.")
_COLUMNS = (Column("candidate", numeric=False), Column("typical factor"), Column("figures"),
            Column("best in", "of redraws"))


def best_table(compared: ComparedTable) -> Table | None:
    """The best candidate of each scan and by how much; None where nothing was left open."""
    scans = [scan for scan in compared.candidates.scans if scan.best]
    if not scans:
        return None
    columns = (Column("left open", numeric=False), *_COLUMNS,
               Column("next best", numeric=False), Column("its factor"))
    rows = []
    for i, scan in enumerate(scans):
        tried = f"{len(scan.fits)} of {len(scan.fits) + len(scan.untried)} candidates tried"
        if scan.at_end:
            tried += "\nbest at the end of the list: a better one may lie beyond"
        after = scan.fits[1] if len(scan.fits) > 1 else None
        rows.append((Cell(scan.what, float(i), tried), *_fit(scan.fits[0]),
                     Cell(after.candidate if after else "–"),
                     _fit(after)[1] if after else Cell("–", math.inf)))
    return Table(slug("published", compared.table.key, "best"),
                 f"{compared.table.title}: candidates that fit best", columns, tuple(rows),
                 notes=(_HOW,))


def scan_table(compared: ComparedTable) -> Table | None:
    """Every candidate of every scan, folded."""
    scans = compared.candidates.scans
    if not any(scan.fits for scan in scans):
        return None
    rows = [(Cell(scan.what, scan.what), *_fit(fit)) for scan in scans for fit in scan.fits]
    rows += [(Cell(scan.what, scan.what), Cell(name, name), Cell("no record", math.inf),
              Cell("0", 0.0), Cell("–", math.inf)) for scan in scans for name in scan.untried]
    return Table(slug("published", compared.table.key, "scan"),
                 f"{compared.table.title}: all candidates",
                 (Column("left open", numeric=False), *_COLUMNS), tuple(rows), notes=(_HOW,),
                 folded=True)


def _fit(fit: Fit) -> tuple[Cell, ...]:
    wins = Cell("–", math.inf) if fit.wins is None else Cell(
        f"{100 * fit.wins:.0f} %", -fit.wins)
    return (Cell(fit.candidate, fit.candidate), Cell(number(math.exp(fit.error)), fit.error),
            Cell(str(fit.figures), float(fit.figures)), wins)


def mode_counts_table(compared: ComparedTable) -> Table | None:
    """Mode counts, published and ours seed by seed, with their chi-square; None without any."""
    rows, kinds = [], []
    for counts in compared.table.mode_counts:
        rows.append(_counted("published", counts.group, "–", tuple(map(float, counts.counts)),
                             counts.chi2, counts.p(counts.chi2)))
        kinds.append("floor")
        ours = _ours(compared, counts)
        rows += ours
        kinds += [""] * len(ours)
    if not rows:
        return None
    columns = (Column("whose", numeric=False), Column("target", numeric=False), Column("seed"),
               Column("points a mode", numeric=False), Column("chi-square"), Column("p"))
    return Table(slug("published", compared.table.key, "modes"),
                 f"{compared.table.title}: points a mode", columns, tuple(rows), tuple(kinds),
                 notes=("Pearson's chi-square of the counts against the target's weights, and its "
                        "p-value for independent exact points.",))


def _ours(compared: ComparedTable, counts: ModeCounts) -> list[tuple[Cell, ...]]:
    label, rows = compared.candidates.samplers.get(counts.row.samplers, ""), []
    for target in compared.table.group(counts.group)[0].targets:
        found = compared.values.at(label, target, counts.metric, counts.row.n, counts.row.steps)
        for seed, value, parts in zip(found.seeds, found.values, found.parts, strict=True):
            rows.append(_counted(label, target, str(seed), parts, value, counts.p(value)))
    return rows


def _counted(whose: str, target: str, seed: str, parts: tuple[float, ...], value: float,
             p: float) -> tuple[Cell, ...]:
    listed = " / ".join(f"{part:g}" for part in parts) or "–"
    return (Cell(whose, whose), Cell(target, target), Cell(seed, seed), Cell(listed),
            Cell(number(value), value), Cell(p_value_text(p), p, mark="warn" if p <= 0.05 else ""))
