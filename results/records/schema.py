"""Records: versioned lines of plain values with a checksum, of three kinds, joined by a job's key.

``job``: what ran, with which parameters, on what; its status with the reason; its cost.
``checkpoint``: how far a job was and what it had spent when it was judged.
``measure``: one metric at one checkpoint.

A line ends with the CRC-32 of what stands before it: that notices any damage within 32
neighbouring bits, any one or two bits wherever they are, and other damage but for one case in four
billion. It is no signature: who edits a line can make it anew. Lines of version 1 have none and
are read. Older versions call the baseline samplers by other names (``records.renamed``).
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import zlib
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from bench.core.cost import Cost
from results.records.renamed import job_of_today

VERSION = 3
#: Of ``run.json``.
HEADER_VERSION = 2
_SEAL = ',"crc":"{:08x}"}}'
_SEALED = len(_SEAL.format(0))

#: Every way a job can end. ``ok`` is the only one that is ranked.
Status = Literal["ok", "diverged", "failed", "timeout", "killed", "out-of-memory",
                 "unaffordable", "unsupported", "target-failed"]
STATUSES: tuple[Status, ...] = get_args(Status)
#: The sampler could not answer for a reason that is not its own: it declines the target, or the
#: target raised while the sampler asked it. Shown, never ranked, never counted against it.
UNANSWERED: tuple[Status, ...] = ("unsupported", "target-failed")


def joined(*names: str) -> str:
    """Names as one, ``a--b``: different names give different ones, also where they hold hyphens.

    A hyphen at an end of a name or next to another is written ``+``, which no label may hold; so
    no part holds ``--`` or touches one with a hyphen of its own, and the whole can be taken apart.
    """
    return "--".join(re.sub(r"^-+|-+$|-{2,}", lambda run: "+" * len(run[0]), name)
                     for name in names)


class BadRecord(ValueError):
    """A line that is no record, with the reason."""


@dataclass(frozen=True)
class Job:
    """One sampler on one target with one seed, and how it ended."""

    key: str
    sampler: str  # the registered name
    label: str  # the name in the suite; differs from ``sampler`` for a variant
    target: str  # the target's name in the suite
    seed: int
    kind: str  # amortised, continuing, one-shot, baseline
    status: Status
    reason: str = ""
    learned: bool = False
    anneals: bool = False
    preset: str = ""  # "" means the sampler's own defaults
    params: dict[str, Any] = field(default_factory=dict)
    target_params: dict[str, Any] = field(default_factory=dict)
    currency: str = "seconds"  # or "evals" or "steps": what the budget counts
    budget: float = 0.0
    device: str = "cpu"
    dtype: str = "float32"
    threads: int = 1
    steps: int = 0
    updates: int = 0
    train: Cost = field(default_factory=Cost)
    draw: Cost = field(default_factory=Cost)  # the one final draw
    overshoot: float = 0.0  # share of the budget spent beyond it
    warmup_seconds: float = 0.0
    scoring_seconds: float = 0.0
    peak_memory_mb: float = 0.0
    probe: tuple[float, float] = (0.0, 0.0)  # seconds of a fixed computation before and after
    ladder: tuple[tuple[int, float], ...] = ()  # (n, seconds) of fresh draws, amortised only
    renewal: tuple[int, float] | None = None  # (points held, steps until fresh)
    diagnostics: dict[str, float] = field(default_factory=dict)
    fingerprint: str = ""  # of the target
    graphs: int = 0  # compiled in this job; the seeds of a process share them
    compile_seconds: float = 0.0  # by the wall, on no clock
    compile_note: str = ""  # what was asked to be compiled and could not be
    uncharged: Cost = field(default_factory=Cost)  # of warm-up, ladder and log-weights
    notes: tuple[str, ...] = ()  # what a reader of this job's numbers must know, a sentence each
    lines: int = field(default=-1, compare=False)  # how many before it are its own; -1: not said
    sort: str = "job"


@dataclass(frozen=True)
class Checkpoint:
    """What a job had spent when it was judged; ``progress`` is the share of the budget."""

    key: str
    index: int
    progress: float
    steps: int
    spent: Cost
    drawn: int
    draw: Cost
    final: bool = False
    diagnostics: dict[str, float] = field(default_factory=dict)
    sort: str = "checkpoint"


@dataclass(frozen=True)
class Measure:
    """One metric at one checkpoint, with the null distribution of its estimator.

    ``stage`` is ``curve`` (few points, every checkpoint) or ``final`` (the table, last state).
    ``p`` is (1 + number of floor draws at least as bad) / (draws + 1).
    """

    key: str
    index: int
    stage: str
    metric: str  # its label in the suite: one metric can be taken in two settings
    version: int
    n: int
    value: float | None
    se: float | None = None
    floor_mean: float | None = None
    floor_sd: float | None = None
    p: float | None = None
    parts: tuple[float, ...] = ()  # numbers the value was made from, such as mode counts
    seconds: float = 0.0
    note: str = ""
    sort: str = "measure"


Record = Job | Checkpoint | Measure
_SORTS: dict[str, type[Job] | type[Checkpoint] | type[Measure]] = {
    "job": Job, "checkpoint": Checkpoint, "measure": Measure}
_FIELDS = {cls: frozenset(f.name for f in dataclasses.fields(cls)) for cls in _SORTS.values()}
_COSTS = {"train", "draw", "spent", "uncharged"}
_KINDS: dict[type, dict[str, Any]] = {
    cls: {f.name: f.type for f in dataclasses.fields(cls) if f.type in ("int", "float")}
    for cls in (Job, Checkpoint, Measure, Cost)}


def _plain(value: Any) -> Any:  # noqa: ANN401
    """A JSON value; numbers that are not finite become None, since JSON has no word for them."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


def dump(record: Record) -> str:
    """One line without its newline."""
    fields = {"v": VERSION, **_plain(dataclasses.asdict(record))}
    body = json.dumps(fields, allow_nan=False, separators=(",", ":"))[:-1]
    return body + _SEAL.format(zlib.crc32(body.encode()))


def parse(line: str) -> Record:
    """The record of a line; raises BadRecord with the reason. Unknown fields are left out."""
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadRecord(f"not JSON ({getattr(error, 'msg', error)})") from None
    if not isinstance(raw, dict):
        raise BadRecord("not a job, checkpoint or measure")
    _check_seal(line, raw)
    cls = _SORTS.get(str(raw.get("sort")))
    if cls is None:
        raise BadRecord("not a job, checkpoint or measure")
    known = _FIELDS[cls]
    values = {k: v for k, v in raw.items() if k in known}
    if cls is Job and raw["v"] < VERSION:
        values = job_of_today(values)
    try:
        for name in _COSTS & values.keys():
            values[name] = Cost(**_numbers(Cost, values[name]))
        values = _numbers(cls, values)
        for name in ("probe", "renewal", "parts", "notes"):
            if values.get(name) is not None:
                values[name] = tuple(math.nan if v is None else v for v in values[name])
        if "ladder" in values:
            values["ladder"] = tuple((int(n), float(s)) for n, s in values["ladder"])
        return cls(**values)
    except (TypeError, ValueError) as error:
        raise BadRecord(f"fields do not fit: {error}") from None


def _numbers(cls: type, values: dict[str, Any]) -> dict[str, Any]:
    """The values, with None as the float that was not finite when it was written.

    Raises TypeError where a field of a number holds none: a count is always one.
    """
    made = dict(values)
    for name, kind in _KINDS[cls].items():
        value = made.get(name, 0)
        if value is None and kind == "float":
            made[name] = math.nan
        elif not isinstance(value, int | float):
            raise TypeError(f"'{name}' is no number")
    return made


def _check_seal(line: str, raw: dict[str, Any]) -> None:
    """Refuse a line that was damaged after it was written."""
    sealed = line[-_SEALED:] == _SEAL.format(zlib.crc32(line[:-_SEALED].encode()))
    version = raw.get("v")
    if version not in range(1, VERSION + 1):
        raise BadRecord(f"version {version}, this program reads 1 to {VERSION}")
    if not sealed and not (version == 1 and "crc" not in raw):
        raise BadRecord("its checksum does not fit: the line was damaged")
