"""Everything a command may end with that is no mistake of this program, and the nearest name.

Each of these errors is one sentence that says what to do; the command line prints it without a
traceback and exits with 2, and the Python interface raises it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BenchError(Exception):
    """What cannot be done as asked, in one sentence."""


class UserError(BenchError):
    """A mistake in what was asked; a run that has not begun leaves nothing behind."""


class MissingPackage(UserError):
    """What was named needs an optional package; says which to install."""


class StoreError(BenchError):
    """The folder of a run cannot be used as it is; what it holds stays."""


class ReportError(BenchError):
    """A report, a comparison, a check or an export that cannot be made as asked."""


def nearest(word: str, known: Iterable[str]) -> str:
    """The clause ``; did you mean 'x'?`` for the closest known word, or an empty string."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else ""


def unknown(kind: str, word: str, known: Iterable[str]) -> UserError:
    """The error for a name that is not registered."""
    known = sorted(known)
    return UserError(f"unknown {kind} '{word}'{nearest(word, known)} (known: {', '.join(known)})")
