"""What a page is made of: blocks, each of which HTML and Markdown show in their own way.

A section of a page is a list of blocks; templates loop over them and know nothing of sections.
``kind`` names the macro of ``templates/blocks.html`` and ``templates/blocks.md`` that shows one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from results.presentation.figures import Image
from results.presentation.table import Table


@dataclass(frozen=True)
class Paragraph:
    """Running text; ``style`` is ``verdict`` (large), ``note`` (small) or nothing."""

    kind: ClassVar[str] = "paragraph"
    text: str
    style: str = ""


@dataclass(frozen=True)
class Bullets:
    """A list of sentences; ``style`` is ``warnings`` for what must be known first, or nothing."""

    kind: ClassVar[str] = "bullets"
    items: tuple[str, ...]
    style: str = ""


@dataclass(frozen=True)
class Terms:
    """Terms, each with what is said of it; ``code`` are those whose text is to be copied.

    ``style`` is ``findings`` (a line each), ``facts`` (a box) or ``how`` (explanations).
    """

    kind: ClassVar[str] = "terms"
    items: tuple[tuple[str, str], ...]
    style: str
    code: tuple[str, ...] = ()


@dataclass(frozen=True)
class Legend:
    """Colours and markers of samplers: label, colour, marker and whether the sampler anneals.

    ``curves`` adds what else is drawn beside curves: the floor, the ceiling, jobs that failed.
    """

    kind: ClassVar[str] = "legend"
    entries: tuple[tuple[str, str, str, bool], ...]
    curves: bool = True


@dataclass(frozen=True)
class Figures:
    """Small multiples; ``layout`` is ``panels``, ``gallery`` (small squares) or ``ranks`` (wide).

    HTML shows the drawings, Markdown the words that stand for them.
    """

    kind: ClassVar[str] = "figures"
    images: tuple[Image, ...]
    layout: str = "panels"


@dataclass(frozen=True)
class Part:
    """A part of a section under a heading of its own; ``folded`` ones open on a click."""

    kind: ClassVar[str] = "part"
    title: str
    blocks: tuple[Block, ...]
    anchor: str = ""
    folded: bool = False


Block = Paragraph | Bullets | Terms | Legend | Figures | Part | Table
