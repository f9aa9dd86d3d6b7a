"""The line between a run and a child: a socket of its own, which nothing that prints can reach.

The run sends one line, the task, and then keeps its end open for as long as it lives. The child
answers with events. What such lines say is ``bench.jobs.messages``' business; this module loads
nothing, since the process that watches over a job uses it.
"""

from __future__ import annotations

import os
import socket


class Line:
    """A child's end."""

    def __init__(self, descriptor: int) -> None:
        self.socket = socket.socket(fileno=descriptor)
        self.socket.set_inheritable(False)

    def task(self) -> bytes:
        """The line that says what to do; waits for it."""
        line = bytearray()
        while not line.endswith(b"\n"):
            chunk = self.socket.recv(65536)
            if not chunk:
                raise SystemExit(1)  # the run has died
            line += chunk
        return bytes(line)

    def belongs_here(self) -> None:
        """From now on only this process tells; what it forks holds the line and must not."""
        self._home = os.getpid()

    def is_here(self) -> bool:
        """Whether this is the process that tells, not a copy of it."""
        return os.getpid() == self._home

    def tell(self, event: bytes) -> None:
        """Send the line of an event; raises OSError where somebody has closed the socket."""
        if self.is_here():
            self.socket.sendall(event)
