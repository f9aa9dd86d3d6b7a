"""Reading the sections of a report in tests, block by block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from results.presentation.blocks import Block, Part
from results.presentation.table import Table
from results.records.frames import Scores
from results.records.run_folder import Run
from results.report.page import built


def blocks(run: Run, key: str = "") -> list[Block]:
    """The blocks of one section, or of all; empty where the report leaves it out."""
    return [b for s in built(Scores(run)) if key in ("", s.key) for b in _flat(s.blocks)]


def tables(run: Run, key: str = "") -> list[Table]:
    """The tables among them."""
    return [b for b in blocks(run, key) if isinstance(b, Table)]


def _flat(found: Iterable[Block]) -> Iterator[Block]:
    for block in found:
        yield block
        if isinstance(block, Part):
            yield from _flat(block.blocks)
