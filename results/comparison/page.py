"""The page of a comparison, as HTML and Markdown, and its tables for a terminal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.text import Text

from results.comparison.comparison import Comparison
from results.comparison.study_tables import study_tables
from results.presentation.console import grid
from results.presentation.rendering import page_and_markdown, save_pages
from results.records.frames import Scores


def render(made: Comparison) -> tuple[str, str]:
    """The page as HTML and as Markdown."""
    aligned = made.aligned
    shown = {
        "title": " and ".join(s.run.path.resolve().name for s in aligned.runs),
        "against": made.against, "metric": made.main.title, "sentence": made.sentence,
        "friedman": made.friedman, "warnings": aligned.warnings, "notes": aligned.notes,
        "images": made.images(), "tables": made.tables(), "folded": made.folded(),
        "calibration": study_tables(), "runs": [_facts(s) for s in aligned.runs]}
    return page_and_markdown("comparison", shown)


def _facts(scores: Scores) -> tuple[str, str]:
    run = scores.run
    code = f"commit {str(run.header.get('commit') or 'unknown')[:12]}"
    dirty = " with uncommitted changes" if run.header.get("dirty") else ""
    return (run.path.resolve().name,
            f"{run.suite.get('budget', '?')} a job, {run.suite.get('seeds', '?')} seeds, n = "
            f"{run.suite.get('n', '?')}, {code}{dirty}, {run.header.get('command') or '?'}")


def save(made: Comparison, out: Path) -> tuple[Path, Path]:
    """Write comparison.html and comparison.md into a folder; ReportError where it cannot."""
    return save_pages(render(made), out, "comparison")


def print_comparison(made: Comparison, console: Console) -> None:
    """Warnings, the main table and the sentence."""
    for text in made.aligned.warnings:
        console.print(Text("! " + text, style="yellow"))
    for text in made.aligned.notes:
        console.print(Text(text, style="dim"))
    console.print(grid(made.table()))
    if made.friedman:
        console.print(Text(made.friedman, style="dim"))
    console.print(Text(made.sentence, style="bold"))
