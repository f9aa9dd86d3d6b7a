"""What goes wrong, as a user of the interface meets it: one exception, one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bench.core.errors import ReportError, StoreError, UserError


@contextmanager
def one_sentence() -> Iterator[None]:
    """Around a function of the interface: errors of folders and reports become UserErrors."""
    try:
        yield
    except (ReportError, StoreError) as error:
        raise UserError(str(error)) from None
