"""Tables of the documentation from what is committed; ``python -m results.reading`` writes them.

Between ``<!-- generated: NAME -->`` and ``<!-- end -->`` stands what this module says; a test
holds the page to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from results.blindness import Audit, audits, blind_sentence, smallest_table
from results.comparison.page import calibration_tables
from results.content import plural
from results.folder import load
from results.frames import Scores
from results.published.sentences import published_sentences
from results.published.tables import published_tables
from results.regression import calibration_view
from results.rendering import markdown_table
from results.summary import warnings

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGES = (DOCS / "reading.md", DOCS / "published.md", DOCS / "tracking.md")
RUNS = Path(__file__).resolve().parent / "published" / "runs"
_BLOCK = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def _power() -> str:
    """A folded table a target, and what no grade of a defect made visible."""
    parts = []
    for name, audit in sorted(audits().items()):
        table = markdown_table(smallest_table(audit, sorted(audit.metrics)))
        parts.append(f"<details><summary>{name}</summary>\n\n{table}\n</details>\n")
    return "\n".join([*parts, "Blind spots (even the strongest grade seen in less than half of "
                      "the draws):\n", *_blind(audits())])


def _blind(known: dict[str, Audit]) -> list[str]:
    return [f"- {sentence}" for _, audit in sorted(known.items())
            for metric in sorted(audit.metrics)
            if (sentence := blind_sentence(audit, metric, audit.sizes[-1]))]


def _comparison() -> str:
    return "\n".join(markdown_table(table) for table in calibration_tables())


def _check() -> str:
    return "\n".join(markdown_table(table) for table in calibration_view.tables())


def _rerun(name: str) -> str:
    """The published table beside the committed run of that name, and where the run comes from."""
    scores = Scores(load(RUNS / name))
    head = scores.run.header
    told = [f"`{head.get('command')}`, commit {str(head.get('commit'))[:12]}, "
            f"{plural(len(scores.run.jobs), 'job')}."]
    unfinished = [w for w in warnings(scores) if "not complete" in w]
    tables = [markdown_table(t) for t in published_tables(scores) if not t.folded]
    return "\n\n".join([*told, *unfinished, *published_sentences(scores), *tables])


GENERATED: dict[str, Callable[[], str]] = {
    "power": _power, "comparison": _comparison, "check": _check,
    **{name: partial(_rerun, name) for name in sorted(p.name for p in RUNS.glob("*"))}}


def filled(text: str) -> str:
    """The page with its generated blocks made anew."""
    return _BLOCK.sub(lambda m: f"{m[1]}\n{GENERATED[m[2]]().strip()}\n\n{m[3]}", text)


def main() -> None:
    """Write the pages."""
    for page in PAGES:
        page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
