"""What the metrics are insensitive to on this run's targets, as the committed audits measured."""

from __future__ import annotations

from results.presentation.blocks import Block, Bullets, Paragraph
from results.records.frames import Scores
from results.report.insensitivity import insensitivity_sentences
from results.report.section import Section

ABOUT = (
    "Known defects were injected into exact samples, and each metric was tested against its floor "
    "at a 5 % false-alarm rate. What it detected in less than a quarter of the draws even at the "
    "strongest grade:")


def _blocks(scores: Scores) -> list[Block]:
    said = insensitivity_sentences(scores.run)
    return [Paragraph(ABOUT), Bullets(tuple(said)),
            Paragraph("The whole table of powers: python -m bench audit.", "note")] if said else []


SECTION = Section("insensitivity", "What the metrics are insensitive to", _blocks)
