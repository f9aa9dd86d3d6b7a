"""Floors on disk: null distributions of metrics on one target, as a NumPy archive.

METRIC/N     float32, one value a draw; N is the number of points the metric really uses. In a
run's folder METRIC is the label the suite gives the metric.
fingerprint  float64, how the target behaved                        (committed floors)
versions     JSON text, metric -> version                           (committed floors)
left out     JSON text, METRIC/N -> why there is no floor           (a run's floors)
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.core.errors import StoreError
from results.records.arrays import read_arrays, save_arrays

_FINGERPRINT, _VERSIONS, _LEFT_OUT = "fingerprint", "versions", "left out"


@dataclass(frozen=True)
class Floors:
    """Null draws by ``METRIC/N``, why some are missing, and what they were drawn for.

    ``draws`` holds float64 arrays of shape (R,): values of the estimator on R sets of N exact
    points. ``left_out`` says why a metric has no floor at some N. ``fingerprint`` (of the target)
    and ``versions`` (of the metrics) are those of committed floors.
    """

    draws: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    fingerprint: tuple[float, ...] | None = None
    versions: dict[str, int] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Floors:
        """The floors of a file; none where there is no file; StoreError where it is damaged."""
        if not path.exists():
            return cls()
        stored = read_arrays(path)
        try:
            draws = {key: _draws(values) for key, values in stored.items() if "/" in key}
            left_out, versions = (dict(json.loads(str(stored.get(key, "{}"))))
                                  for key in (_LEFT_OUT, _VERSIONS))
        except (TypeError, ValueError) as error:
            raise StoreError(f"'{path}' holds no floors ({error}); make it again") from None
        known = stored.get(_FINGERPRINT, np.array(""))
        numbers = known.dtype.kind == "f" and known.ndim == 1
        return cls(draws, left_out, tuple(known.tolist()) if numbers else None, versions)

    def save(self, path: Path) -> None:
        """Write the file whole or not at all; StoreError where the disk refuses."""
        arrays: dict[str, NDArray[Any]] = {key: values.astype(np.float32)
                                           for key, values in self.draws.items()}
        if self.left_out or self.fingerprint is None:
            arrays[_LEFT_OUT] = np.array(json.dumps(self.left_out))
        if self.fingerprint is not None:
            arrays[_FINGERPRINT] = np.array(self.fingerprint, dtype=np.float64)
            arrays[_VERSIONS] = np.array(json.dumps(self.versions))
        save_arrays(path, arrays)


def _draws(values: NDArray[Any]) -> NDArray[np.float64]:
    if values.ndim != 1:
        raise ValueError("the draws of a null distribution must be numbers in a row")
    return np.asarray(values, dtype=np.float64)
