"""The store: one append-only file of records a run, safe against a kill at any instant.

Layout of a run's folder::

    run.json         what was asked, by which code, on which machine
    records.jsonl    one record a line; a job's line comes after its checkpoints and measures
    samples/         final samples of each job, plain arrays
    floors/ density/ what the report needs of each target
    inbox/           results of finished jobs that have not been appended yet
    log/             what failing jobs printed

A job is finished when its ``job`` line stands in ``records.jsonl``. Children write their result
into ``inbox/`` atomically; only the one process that holds the lock appends.
"""

from __future__ import annotations

import contextlib
import errno
import gzip
import json
import os
import uuid
import zlib
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.core.errors import StoreError
from results.records.lines import assemble, ordered
from results.records.lock import Held, Lock
from results.records.renamed import header_of_today
from results.records.schema import HEADER_VERSION, Job, Record, dump

RECORDS = "records.jsonl"
#: The records of an archived run, which is read and never written to again.
PACKED = "records.jsonl.gz"

#: What a run keeps in folders of its own, and how these files end.
FOLDERS = {"inbox": ".jsonl", "samples": ".npz", "floors": ".npz", "density": ".npz",
           "log": ".txt"}


#: A full disk, and what else a disk or its owner can do to a file, whatever is written.
FULL = {errno.ENOSPC, errno.EDQUOT}
TROUBLE = FULL | {errno.EFBIG, errno.EROFS, errno.EIO, errno.EACCES}


def trouble(path: Path, error: OSError) -> StoreError:
    """A file of a run that could not be written: it stops the run, which can be resumed."""
    return StoreError(f"cannot write to '{path.parent}': {error.strerror or error}; make room "
                      "there, then go on with --resume")


def save(path: Path, data: bytes) -> None:
    """Write a file of a run, whole or not at all; StoreError where the disk does not take it."""
    try:
        write_atomically(path, data)
    except OSError as error:
        raise trouble(path, error) from None


def write_atomically(path: Path, data: bytes) -> None:
    """Write a whole file or none of it: a reader never sees a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        with open(part, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def aside(path: Path) -> Path:
    """Rename a damaged file, so that nothing reads it and it is not lost; returns its new path."""
    for name in (f"{path.name}.damaged", f"{path.name}.{uuid.uuid4().hex[:8]}.damaged"):
        if not (to := path.with_name(name)).exists():
            break
    path.rename(to)
    return to


def read(folder: Path) -> tuple[list[Record], list[str]]:
    """Records of finished jobs, each once, and a complaint for each line that was skipped."""
    path = folder / (RECORDS if (folder / RECORDS).exists() else PACKED)
    if not path.exists():
        raise StoreError(f"'{folder}' holds no {RECORDS}: name the folder of a run")
    try:
        with gzip.open(path) if path.name == PACKED else open(path, "rb") as file:
            return assemble(file, str(path))
    except (OSError, EOFError, zlib.error) as error:
        raise StoreError(f"'{path}' cannot be read ({error}); restore it from a copy") from None


def read_header(folder: Path) -> dict[str, Any]:
    """The run's ``run.json``; raises StoreError where there is none or it is damaged."""
    path = folder / "run.json"
    try:
        header = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise StoreError(f"'{folder}' is not the folder of a run (no run.json)") from None
    except (OSError, ValueError, RecursionError) as error:
        raise StoreError(f"'{path}' cannot be read: {error}; restore it or run anew") from None
    if not isinstance(header, dict) or header.get("v") not in (1, HEADER_VERSION):
        raise StoreError(f"'{path}' is not a header this program reads; run anew")
    if lacking := _lacking(header):
        raise StoreError(f"'{path}' is damaged: {lacking} is missing or no table; restore it or "
                         "run anew")
    return header if header["v"] == HEADER_VERSION else header_of_today(header)


def _lacking(header: dict[str, Any]) -> str:
    """The first part of a header that is not what it must be; '' where all are."""
    for part in ("suite", "samplers", "targets", "metrics"):
        found = header.get(part)
        if not isinstance(found, dict):
            return f"'{part}'"
        if part != "suite" and (bad := [k for k, v in found.items() if not isinstance(v, dict)]):
            return f"'{part}.{bad[0]}'"
    return ""


class Store:
    """The one writer of a run's folder; use as a context manager, which holds the lock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.set_aside: list[Path] = []  # damaged files of the inbox, under their new names

    def __enter__(self) -> Self:
        if (self.folder / PACKED).exists():
            raise StoreError(f"'{self.folder}' is an archive: it can be read, not resumed")
        try:
            for sub in ("", *FOLDERS):
                (self.folder / sub).mkdir(parents=True, exist_ok=True)
            self._lock = Lock(self.folder)
            self._lock.take()
        except Held as error:
            raise StoreError(f"another run is writing to '{self.folder}' ({error}); wait for it "
                             "to end or choose another folder with --out") from None
        except OSError as error:
            raise StoreError(f"cannot write to '{self.folder}': {error.strerror}; choose another "
                             "folder with --out") from None
        self._file = open(self.folder / RECORDS, "ab", buffering=0)  # noqa: SIM115
        self._close_broken_line()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._file.close()
        self._lock.release()

    def _close_broken_line(self) -> None:
        """A kill can leave half a line at the end; the next record must not be glued to it."""
        path = self.folder / RECORDS
        if path.stat().st_size:
            with open(path, "rb") as file:
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    self._file.write(b"\n")

    def append(self, records: Iterable[Record]) -> None:
        """Add records durably, all or none; raises StoreError where the disk is full."""
        data = "".join(dump(r) + "\n" for r in ordered(records)).encode()
        end = self._file.seek(0, os.SEEK_END)
        try:
            while data:
                data = data[self._file.write(data):]
            os.fsync(self._file.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.truncate(end)
            raise trouble(self.folder / RECORDS, error) from None

    def collect(self) -> list[Record]:
        """Append what finished jobs left in the inbox; returns the new records.

        A file that is damaged is set aside, so that its job counts as unfinished.
        """
        new: list[Record] = []
        for path in sorted((self.folder / "inbox").glob("*.jsonl")):
            try:
                records, damaged = assemble(path.read_bytes().splitlines(), path.name)
            except OSError as error:
                raise StoreError(f"'{path}' cannot be read ({error.strerror}); make it readable "
                                 "or move it away, then go on with --resume") from None
            if damaged or not records:
                self.set_aside.append(aside(path))
                continue
            self.append(records)
            path.unlink()
            new += records
        return new

    def finished(self) -> set[str]:
        """Keys of jobs that ended, whatever their status."""
        return {r.key for r in read(self.folder)[0] if isinstance(r, Job)}


def submit(folder: Path, key: str, records: Iterable[Record]) -> None:
    """A child's side of the store: leave a job's records for the writer, all or none."""
    lines = "".join(dump(r) + "\n" for r in ordered(records))
    save(folder / "inbox" / f"{key}.jsonl", lines.encode())


def withdraw(folder: Path) -> None:
    """Take back a run that was refused before its first job: its own files and empty folders.

    Whatever else lies there belongs to somebody, and stays.
    """
    if any(path.stat().st_size for path in folder.glob(RECORDS)) or any(folder.glob("inbox/*")):
        return
    own = [folder / name for name in ("run.json", RECORDS, ".lock", ".lock.held")]
    for sub, ending in FOLDERS.items():
        own += folder.glob(f"{sub}/*{ending}")
    for path in own:
        with contextlib.suppress(OSError):
            path.unlink()
    for sub in FOLDERS:
        with contextlib.suppress(OSError):  # something else lies in it
            (folder / sub).rmdir()
