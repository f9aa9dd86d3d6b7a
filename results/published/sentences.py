"""What published tables and ours say together, in computed sentences."""

from __future__ import annotations

import math
from collections import Counter

from results.presentation.table import number, plural
from results.published.cells import Beside
from results.published.tables import joined
from results.published.verdict import AGREES, BOTH, DIFFERS, INCOMPARABLE, UNDECIDED, VERDICTS
from results.records.frames import Scores


def published_sentences(scores: Scores) -> list[str]:
    """Two or three computed sentences a table: verdicts, candidates, what the floor leaves."""
    said = []
    for beside in joined(scores):
        said += [text for text in (_verdicts(beside), _candidates(beside), _floor(beside)) if text]
    return said


def _verdicts(beside: Beside) -> str:
    found = [c.reran for c in beside.cells if c.reran]
    if not found:
        return f"{beside.table.title}: nothing of ours stands beside it yet."
    counts = Counter(j.verdict for j in found)
    words = {AGREES: "agree within 15 %", BOTH: "are both at the floor", DIFFERS: "differ",
             UNDECIDED: "are undecided", INCOMPARABLE: "cannot be compared"}
    parts = ", ".join(f"{counts[v]} {words[v]}" for v in VERDICTS if counts[v])
    judged = len(found) - counts[INCOMPARABLE]
    near = sum(j.close for j in found)
    return (f"{beside.table.title}: of {plural(len(found), 'figure')} that we reran, {parts}; "
            f"{near} of {judged} lie within 15 % or two published standard deviations.")


def _candidates(beside: Beside) -> str:
    parts = []
    for scan in beside.scans:
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


def _floor(beside: Beside) -> str:
    floors = [c for c in beside.cells if c.place != "unknown"]
    if not floors:
        return ""
    at = Counter(c.place for c in floors)
    low = f", {at['below']} of them lie below it" if at["below"] else ""
    return (f"{at['floor'] + at['below']} of {plural(len(floors), 'published figure')} cannot be "
            f"told above what exact samples of that size score{low}: among these the table "
            "cannot rank.")
