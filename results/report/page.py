"""The report: one self-contained HTML page and its Markdown twin, a pure function of a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from results.comparison.assembly import comparison_parts
from results.comparison.break_even import cases
from results.comparison.studies import interval_caution
from results.presentation import figures
from results.presentation.palette import colour, glyph
from results.presentation.rendering import page_and_twin, save_pages
from results.presentation.run_words import mixture
from results.presentation.scale import exponent
from results.presentation.table import Table, power, slug
from results.published.sentences import published_sentences
from results.published.tables import published_tables
from results.records.families import FAMILIES
from results.records.frames import Scores
from results.records.leading import MAIN, primary
from results.records.prices import EVALUATIONS, SECONDS
from results.records.run_folder import Run, load, with_pictures
from results.report import gallery
from results.report.break_even import breakeven_tables
from results.report.costs import cost_tables
from results.report.insensitivity import blind_sentences
from results.report.oracle_gap import oracle_table
from results.report.overview import glance
from results.report.quality import target_metrics, target_table
from results.report.ranking import judged, ranking_table
from results.report.reproduction import (
    curve_table,
    failures_table,
    metrics_table,
    missing_table,
    notes_table,
    reproduction_table,
    samplers_table,
)
from results.report.summary import findings, verdict, warnings
from results.statistics.confidence_interval import INTERVAL_FROM

#: The sections of the page in order: anchor and title.
SECTIONS = {"summary": "Summary", "targets": "By target", "cost": "Cost and ranking",
            "comparison": "Comparisons", "curves": "Quality against cost", "gallery": "Gallery",
            "break-even": "Break-even", "published": "Beside published tables",
            "blindness": "What the metrics can see", "failed": "Failures",
            "again": "How to reproduce each row"}
#: Metrics that have curves in the report, where a run scored them.
CURVES = ("mmd", "w2")


@dataclass(frozen=True)
class TargetPart:
    """A target's heading, what is known of it, and its tables."""

    name: str
    anchor: str
    about: str
    tables: tuple[Table, ...]


@dataclass(frozen=True)
class CurveGroup:
    """Small multiples of one metric in one currency, and the numbers behind them."""

    title: str
    note: str
    images: tuple[figures.Image, ...]
    tables: tuple[Table, ...]


def facts(run: Run) -> list[tuple[str, str]]:
    """The run in a few words: what was asked, by which code, where."""
    suite, header = run.suite, run.header
    machine = header.get("machine") or {}
    device = next((j.device for j in run.jobs), "cpu")
    place = [str(machine.get("gpu") or machine.get("cpu") or "?"),
             f"{machine['cores']} cores" if machine.get("cores") else "", device]
    versions = ", ".join(f"{k} {v}" for k, v in (header.get("versions") or {}).items())
    preset = str(suite.get("preset") or "")
    note = str(suite.get("preset_note") or "")
    commit = str(header.get("commit") or "unknown")[:12]
    code = commit + (" with uncommitted changes" if header.get("dirty") else "")
    return [("Budget", f"{suite.get('budget', '?')} a job, training plus one final draw"),
            ("Seeds", str(suite.get("seeds", "?"))),
            ("Points", f"n = {suite.get('n', '?')} in tables, "
                       f"{suite.get('n_curve', '?')} on curves"),
            ("Judged", "in processes of their own, apart from the samplers (--referee)"
             if suite.get("referee") else "in the sampler's process (docs/budgets.md)"),
            ("Preset", f"{preset}: {note}" if preset and note else preset or "none"),
            ("Machine", ", ".join(p for p in place if p)), ("Started", str(header.get("started"))),
            ("Code", f"commit {code}, hash {header.get('code') or 'unknown'}"),
            *([("Mixed", mixed)] if (mixed := mixture(header)) else []),
            ("Versions", versions or "unknown"), ("Command", str(header.get("command") or "?"))]


def target_parts(scores: Scores) -> list[TargetPart]:
    """Section 2: the tables of each target."""
    run, parts = scores.run, []
    for target in run.targets:
        info = run.target(target)
        have = target_metrics(scores, target)
        main = [m for m in have if m in MAIN] or have[:1]
        more = [m for m in have if m not in main]
        about = [str(info["summary"])]
        if info["has_reference"]:
            about.append(str(info["reference_note"]))
        else:
            about.append("No reference: only reference-free metrics apply and there is no floor. "
                         "Missed modes and a wrong split of mass between them go unseen.")
        tables = [target_table(scores, target, main)]
        if more:
            tables.append(target_table(scores, target, more, more=True))
        parts.append(TargetPart(target, slug("target", target),
                                " ".join(a for a in about if a), tuple(tables)))
    return parts


def curve_groups(scores: Scores) -> list[CurveGroup]:
    """Section 4: quality against cost, in both currencies."""
    run, groups = scores.run, []
    for metric in [m for m in CURVES if m in scores.metrics] or [primary(scores)]:
        title = str(run.metric(metric)["title"])
        scale = exponent(scores, metric)
        unit_words = f" × {power(scale)}" if scale else ""
        for unit in (SECONDS, EVALUATIONS):
            images = [i for t in run.targets if (i := figures.curve(scores, t, metric, unit))]
            tables = [curve_table(scores, t, metric, 10.0**scale,
                                  f"{t}: {title}{unit_words}, medians over seeds")
                      for t in run.targets if any(scores.curve(x, t, metric) for x in run.ranked)
                      ] if unit == SECONDS else []
            if images:
                groups.append(CurveGroup(f"{title} against {unit}", "", tuple(images),
                                         tuple(tables)))
    return groups


def families(run: Run) -> list[tuple[str, str, list[str]]]:
    """For the page's filter: title, first colour and members of each family that competes."""
    members = {f: [x for x in run.ranked if run.family(x) == f] for f in FAMILIES}
    return [(FAMILIES[f], colour(run, m[0]), m) for f, m in members.items() if m]


def content(run: Run) -> dict[str, Any]:
    """Everything the templates show."""
    scores = Scores(run)
    metric = primary(scores)
    found = cases(scores)
    compared, ranks, told = comparison_parts(scores)
    shown = {"published": published_tables(scores), "blindness": blind_sentences(run)}
    return {
        "sections": {k: v for k, v in SECTIONS.items() if shown.get(k, True)}, **shown,
        "published_said": published_sentences(scores), "compared": compared, "ranks": ranks,
        "told": told, "oracle": [t for m in dict.fromkeys((metric, *CURVES))
                                 if (t := oracle_table(scores, m))],
        "title": str(run.suite.get("name") or run.path.name),
        "description": str(run.suite.get("description") or ""), "facts": facts(run),
        "warnings": warnings(scores), "verdict": verdict(scores), "findings": findings(scores),
        "glance": glance(scores, metric), "metric": run.metric(metric)["title"],
        "targets": target_parts(scores), "costs": cost_tables(scores),
        "rankings": [ranking_table(scores, m, folded=m != metric)
                     for m in dict.fromkeys((metric, *CURVES)) if judged(scores, m)],
        "curves": curve_groups(scores),
        "gallery": gallery.rows(run), "breakeven": breakeven_tables(scores, found),
        "failures": [t for t in (failures_table(run), missing_table(run)) if t],
        "job_notes": notes_table(run), "complaints": run.complaints,
        "reproduce": reproduction_table(run),
        "samplers": samplers_table(run), "metrics": metrics_table(scores),
        "families": families(run),
        "legend_entries": [(label, colour(run, label), glyph(run, label), scores.anneals(label))
                   for label in run.ranked],
        "interval_from": INTERVAL_FROM, "caution": interval_caution(),
        "n_curve": run.suite.get("n_curve", "?"), "n": run.suite.get("n", "?")}


def render(run: Run) -> tuple[str, str]:
    """The page and its twin."""
    return page_and_twin("report", content(run))


def write(folder: Path) -> tuple[Path, Path]:
    """Write report.html and report.md into a run's folder; returns their paths."""
    return save_pages(render(with_pictures(load(Path(folder)))), Path(folder), "report")
