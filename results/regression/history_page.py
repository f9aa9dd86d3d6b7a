"""The page of a history, as HTML and Markdown, and its tables for a terminal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.text import Text

from results.presentation.console import grid
from results.presentation.rendering import page_and_markdown, save_pages
from results.regression.history import History
from results.regression.history_tables import entries_table, history_tables


def render(made: History) -> tuple[str, str]:
    """The page as HTML and as Markdown."""
    shown = {
        "title": made.suite or "history", "sentence": made.sentence, "warnings": made.warnings,
        "panels": made.images(), "tables": history_tables(made), "entries": entries_table(made),
        "alpha": f"{100 * made.rule.alpha:g} %", "tolerance": f"{100 * made.rule.tolerance:g} %",
        "tests": f"{made.found.tests:,}", "inner": f"{made.found.inner:,}"}
    return page_and_markdown("history", shown)


def save(made: History, out: Path) -> tuple[Path, Path]:
    """Write history.html and history.md into a folder; raises ReportError where it cannot."""
    return save_pages(render(made), out, "history")


def print_history(made: History, console: Console) -> None:
    """Warnings, change points, breaks and the sentence."""
    for text in made.warnings:
        console.print(Text("! " + text, style="yellow"))
    for table in history_tables(made):
        console.print(grid(table, below=True))
    console.print(Text(made.sentence, style="bold"))
