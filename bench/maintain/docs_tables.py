"""Writes the tables of the documentation from what is committed.

Between ``<!-- generated: NAME -->`` and ``<!-- end -->`` stands what ``python -m bench.maintain
docs-tables`` writes there; a test compares the pages with it.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from functools import partial

from bench.core.places import ROOT, RUNS
from results.acceptance.criteria import read_criteria
from results.acceptance.judged import JudgedRun
from results.acceptance.tables import headline, table
from results.acceptance.tables import warnings as criteria_warnings
from results.acceptance.variants import variants_table
from results.comparison.comparison import compare
from results.comparison.study_tables import study_tables
from results.presentation.rendering import markdown_table
from results.presentation.table import plural
from results.published.sentences import published_sentences
from results.published.tables import published_tables
from results.records.audit_file import committed_audits
from results.records.frames import Scores
from results.records.run_folder import Run, load
from results.regression.calibration_tables import tables as check_tables
from results.report.insensitivity import insensitivity_sentence
from results.report.power_tables import smallest_table
from results.report.sentences import warnings

DOCS = ROOT / "docs"
PAGES = (DOCS / "reading.md", DOCS / "published.md", DOCS / "tracking.md", DOCS / "drifting.md")
_BLOCK = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def _power() -> str:
    """A folded table a target, and what each metric is insensitive to."""
    parts, sentences = [], []
    for name, audit in sorted(committed_audits().items()):
        metrics = sorted(audit.metrics)
        table = markdown_table(smallest_table(audit, metrics))
        parts.append(f"<details><summary>{name}</summary>\n\n{table}\n</details>\n")
        sentences += [insensitivity_sentence(audit, metric, audit.sizes[-1]) for metric in metrics]
    return "\n".join([*parts, "What each metric is insensitive to (it detected even the strongest "
                      "grade in less than a quarter of the draws):\n",
                      *(f"- {sentence}" for sentence in sentences if sentence)])


def _comparison() -> str:
    return "\n".join(markdown_table(table) for table in study_tables())


def _check() -> str:
    return "\n".join(markdown_table(table) for table in check_tables())


def _origin(run: Run) -> str:
    """Where a committed run comes from."""
    head = run.header
    return (f"`{head.get('command')}`, commit {str(head.get('commit'))[:12]}, "
            f"{plural(len(run.jobs), 'job')}.")


def _rerun(name: str) -> str:
    """The published table next to the committed run of that name."""
    scores = Scores(load(RUNS / name))
    unfinished = [w for w in warnings(scores) if "not complete" in w]
    tables = [markdown_table(t) for t in published_tables(scores) if not t.folded]
    return "\n\n".join([_origin(scores.run), *unfinished, *published_sentences(scores), *tables])


def _acceptance() -> str:
    """Every acceptance criterion, and what the committed run reached of it."""
    judged = JudgedRun(load(RUNS / "drifting_bars"), read_criteria())
    return "\n\n".join([_origin(judged.run), headline(judged), *criteria_warnings(judged),
                        markdown_table(table(judged))])


def _variants(name: str, caption: str) -> str:
    """Every variant of the committed run of that name."""
    run = load(RUNS / name)
    return "\n\n".join([_origin(run), markdown_table(variants_table(run, caption))])


def _family(name: str) -> str:
    """Mean ranks and groups over the test half of the tuning family."""
    made = compare([RUNS / name])
    notes = [*made.aligned.warnings, *made.aligned.notes]
    return "\n\n".join([_origin(made.aligned.runs[0].run), *notes, markdown_table(made.table()),
                        *([made.friedman] if made.friedman else []), made.sentence])


GENERATED: dict[str, Callable[[], str]] = {
    **{path.name: partial(_rerun, path.name) for path in sorted(RUNS.glob("*"))},
    **{name: partial(_family, name) for name in ("drifting_family", "drifting_family_seconds")},
    "power": _power, "comparison": _comparison, "check": _check, "acceptance": _acceptance,
    "walkers": partial(_variants, "drifting_walkers", "Walkers that start anew")}


def filled(text: str) -> str:
    """The page with its generated blocks made anew."""
    return _BLOCK.sub(lambda m: f"{m[1]}\n{GENERATED[m[2]]().strip()}\n\n{m[3]}", text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pages."""
    argparse.ArgumentParser(prog="python -m bench.maintain docs-tables",
                            description=__doc__).parse_args(arguments)
    for page in PAGES:
        page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")
    return 0
