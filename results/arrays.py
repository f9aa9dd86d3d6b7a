"""Files of plain arrays in a run's folder: read whole, or said to be damaged; never unpickled."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from results.store import StoreError


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
