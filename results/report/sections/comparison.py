"""Comparisons: which samplers differ significantly, paired over targets and seeds."""

from __future__ import annotations

from results.comparison.comparison import comparison_parts
from results.presentation.blocks import Block, Figures, Paragraph
from results.records.frames import Scores
from results.report.section import Section

RANKS = (
    "Mean ranks with half a critical difference (Nemenyi) to each side; a vertical bar joins "
    "samplers whose mean ranks lie within it. Here targets are the units: it claims something of "
    "other targets like these, and is the weaker for it. The tables below claim something of "
    "these targets with fresh seeds.")


def _blocks(scores: Scores) -> list[Block]:
    tables, images, sentence = comparison_parts(scores)
    blocks: list[Block] = [Paragraph(sentence, "verdict")]
    if images:
        blocks += [Figures(tuple(images), "ranks"), Paragraph(RANKS, "note")]
    return blocks + list(tables)


SECTION = Section("comparison", "Comparisons", _blocks)
