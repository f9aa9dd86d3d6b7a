"""Glossary, comments and docs point at files that exist; a term is defined once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.core.places import ROOT

PACKAGES = ("bench", "metrics", "results", "samplers", "targets", "tests")
NAMED = re.compile(rf"(?<![\w/.-])(?:docs|{'|'.join(PACKAGES)})/[\w/-]+\.(?:py|md)\b")

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


def astray(text: str) -> set[str]:
    """Files of ours that a text names and that do not exist."""
    return {path for path in NAMED.findall(text) if not (ROOT / path).is_file()}


@pytest.mark.parametrize("folder", [*PACKAGES, "docs", "*.md"])
def test_text_names_files_that_exist(folder: str) -> None:
    pages = ROOT.glob(folder) if "*" in folder else (ROOT / folder).rglob("*.*")
    texts = {page: page.read_text(encoding="utf-8") for page in pages
             if page.suffix in {".py", ".md", ".toml"} and page != Path(__file__).resolve()}
    assert texts
    assert {str(page): astray(text) for page, text in texts.items() if astray(text)} == {}


def test_a_file_that_is_gone_is_noticed() -> None:
    text = "see tests/test_nowhere.py and tests/bench/test_fused.py"
    assert astray(text) == {"tests/test_nowhere.py"}
