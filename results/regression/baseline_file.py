"""Baseline files: a snapshot as JSON of short lines, so that a change of it can be read.

The last key is a digest of all others: a file that was cut or edited is refused. A name that ends
in ``.gz`` is compressed.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from bench.core.errors import ReportError
from bench.core.types import Array
from results.records.renamed import cell_of_today
from results.records.store import write_atomically
from results.regression.baseline import FloorSummary, SamplerOnTarget, Snapshot

#: A row of numbers, or the one that all its seeds share.
Numbers = list[float | None] | float | None

FORMAT, VERSION = "sample-quality baseline", 2


def save(snapshot: Snapshot, path: Path) -> int:
    """Write the file, whole or not at all; returns its bytes."""
    packed = path.suffix == ".gz"
    content = _content(snapshot)
    text = _lines({**content, "digest": _digest(content)}) + "\n"
    data = gzip.compress(text.encode(), 9, mtime=0) if packed else text.encode()
    try:
        write_atomically(path, data)
    except OSError as error:
        raise ReportError(f"cannot write '{path}': {error.strerror or error}; choose another "
                          "file") from None
    return len(data)


def read(path: Path) -> Snapshot:
    """The snapshot in a file; raises ReportError where there is none, or a damaged one."""
    try:
        data = path.read_bytes()
        raw = json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)
    except FileNotFoundError:
        raise ReportError(f"baseline '{path}' does not exist; freeze one with 'python -m bench "
                          "baseline DIR --to FILE'") from None
    except (OSError, ValueError, EOFError, zlib.error) as error:
        raise ReportError(f"'{path}' is cut off or no baseline ({error}); restore it, or freeze "
                          "a new one") from None
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise ReportError(f"'{path}' is no baseline file; freeze one with 'python -m bench "
                          "baseline DIR --to FILE'")
    if raw.get("v") not in (1, VERSION):
        raise ReportError(f"'{path}' is a baseline of version {raw.get('v')}, this program reads "
                          f"1 and {VERSION}; freeze a new one")
    if raw.pop("digest", None) != _digest(raw):
        raise ReportError(f"'{path}' was changed since it was frozen (its digest does not fit); "
                          "restore it, or freeze a new one")
    if raw["v"] == 1:
        raw["cells"] = [cell_of_today(cell) for cell in raw["cells"]]
    return _snapshot(raw)


def _content(s: Snapshot) -> dict[str, Any]:
    return {
        "format": FORMAT, "v": VERSION, "suite": s.suite, "made": s.made, "settings": s.settings,
        "curve_metric": s.curve_metric, "metrics": s.metrics, "targets": s.targets,
        "floors": {"/".join(map(str, key)): [f.median, f.upper, f.sd]
                   for key, f in sorted(s.floors.items())},
        "cells": [_cell(cell) for cell in s.cells]}


def _cell(cell: SamplerOnTarget) -> dict[str, Any]:
    failed = {str(seed): status for seed, status in zip(cell.seeds, cell.status, strict=True)
              if status != "ok"}
    return {"sampler": cell.sampler, "target": cell.target, "settings": cell.settings,
            "sizes": dict(zip(cell.metrics, cell.sizes, strict=True)), "seeds": list(cell.seeds),
            "failed": failed,
            "values": {m: _plain(row)
                       for m, row in zip(cell.metrics, cell.values, strict=True)},
            "evals": [_plain(row) for row in cell.evals],
            "curve": [_plain(row) for row in cell.curve],
            "seconds": list(cell.seconds), "bits": list(cell.bits)}


def _plain(row: Array) -> Numbers:
    """Numbers as JSON has them: None is inf, whole ones have no point, equal ones stand once."""
    kept = [None if not math.isfinite(v) else int(v) if float(v).is_integer() else float(v)
            for v in row]
    return kept[0] if len(set(kept)) == 1 else kept


def _array(rows: list[Numbers], seeds: int) -> Array:
    full = [row if isinstance(row, list) else [row] * seeds for row in rows]
    made = np.array([[np.inf if v is None else v for v in row] for row in full], dtype=float)
    return made.reshape(len(rows), seeds)


def _snapshot(raw: dict[str, Any]) -> Snapshot:
    floors = {}
    for key, summary in raw["floors"].items():
        target, metric, n = key.rsplit("/", 2)
        floors[target, metric, int(n)] = FloorSummary(*summary)
    return Snapshot(raw["suite"], raw["made"], raw["settings"], raw["targets"], raw["metrics"],
                    floors, tuple(_read_cell(c) for c in raw["cells"]), raw["curve_metric"])


def _read_cell(raw: dict[str, Any]) -> SamplerOnTarget:
    seeds = tuple(raw["seeds"])
    return SamplerOnTarget(raw["sampler"], raw["target"], raw["settings"], tuple(raw["values"]),
                tuple(raw["sizes"].values()), seeds,
                _array(list(raw["values"].values()), len(seeds)),
                _array(raw["evals"], len(seeds)), _array(raw["curve"], len(seeds)),
                tuple(raw["failed"].get(str(s), "ok") for s in seeds), tuple(raw["seconds"]),
                tuple(raw["bits"]))


def _digest(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _lines(value: Any, depth: int = 0) -> str:  # noqa: ANN401
    """JSON with a line for each list of numbers and each flat table."""
    inner = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(value, dict | list) or not any(isinstance(v, dict | list) for v in inner):
        return json.dumps(value)
    pad = " " * (depth + 1)
    if isinstance(value, dict):
        body = [f"{pad}{json.dumps(str(k))}: {_lines(v, depth + 1)}" for k, v in value.items()]
        return "{\n" + ",\n".join(body) + "\n" + " " * depth + "}"
    body = [pad + _lines(v, depth + 1) for v in value]
    return "[\n" + ",\n".join(body) + "\n" + " " * depth + "]"
