"""The entries of a history: baseline files and finished runs, in order of time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from bench.core.errors import ReportError, StoreError
from results.presentation.table import listing
from results.records.run_folder import load
from results.regression.baseline import Snapshot
from results.regression.baseline_file import read
from results.regression.freeze import freeze


@dataclass(frozen=True)
class Entry:
    """A snapshot, where it came from, and when it started."""

    path: Path
    snapshot: Snapshot
    started: datetime

    @cached_property
    def commit(self) -> str:
        """Seven digits of the commit, with a plus where there were uncommitted changes."""
        made = self.snapshot.made
        commit = str(made.get("commit") or "")[:7] or "no commit"
        return commit + ("+" if made.get("dirty") else "")

    @property
    def date(self) -> str:
        """The day it started, in universal time."""
        return f"{self.started:%Y-%m-%d}"

    @cached_property
    def key(self) -> str:
        """The same for two copies of one run."""
        return json.dumps([self.snapshot.made, sorted(self.snapshot.seeds),
                           sorted(self.snapshot.by_name)], sort_keys=True, default=str)


def entries(paths: Sequence[Path]) -> tuple[Entry, ...]:
    """Distinct entries in order of time; raises ReportError below two, or of different suites."""
    found: dict[str, Entry] = {}
    for path in paths:
        entry = _entry(Path(path))
        found.setdefault(entry.key, entry)
    suites = sorted({e.snapshot.suite for e in found.values()})
    if len(suites) > 1:
        raise ReportError(f"these are of suites {listing([repr(s) for s in suites])}; a history "
                          "is of one, give files of the same suite")
    if len(found) < 2:
        raise ReportError("a history takes at least two different runs, this is "
                          f"{len(found)}; name more baseline files or run folders")
    return tuple(sorted(found.values(), key=lambda e: (e.started, str(e.path))))


def _entry(path: Path) -> Entry:
    try:
        snapshot = freeze(load(path)) if path.is_dir() else read(path)
    except StoreError as error:
        raise ReportError(str(error)) from None
    try:
        started = datetime.fromisoformat(str(snapshot.made.get("started")))
    except ValueError:
        raise ReportError(f"'{path}' does not say when its run started, so that it has no place "
                          "in a history; leave it out") from None
    if started.tzinfo is None:
        started = started.replace(tzinfo=UTC)
    return Entry(path, snapshot, started.astimezone(UTC))
