"""Completing a run: a session of work on its folder, taken back where it was refused."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from bench.core.errors import UserError
from bench.jobs.progress import Progress
from bench.jobs.session import Session
from bench.suite.suite import Suite
from results.records.store import withdraw


def default_folder(suite: str) -> Path:
    """``runs/SUITE-DATE-TIME`` under the current folder."""
    return Path("runs") / f"{suite}-{time.strftime('%Y%m%d-%H%M%S')}"


def complete_run(suite: Suite, folder: Path, workers: int, command: str, progress: Progress,
                 allow_changed_code: bool = False) -> None:
    """Do in ``folder`` what has not been done; every job is accounted for when this returns.

    ``command`` is what the header of a new run says that it was made by. A mistake in what was
    asked is a UserError, and leaves no folder behind that was not there before.
    """
    foreign = {path for path in (folder / "run.json", folder, *folder.parents) if path.exists()}
    try:
        with progress:
            Session(suite, folder, workers, command, progress, allow_changed_code).work()
    except UserError:
        _take_back(folder, foreign)
        raise


def _take_back(folder: Path, foreign: set[Path]) -> None:
    """A run that was refused leaves nothing behind that would block the next try.

    ``foreign`` is what was there before this command: neither that nor anything in it is touched.
    """
    if (folder / "run.json") in foreign:
        return
    withdraw(folder)
    for path in (folder, *folder.parents):
        if path in foreign:
            return
        with suppress(OSError):  # a user's file lies in it
            path.rmdir()
