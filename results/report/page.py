"""The report: a self-contained HTML page and its Markdown version, pure functions of a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from results.presentation.blocks import Block
from results.presentation.palette import colour
from results.presentation.rendering import page_and_markdown, save_pages
from results.records.families import FAMILIES
from results.records.frames import Scores
from results.records.run_folder import Run, load, with_pictures
from results.report.section import Section
from results.report.sections import (
    break_even,
    comparison,
    cost,
    curves,
    distributions,
    failures,
    gallery,
    insensitivity,
    published,
    reproduction,
    summary,
    targets,
)

SECTIONS: tuple[Section, ...] = tuple(module.SECTION for module in (
    summary, targets, cost, comparison, curves, gallery, distributions, break_even, published,
    insensitivity, failures, reproduction))


@dataclass(frozen=True)
class Built:
    """A section with its blocks."""

    key: str
    title: str
    blocks: tuple[Block, ...]


def built(scores: Scores) -> list[Built]:
    """The sections that have something to show, in order."""
    made = [Built(s.key, s.title, tuple(s.build(scores))) for s in SECTIONS]
    return [section for section in made if section.blocks]


def families(run: Run) -> list[tuple[str, str, list[str]]]:
    """For the page's filter: title, first colour and members of each family that competes."""
    members = {f: [x for x in run.ranked if run.family(x) == f] for f in FAMILIES}
    return [(FAMILIES[f], colour(run, m[0]), m) for f, m in members.items() if m]


def content(run: Run) -> dict[str, Any]:
    """Everything the templates show."""
    return {"title": str(run.suite.get("name") or run.path.name),
            "description": str(run.suite.get("description") or ""),
            "families": families(run), "sections": built(Scores(run))}


def render(run: Run) -> tuple[str, str]:
    """The page and its Markdown version."""
    return page_and_markdown("report", content(run))


def write(folder: Path) -> tuple[Path, Path]:
    """Write report.html and report.md into a run's folder; returns their paths."""
    return save_pages(render(with_pictures(load(Path(folder)))), Path(folder), "report")
