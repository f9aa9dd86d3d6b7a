"""The documentation says what is committed: its tables are made anew and compared."""

from __future__ import annotations

import re

import pytest

from bench.core.registry import catalogue
from bench.maintain.docs_tables import DOCS, filled


def test_how_to_read_holds_what_is_committed() -> None:
    text = (DOCS / "reading.md").read_text(encoding="utf-8")
    assert filled(text) == text, "run python -m bench.maintain docs-tables"


def test_tracking_holds_what_is_committed() -> None:
    text = (DOCS / "tracking.md").read_text(encoding="utf-8")
    assert filled(text) == text, "run python -m bench.maintain docs-tables"


def test_drifting_holds_what_is_committed() -> None:
    text = (DOCS / "drifting.md").read_text(encoding="utf-8")
    assert filled(text) == text, "run python -m bench.maintain docs-tables"


@pytest.mark.slow
def test_published_tables_hold_what_is_committed() -> None:
    text = (DOCS / "published.md").read_text(encoding="utf-8")
    assert filled(text) == text, "run python -m bench.maintain docs-tables"


def test_a_page_that_was_edited_by_hand_is_noticed() -> None:
    text = (DOCS / "reading.md").read_text(encoding="utf-8")
    block = text.index("<!-- generated: power -->")
    digit = re.compile(r"\d").search(text, block)
    assert digit is not None
    changed = text[:digit.start()] + str((int(digit[0]) + 1) % 10) + text[digit.end():]
    assert filled(changed) == text


def test_every_metric_is_explained() -> None:
    text = (DOCS / "reading.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE))
    assert rows == set(catalogue()["metrics"])
