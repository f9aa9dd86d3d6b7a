"""What published tables and ours say together, in computed sentences."""

from __future__ import annotations

import math
from collections import Counter

from results.presentation.table import number, plural
from results.published.compared import ComparedTable, compared_tables
from results.published.verdict import Verdict
from results.records.frames import Scores
from results.statistics.p_value import Standing

_VERDICT = {Verdict.AGREES: "agree within 15 %", Verdict.BOTH: "are both at the floor",
            Verdict.DIFFERS: "differ", Verdict.UNDECIDED: "are undecided",
            Verdict.INCOMPARABLE: "cannot be compared"}


def published_sentences(scores: Scores) -> list[str]:
    """Two or three computed sentences a table: verdicts, candidates, what the floor leaves."""
    said = []
    for compared in compared_tables(scores):
        texts = (_verdicts(compared), _candidates(compared), _floor(compared))
        said += [text for text in texts if text]
    return said


def _verdicts(compared: ComparedTable) -> str:
    found = [of.reran for of in compared.figures if of.reran]
    if not found:
        return f"{compared.table.title}: this run has no value for any of its figures yet."
    counts = Counter(judged.verdict for judged in found)
    parts = ", ".join(f"{counts[v]} {_VERDICT[v]}" for v in Verdict if counts[v])
    judged = len(found) - counts[Verdict.INCOMPARABLE]
    near = sum(of.close for of in found)
    return (f"{compared.table.title}: of {plural(len(found), 'figure')} that we reran, {parts}; "
            f"{near} of {judged} lie within 15 % or two published standard deviations.")


def _candidates(compared: ComparedTable) -> str:
    parts = []
    for scan in compared.candidates.scans:
        if scan.best is None:
            continue
        second = f", next {scan.fits[1].candidate} ({_factor(scan.fits[1].error)})" if len(
            scan.fits) > 1 else ""
        end = ", at the end of the list" if scan.at_end else ""
        parts.append(f"{scan.what}: {scan.best.candidate} "
                     f"(typical factor {_factor(scan.best.error)}{second}{end})")
    return f"Best fitting candidates. {'; '.join(parts)}." if parts else ""


def _factor(error: float) -> str:
    return number(math.exp(error))


def _floor(compared: ComparedTable) -> str:
    floors = [of for of in compared.figures if of.standing != Standing.UNKNOWN]
    if not floors:
        return ""
    at = Counter(of.standing for of in floors)
    below = at[Standing.BELOW]
    low = f", {below} of them lie below it" if below else ""
    return (f"{at[Standing.FLOOR] + below} of {plural(len(floors), 'published figure')} are not "
            f"significantly above what exact samples of that size score{low}: the table cannot "
            "rank these.")
