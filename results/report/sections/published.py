"""Published tables: what papers print next to what this run found."""

from __future__ import annotations

from results.presentation.blocks import Block, Paragraph
from results.published.sentences import published_sentences
from results.published.tables import published_tables
from results.records.frames import Scores
from results.report.section import Section


def _blocks(scores: Scores) -> list[Block]:
    tables = published_tables(scores)
    said = published_sentences(scores) if tables else []
    return [*(Paragraph(text) for text in said), *tables]


SECTION = Section("published", "Compared with published tables", _blocks)
