"""A finished run made small enough to commit: its records compressed, without samples and grids.

An archive is a run's folder to everything that reads (report, compare, export); it is not resumed.
"""

from __future__ import annotations

import gzip
import json
import shlex
import shutil
from pathlib import Path

from bench.core.errors import ReportError
from results.records.command_line import without_options
from results.records.run_folder import load
from results.records.store import PACKED, RECORDS, write_atomically

#: Options of the run's command that say where it lay and how fast it went, not what it was.
PRIVATE = ("--out", "--resume", "--workers")


def archive(folder: Path, to: Path) -> int:
    """Write the archive of a run into the empty or new folder ``to``; returns its bytes.

    Floors stay: verdicts are computed from them. The command loses its private folders. The same
    run gives the same bytes.
    """
    head = dict(load(folder).header)  # raises StoreError where there is no run
    head["command"] = shlex.join(without_options(str(head.get("command") or ""), PRIVATE))
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise ReportError(f"'{to}' is not an empty folder; choose another with --to")
    lines = (folder / RECORDS) if (folder / RECORDS).exists() else None
    if lines is None:
        raise ReportError(f"'{folder}' is an archive already; copy it")
    part = to.absolute().with_name(f".{to.name}.part")
    try:
        write_atomically(part / "run.json", json.dumps(head, indent=1).encode())
        (part / "floors").mkdir(exist_ok=True)
        for file in (folder / "floors").iterdir():
            shutil.copyfile(file, part / "floors" / file.name)
        write_atomically(part / PACKED, gzip.compress(lines.read_bytes(), 9, mtime=0))
        part.replace(to)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise ReportError(f"cannot write '{to}': {error.strerror or error}; make room there, or "
                          "choose another folder with --to") from None
    return sum(path.stat().st_size for path in to.rglob("*") if path.is_file())
