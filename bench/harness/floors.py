"""Floors of a target: what each metric gives on exact points, to compare a value with."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from results.records.arrays import read_arrays, save_arrays

#: The entry of a floors file that says why a floor is missing, as JSON by ``metric/n``.
LEFT_OUT = "left out"


@dataclass(frozen=True)
class Floors:
    """Null draws by ``metric/n`` (the metric's label, the number of points), and what is missing.

    ``draws`` holds float64 arrays of shape (R,): values of the estimator on R sets of n exact
    points. ``left_out`` says why a metric has no floor at some n.
    """

    draws: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Floors:
        """The floors of a file; none where there is no file; StoreError where it is damaged."""
        return cls.of_arrays(read_arrays(path)) if path.exists() else cls()

    @classmethod
    def of_arrays(cls, stored: dict[str, np.ndarray]) -> Floors:
        """The floors among the arrays of a file."""
        return cls({key: draws.astype(np.float64) for key, draws in stored.items() if "/" in key},
                   dict(json.loads(str(stored.get(LEFT_OUT, "{}")))))

    def save(self, path: Path) -> None:
        """Write the file whole or not at all; StoreError where the disk refuses."""
        save_arrays(path, {**self.draws, LEFT_OUT: np.array(json.dumps(self.left_out))})
