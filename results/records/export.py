"""Export: one tidy row a measure, joined with its job and checkpoint, for other programs."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from bench.core.errors import ReportError
from results.records.frames import measures
from results.records.run_folder import load
from results.records.store import write_atomically

SUFFIXES = (".csv", ".parquet", ".json")


def export(folder: Path, path: Path) -> int:
    """Write a run's measures to ``path`` by its suffix; returns the number of rows.

    Jobs without a measure keep one row, so that failures are not lost. CSV writes missing values
    as empty fields; JSON is a list of objects; Parquet needs pyarrow (the ``arrow`` extra). Raises
    ReportError for another suffix, a missing pyarrow or a path that cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ReportError(f"cannot export to '{path.name}': name a file that ends in "
                          f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
    if suffix == ".parquet" and find_spec("pyarrow") is None:
        raise ReportError("writing .parquet needs pyarrow: pip install 'sampler-bench[arrow]', or "
                          "name a .csv or .json file")
    frame = measures(load(Path(folder)))
    if not path.parent.is_dir():
        raise ReportError(f"cannot write '{path}': there is no folder '{path.parent}'; choose "
                          "another path with --to")
    try:
        write_atomically(path, _content(frame, suffix))
    except OSError as error:
        raise ReportError(f"cannot write '{path}': {error.strerror or error}; choose another "
                          "path with --to") from None
    return len(frame)


def _content(frame: pd.DataFrame, suffix: str) -> bytes:
    if suffix == ".parquet":
        return bytes(frame.to_parquet(index=False))
    text = (frame.to_csv(index=False) if suffix == ".csv" else
            frame.to_json(orient="records", indent=1, double_precision=15))
    return str(text).encode("utf-8", "replace")
