"""The glossary points at files that exist, and defines each term once."""

from __future__ import annotations

import re

from bench.core.places import ROOT

LINES = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").splitlines()
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in LINES
        if line.startswith("| ") and not line.startswith(("| term", "|--"))]


def missing(rows: list[list[str]]) -> set[str]:
    """Files that the last column names and that do not exist."""
    named = {path for row in rows for path in re.findall(r"`([\w/]+\.py)`", row[-1])}
    return {path for path in named if not (ROOT / path).is_file()}


def test_every_row_names_files_that_exist() -> None:
    assert len(ROWS) > 60
    assert [row for row in ROWS if len(row) != 4 or "`" not in row[-1]] == []
    assert missing(ROWS) == set()
    assert missing([["term", "", "", "`bench/nowhere.py`"]]) == {"bench/nowhere.py"}


def test_every_term_is_defined_once() -> None:
    terms = [row[0] for row in ROWS]
    assert len(set(terms)) == len(terms)
