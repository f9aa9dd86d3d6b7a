"""The clock: what a job has spent in seconds, stopped at checkpoints."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from bench.core.cost import Cost
from bench.harness.processes import cpu_seconds

#: How many steps the host may run ahead of a CUDA device before the budget is read.
LAG = 16


class Clock:
    """Accumulates device, CPU and wall seconds while it runs.

    On a CPU a device second is a second of processor time of all threads and of all processes that
    were started: the other jobs of a busy machine do not eat the budget, a second thread or a
    helper process does. On CUDA it is wall time between two synchronised points, of a device that
    runs one job at a time.
    """

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self._device = device
        self._past = Cost()
        self._since: tuple[float, float] | None = None
        self._queue: deque[torch.cuda.Event] = deque()

    @contextmanager
    def timing(self) -> Iterator[None]:
        """Let the clock run; the device is synchronised at both ends."""
        self._synchronise()
        self._since = (cpu_seconds(), time.perf_counter())
        try:
            yield
        finally:
            self._synchronise()
            self._past, self._since = self._past + self._current(), None

    def read(self) -> Cost:
        """Seconds of each kind so far."""
        return self._past if self._since is None else self._past + self._current()

    def subtract(self, cpu: float, wall: float) -> None:
        """Subtract what is not charged: compiling, in seconds by processor and by wall."""
        self._past = self._past - Cost(seconds=wall if self._cuda else cpu, cpu=cpu, wall=wall)

    def seconds(self) -> float:
        """Device seconds so far; on CUDA true to within ``LAG`` readings of queued work."""
        if self._since is None:
            return self._past.seconds
        if self._cuda:
            self._follow()
            return self._past.seconds + time.perf_counter() - self._since[1]
        return self._past.seconds + cpu_seconds() - self._since[0]

    def _current(self) -> Cost:
        assert self._since is not None
        cpu, wall = cpu_seconds() - self._since[0], time.perf_counter() - self._since[1]
        return Cost(seconds=wall if self._cuda else cpu, cpu=cpu, wall=wall)

    def _follow(self) -> None:
        event = torch.cuda.Event()
        event.record(torch.cuda.current_stream(self._device))
        self._queue.append(event)
        if len(self._queue) > LAG:
            self._queue.popleft().synchronize()

    def _synchronise(self) -> None:
        if self._cuda:
            torch.cuda.synchronize(self._device)
            self._queue.clear()
