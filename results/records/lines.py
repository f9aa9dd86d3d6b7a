"""From the lines of a run's file to the records of its finished jobs.

A job's line comes last and says how many lines before it are its own. A job is finished where its
line and all of these are whole; of any other nothing is used, so that ``--resume`` runs it again.
Where a job has several lines (it was run again) the last one counts.

Lines of version 1 have no checksum, and a job of that version owns every line of its key.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from results.records.schema import BadRecord, Job, Record, parse


def assemble(source: Iterable[bytes], name: str) -> tuple[list[Record], list[str]]:
    """Records of finished jobs, each once, and a complaint for each line that is damaged.

    Linear in the number of lines. ``name`` is what complaints call the file.
    """
    lines: list[Record | None] = []  # None is a damaged line
    complaints: list[str] = []
    owned: dict[str, range | None] = {}  # by finished job: where its lines are; None is anywhere
    for number, line in enumerate(source, 1):
        if not line.strip():
            continue
        try:
            record = parse(line.rstrip(b"\r\n").decode("utf-8"))
        except (BadRecord, UnicodeDecodeError) as error:
            complaints.append(f"{name}, line {number} skipped: {error}")
            lines.append(None)
            continue
        lines.append(record)
        if isinstance(record, Job):
            owned.pop(record.key, None)
            place = range(max(len(lines) - 1 - record.lines, 0), len(lines))
            own = [lines[i] for i in place]
            if record.lines < 0:
                owned[record.key] = None
            elif len(own) == record.lines + 1 and all(r and r.key == record.key for r in own):
                owned[record.key] = place
            elif None not in own:
                complaints.append(f"{name}, line {number} skipped: lines of job '{record.key}' "
                                  f"are missing before it, {record.lines} belong there")
    unique: dict[tuple[object, ...], Record] = {}
    for i, kept in enumerate(lines):
        if kept is not None and kept.key in owned:
            where = owned[kept.key]
            if where is None or i in where:
                unique[_identity(kept)] = kept
    return list(unique.values()), complaints


def ordered(records: Iterable[Record]) -> list[Record]:
    """Records as they are written: each job's line after its own, saying how many they are."""
    by_key: dict[str, list[Record]] = {}
    for record in records:
        by_key.setdefault(record.key, []).append(record)
    found: list[Record] = []
    for own in by_key.values():
        rest = [r for r in own if not isinstance(r, Job)]
        found += rest + [replace(r, lines=len(rest)) for r in own if isinstance(r, Job)]
    return found


def _identity(record: Record) -> tuple[object, ...]:
    parts = ("key", "index", "stage", "metric", "version")
    return (record.sort, *(getattr(record, part, None) for part in parts))
