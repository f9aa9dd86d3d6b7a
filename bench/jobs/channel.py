"""The line between a run and a child: a socket of its own, which nothing that prints can reach.

The run sends one line, the task, and then keeps its end open for as long as it lives. The child
answers with events, one JSON object a line.
"""

from __future__ import annotations

import json
import os
import socket
from typing import Any

from bench.core.cost import Cost

#: Events, and what each must hold.
FIELDS: dict[str, dict[str, type | tuple[type, ...]]] = {
    "start": {"key": str},
    "look": {"key": str, "progress": (int, float), "steps": int, "spent": dict, "values": dict},
    "end": {"key": str, "status": str},
    "target": {"label": str, "facts": dict},
    "error": {"sort": str, "message": str},
    "done": {},
}


class Line:
    """A child's end."""

    def __init__(self, descriptor: int) -> None:
        self.socket = socket.socket(fileno=descriptor)
        self.socket.set_inheritable(False)

    def task(self) -> dict[str, Any]:
        """What to do; waits for it."""
        line = bytearray()
        while not line.endswith(b"\n"):
            chunk = self.socket.recv(65536)
            if not chunk:
                raise SystemExit(1)  # the run has died
            line += chunk
        task: dict[str, Any] = json.loads(line)
        return task

    def belongs_here(self) -> None:
        """From now on only this process tells; what it forks holds the line and must not."""
        self._home = os.getpid()

    def is_here(self) -> bool:
        """Whether this is the process that tells, not a copy of it."""
        return os.getpid() == self._home

    def tell(self, event: dict[str, Any]) -> None:
        """Send an event; raises OSError where somebody has closed the line."""
        if self.is_here():
            self.socket.sendall(json.dumps(event).encode() + b"\n")


def understood(line: bytes) -> dict[str, Any] | None:
    """The event that a line holds; None where it holds none."""
    try:
        event = json.loads(line)
        fields = FIELDS[event["event"]]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if not all(isinstance(event.get(name), sort) for name, sort in fields.items()):
        return None
    if event["event"] != "look":
        return event
    shown = [event["progress"], event["steps"], *event["values"].values(),
             *event["spent"].values()]
    known = event["spent"].keys() <= Cost.__dataclass_fields__.keys()
    return event if known and all(map(_shown, shown)) else None


def _shown(value: object) -> bool:
    """Whether a value is a number that can be formatted: JSON has whole ones beyond all floats."""
    return isinstance(value, float) or (isinstance(value, int) and abs(value) < 2**63)
