"""The seal: while a sampler runs, only targets that a meter hands out answer."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class SealedError(RuntimeError):
    """A bare target was evaluated while a sampler ran: an evaluation nobody would have counted."""


#: The environment says it to the processes that are started while targets are sealed.
SEALED = "BENCH_TARGETS_SEALED"
_sealed = SEALED in os.environ


@contextmanager
def sealed() -> Iterator[None]:
    """While this lasts only targets behind a meter answer; all others raise SealedError.

    The harness seals around every verb of a sampler, so that a sampler that makes or finds a
    target of its own is stopped instead of under-counted. Processes that it starts in the meantime
    are sealed for good.
    """
    global _sealed
    before, _sealed = _sealed, True
    os.environ[SEALED] = "yes"
    try:
        yield
    finally:
        _sealed = before
        if not before:
            os.environ.pop(SEALED, None)


def guarded(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method, which raises SealedError on a target that no meter hands out."""
    @functools.wraps(method)
    def answer(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        if _sealed and not self._behind_meter:
            raise SealedError(f"'{type(self).__name__}' was evaluated past the meter; use only "
                              "the target handed to init, step and draw")
        return method(self, *args, **kwargs)

    del answer.__wrapped__  # it would lead past the seal
    return answer
