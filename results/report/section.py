"""A section of the report: a key, a title, and what builds its blocks from a run's scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from results.presentation.blocks import Block
from results.records.frames import Scores


@dataclass(frozen=True)
class Section:
    """One file of ``results/report/sections`` holds one; without blocks it is left out.

    ``key`` is the section's anchor in the page. ``build`` is a pure function of the run's folder.
    """

    key: str
    title: str
    build: Callable[[Scores], list[Block]]
