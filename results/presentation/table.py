"""What is shown, before it is known where: tables of cells, and how numbers are written.

HTML, Markdown and the terminal render the same tables, so that they cannot disagree.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

from results.records.schema import joined

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
MISSING = "–"


@dataclass(frozen=True)
class Cell:
    """One entry: what stands there, a mark, its key in sorting, and lines below it.

    ``seeds`` holds the values of each seed or another remark, a line each.
    ``mark`` is ``floor``, ``below``, ``fail``, ``warn``, ``good`` or nothing; ``order`` sorts
    (None sorts last); ``link`` is the id of the row that says how to reproduce it; ``sampler`` is
    the label of the sampler whose row this cell opens, for the page's filter.
    """

    text: str
    order: float | str | None = None
    seeds: str = ""
    mark: str = ""
    hint: str = ""
    link: str = ""
    swatch: str = ""
    glyph: str = ""
    sampler: str = ""
    code: bool = False


@dataclass(frozen=True)
class Column:
    """A heading, a second line (unit, n) and whether numbers stand below."""

    title: str
    sub: str = ""
    numeric: bool = True
    hint: str = ""


@dataclass(frozen=True)
class Table:
    """A captioned table; ``kinds`` names each row's kind (``floor``, ``muted`` or nothing)."""

    kind: ClassVar[str] = "table"
    key: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    kinds: tuple[str, ...] = ()
    anchors: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    folded: bool = False
    matrix: bool = False
    sortable: bool = True
    lines: tuple[tuple[str, str, tuple[Cell, ...]], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        kinds = self.kinds or ("",) * len(self.rows)
        anchors = self.anchors or ("",) * len(self.rows)
        object.__setattr__(self, "lines", tuple(zip(kinds, anchors, self.rows, strict=True)))


#: What each mark says in words, after the number it belongs to.
MARKS = {"floor": "≈ floor", "below": "↓ below floor", "fail": "", "warn": "", "good": "", "": ""}


def power(exponent: int) -> str:
    """10 to an exponent, written out."""
    return "10" + str(exponent).translate(_SUPERSCRIPTS)


def number(value: float | None, digits: int = 3, decimals: int = 99) -> str:
    """A number with so many significant digits, and at most so many decimals.

    Powers of ten beyond 1e6, and below 1e-4 where decimals are not limited.
    """
    if value is None or not math.isfinite(value):
        return MISSING
    if value == 0:
        return "0"
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2])
    if exponent >= 6 or (exponent < -4 and decimals == 99):
        mantissa = f"{value:.{digits - 1}e}".partition("e")[0]
        return f"{mantissa}×{power(exponent)}".replace("-", "−", 1)
    text = f"{value:.{min(max(digits - 1 - exponent, 0), decimals)}f}"
    return text.lstrip("-") if not float(text) else text.replace("-", "−")


def p_value_text(p: float) -> str:
    """A p-value: two digits, and only a bound where resampling cannot say more."""
    return "p < 0.001" if p < 0.001 else f"p {number(p, 2)}"


def count(value: float | None) -> str:
    """A number of evaluations: 950, 45.6k, 1.23M, 4.5G."""
    if value is None or not math.isfinite(value):
        return MISSING
    for limit, divisor, suffix in ((1e4, 1.0, ""), (1e6, 1e3, "k"), (1e9, 1e6, "M")):
        if abs(value) < limit:
            return f"{value:.0f}" if not suffix else f"{number(value / divisor)}{suffix}"
    return f"{number(value / 1e9)}G"


def duration(value: float | None) -> str:
    """Seconds as a person says them."""
    if value is None or not math.isfinite(value):
        return MISSING
    if value == 0:
        return "0 s"
    for limit, divisor, unit in ((1e-3, 1e-6, "µs"), (1.0, 1e-3, "ms"), (600.0, 1.0, "s")):
        if abs(value) < limit:
            return f"{number(value / divisor)}\u00a0{unit}"
    return (f"{number(value / 60)}\u00a0min" if value < 7200
            else f"{number(value / 3600)}\u00a0h")


def points(n: float) -> str:
    """A number of points as a power of ten where it is one, else with two digits."""
    exponent = math.log10(n) if n > 0 else 0.0
    if exponent >= 2 and abs(exponent - round(exponent)) < 1e-9:
        return power(round(exponent))
    return f"{float(f'{n:.2g}'):,.0f}".replace(",", "\u202f")


def listing(words: list[str] | tuple[str, ...]) -> str:
    """Words as a sentence lists them."""
    words = list(words)
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def plural(amount: int, word: str) -> str:
    """An amount with its noun."""
    return f"{amount} {word}" if amount == 1 else f"{amount} {word}s"


def slug(*parts: str) -> str:
    """An id for HTML from names a user chose; different names keep different ids."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-") else f".{ord(c):x}."
                   for c in joined(*parts))
