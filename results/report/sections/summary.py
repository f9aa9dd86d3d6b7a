"""Summary: the verdict, what must be known first, the overview, and what was asked."""

from __future__ import annotations

from results.comparison.studies import interval_caution
from results.presentation.blocks import Block, Bullets, Paragraph, Part, Terms
from results.presentation.run_words import mixture
from results.records.frames import Scores
from results.records.leading import primary
from results.records.run_folder import Run
from results.report.overview import overview
from results.report.section import Section
from results.report.sentences import findings, verdict, warnings
from results.statistics.confidence_interval import INTERVAL_FROM


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


def _reading(run: Run) -> tuple[tuple[str, str], ...]:
    """How to read the numbers of every table, term by term."""
    n, n_curve = run.suite.get("n", "?"), run.suite.get("n_curve", "?")
    return (
        ("Floor", FLOOR), ("Below floor", BELOW), ("Baseline samplers", BASELINES),
        ("Multiple testing", TESTING),
        ("Mean and confidence interval", INTERVAL.format(seeds=INTERVAL_FROM,
                                                         caution=interval_caution())),
        ("Number of points", f"Tables are scored at n = {n} unless a column or cell says "
         f"otherwise, curves at n = {n_curve}; the two have different floors. No checkpoint is "
         "selected: the last state counts."))


def _blocks(scores: Scores) -> list[Block]:
    metric = primary(scores)
    title = str(scores.run.metric(metric)["title"])
    said, known = verdict(scores), warnings(scores)
    return [*([Paragraph(said, "verdict")] if said else []),
            *([Bullets(tuple(known), "warnings")] if known else []),
            overview(scores, metric), Paragraph(CELLS.format(title=title), "note"),
            Paragraph(f"By target, in {title} over all seeds; in brackets, metrics of the table "
                      "that do differ significantly from their floor (each at the 5 % level):"),
            Terms(tuple(findings(scores)), "findings"),
            Part("How to read the numbers", (Terms(_reading(scores.run), "how"),), folded=True),
            Terms(tuple(facts(scores.run)), "facts", code=("Command",))]


CELLS = (
    "Each cell: ≈ floor where {title} is statistically indistinguishable from that of exact "
    "samples of the same size (p > 0.05); otherwise the share of the ceiling's excess that is "
    "left (0 % is the floor, 100 % the initial distribution every sampler starts from). Modes "
    "missed and failed jobs stand below.")
FLOOR = (
    "The null distribution of a metric: what exact samples of the same size score against a fresh "
    "reference. A number marked ≈ floor does not differ significantly from it: the p-value, the "
    "probability of a mean at least this large from exact samples over as many seeds, is above "
    "5 %. That is no proof that the sampler is right: defects too small for n points to show stay "
    "undetected.")
BELOW = (
    "↓ below floor: lower than exact samples would score (one-sided, 2.5 %). Points spread more "
    "evenly than independent ones can do that; so can a metric that rewards concentration. It "
    "ranks as at the floor.")
BASELINES = (
    "Row exact: exact samples (the floor). Row initial: the initial distribution (the ceiling). "
    "Row overhead: a sampler that does nothing, so that its time is the harness's own.")
TESTING = (
    "Each mark is one test at the 5 % level, without a correction: of exact samples about one "
    "mark in twenty is lost at random, as row exact may show. Comparisons between samplers are "
    "corrected for their number (Holm).")
INTERVAL = (
    "Large number: the mean over seeds that ended well. Below it the values of each seed; from "
    "{seeds} seeds on, ± is half a 95 % confidence interval (Student's t) instead. {caution} "
    "Lower is better everywhere.")
SECTION = Section("summary", "Summary", _blocks)
