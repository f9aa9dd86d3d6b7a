"""Errors a user can cause: each is one sentence that says what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake in the input; the command line prints it without a traceback and exits with 2."""


class ReportError(ValueError):
    """A report or an export that cannot be made as asked."""


class MissingPackage(UserError):
    """What was named needs an optional package; says which to install."""


def nearest(word: str, known: Iterable[str]) -> str:
    """The clause ``; did you mean 'x'?`` for the closest known word, or an empty string."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else ""


def unknown(sort: str, word: str, known: Iterable[str]) -> UserError:
    """The error for a name that is not registered."""
    known = sorted(known)
    return UserError(f"unknown {sort} '{word}'{nearest(word, known)} (known: {', '.join(known)})")
