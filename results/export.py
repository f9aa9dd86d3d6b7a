"""Export: one tidy row a measure, joined with its job and checkpoint, for other programs."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from results.errors import ReportError
from results.folder import load
from results.frames import measures

SUFFIXES = (".csv", ".parquet", ".json")


def export(folder: Path, path: Path) -> int:
    """Write a run's measures to ``path`` by its suffix; returns the number of rows.

    Jobs without a measure keep one row, so that failures are not lost. CSV writes missing values
    as empty fields; JSON is a list of objects. Raises ReportError for another suffix or a path
    that cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ReportError(f"cannot export to '{path.name}': name a file that ends in "
                          f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
    frame = measures(load(Path(folder)))
    try:
        _write(frame, path, suffix)
    except OSError as error:
        raise ReportError(f"cannot write '{path}': {error.strerror or error}; choose another "
                          "path with --to") from None
    return len(frame)


def _write(frame: pd.DataFrame, path: Path, suffix: str) -> None:
    if suffix == ".csv":
        frame.to_csv(path, index=False)
    elif suffix == ".parquet":
        frame.to_parquet(path, index=False)
    else:
        frame.to_json(path, orient="records", indent=1, double_precision=15)
