"""Files of plain arrays in a run's folder: read whole, or said to be damaged; never unpickled."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.core.errors import StoreError
from results.records.store import save


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an ``.npz`` file; StoreError where it is not there or damaged.

    The checksums that the format holds are compared, which NumPy does not do by itself.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
        if broken is not None:
            raise ValueError(f"the checksum of '{broken}' does not fit")
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except FileNotFoundError:
        raise StoreError(f"'{path}' is missing; make it again with --resume") from None
    except Exception as error:  # what a damaged archive raises is nowhere listed
        raise StoreError(f"'{path}' cannot be read ({type(error).__name__}: {error}); make it "
                         "again with --resume") from None


def save_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write an ``.npz`` file whole or not at all; StoreError where the disk refuses."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    save(path, buffer.getvalue())
