"""What a run and its children tell each other: the one place where it becomes text and back.

A child is told one task (``bench.jobs.spec``), and answers with events. Each is one line of JSON.
A child runs a user's code, which may write anything: a line that is no event is ``None``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

from bench.core.cost import Cost
from bench.core.serialised import decode, encode
from bench.jobs.spec import DoJobs, PrepareTargets

Work = PrepareTargets | DoJobs


@dataclass(frozen=True)
class Started:
    """A job begins."""

    key: str


@dataclass(frozen=True)
class Reached:
    """A job has reached a checkpoint: what it had spent, and values by the metric's label."""

    key: str
    progress: float
    steps: int
    spent: Cost
    values: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Ended:
    """A job has ended, and has left what it leaves."""

    key: str
    status: str


@dataclass(frozen=True)
class Prepared:
    """A target is prepared; its facts belong into the run's header."""

    label: str
    facts: dict[str, Any]


@dataclass(frozen=True)
class Stopped:
    """The task cannot be done, for a reason that ends the run; ``cause`` says whose it is."""

    cause: Literal["user", "store"]
    message: str


@dataclass(frozen=True)
class Done:
    """The task is done."""


Event = Started | Reached | Ended | Prepared | Stopped | Done
_EVENTS: dict[str, type[Event]] = {
    "started": Started, "reached": Reached, "ended": Ended, "prepared": Prepared,
    "stopped": Stopped, "done": Done}
_WORK: dict[str, type[Work]] = {"prepare": PrepareTargets, "jobs": DoJobs}


def task_line(work: Work) -> bytes:
    """A task as a line."""
    return _line(_WORK, work)


def read_task(line: bytes) -> Work:
    """The task that a line tells."""
    raw = json.loads(line)
    return decode(_WORK[raw.pop("is")], raw)


def event_line(event: Event) -> bytes:
    """An event as a line."""
    return _line(_EVENTS, event)


def read_event(line: bytes) -> Event | None:
    """The event that a line tells; None where it tells none."""
    try:
        raw = json.loads(line)
        return decode(_EVENTS[raw.pop("is")], raw)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _line(names: dict[str, Any], value: object) -> bytes:
    (name,) = [name for name, cls in names.items() if type(value) is cls]
    return json.dumps({"is": name, **encode(value)}).encode() + b"\n"
