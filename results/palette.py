"""One colour, one marker and one dash a sampler, the same in every table and figure.

The colours are Okabe and Ito's (2008) and three of Paul Tol's, chosen to keep 3:1 contrast on
white and on near-black; markers and names carry the same information without colour.
"""

from __future__ import annotations

from results.folder import Run

COLOURS = ("#0077bb", "#d55e00", "#009e73", "#cc6699", "#b8860b", "#3a9ad9", "#8f63c9", "#a05a2c",
           "#e0457b", "#5f8f1f", "#4f7f8f", "#b04fc0")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*")
GREY = "#808081"


def _place(run: Run, label: str) -> int | None:
    return run.ranked.index(label) if label in run.ranked else None


def colour(run: Run, label: str) -> str:
    """The sampler's colour; controls are grey."""
    place = _place(run, label)
    return GREY if place is None else COLOURS[place % len(COLOURS)]


def marker(run: Run, label: str) -> str:
    """The sampler's marker; controls have none."""
    place = _place(run, label)
    return "" if place is None else MARKERS[place % len(MARKERS)]


#: The markers as characters, for legends and tables.
GLYPHS = dict(zip(MARKERS, "●■▲◆▼✚✖◀▶⬟⬢★", strict=True))


def glyph(run: Run, label: str) -> str:
    """The sampler's marker as a character."""
    return GLYPHS.get(marker(run, label), "–")
