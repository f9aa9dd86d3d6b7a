"""The report for a terminal: the verdict, the overview, a table a target, ranking, failures."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.text import Text

from results.presentation.console import grid, shown
from results.records.frames import Scores
from results.records.leading import MAIN, primary
from results.records.run_folder import load
from results.report.overview import overview
from results.report.ranking import ranking_table
from results.report.sections.failures import failures_table, missing_table, notes_table
from results.report.sections.targets import target_metrics, target_table
from results.report.sentences import findings, verdict, warnings


def _sentences(scores: Scores) -> list[RenderableType]:
    lines: list[RenderableType] = [Text(shown(verdict(scores)), style="bold")]
    return lines + [Text("! " + shown(w), style="yellow") for w in warnings(scores)]


def summary(folder: Path) -> RenderableType:
    """What a run ends with: the verdict, warnings and the overview of all targets."""
    scores = Scores(load(Path(folder)))
    return Group(*_sentences(scores), grid(overview(scores, primary(scores)), below=True),
                 *_findings(scores))


def _findings(scores: Scores) -> list[RenderableType]:
    return [Text(f"{target}: ", style="bold").append(Text(shown(text), style="not bold"))
            for target, text in findings(scores)]


def print_report(folder: Path, console: Console) -> None:
    """Every table a terminal has room for; the rest stands in report.html."""
    scores = Scores(load(Path(folder)))
    metric = primary(scores)
    for line in _sentences(scores):
        console.print(line)
    console.print(grid(overview(scores, metric), below=True))
    for target in scores.run.targets:
        have = target_metrics(scores, target)
        main = [m for m in have if m in MAIN] or have[:1]
        console.print(grid(target_table(scores, target, main)))
    console.print(Text("≈ indistinguishable from exact samples of that size, ↓ below what "
                       "they score; means over seeds, whose values stand in the report.",
                       style="dim"))
    console.print(grid(ranking_table(scores, metric)))
    for table in (failures_table(scores.run), missing_table(scores.run), notes_table(scores.run)):
        if table is not None:
            console.print(grid(table))
    for line in _findings(scores):
        console.print(line)
