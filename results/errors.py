"""Errors of this room that a user can cause: each is one sentence that says what to do."""

from __future__ import annotations


class ReportError(ValueError):
    """A report or an export that cannot be made as asked."""
