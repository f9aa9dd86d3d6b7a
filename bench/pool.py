"""Local slots: tasks in child processes, each with a wall limit and a memory limit.

A child that hangs, dies or eats the memory ends as a named outcome; the others go on. Nothing
outlives the parent.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Task:
    """Something for a child to do. ``wall_limit`` holds anew after each job that starts."""

    name: str
    spec: dict[str, Any]
    wall_limit: float


@dataclass(frozen=True)
class End:
    """How a child ended: ``ok``, or a status with its reason."""

    task: Task
    status: str
    reason: str
    current: str  # key of the job that was running, "" if none


@dataclass
class _Child:
    task: Task
    process: subprocess.Popen[bytes]
    log: IO[bytes]
    deadline: float
    current: str = ""
    buffer: bytes = b""
    verdict: tuple[str, str] | None = None
    error: str = ""


def resident_bytes(pid: int) -> int:
    """Memory a process holds, or 0 where that cannot be read."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except (OSError, IndexError, ValueError):
        return 0


def machine_memory() -> int:
    """Bytes of the machine."""
    return os.sysconf("SC_PHYS_PAGES") * PAGE


class Pool:
    """``slots`` children at a time; ``on_event`` hears what they tell, ``on_end`` how they end."""

    def __init__(self, slots: int, threads: int, logs: Path) -> None:
        self.slots, self.logs = slots, logs
        self.memory_limit = int(0.9 * machine_memory() / slots)
        variables = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        self._environment = {**os.environ, **dict.fromkeys(variables, str(threads)),
                             "PYTHONUNBUFFERED": "1", "POT_BACKEND_DISABLE_PYTORCH": "1"}
        self._children: list[_Child] = []
        self._selector = selectors.DefaultSelector()

    def run(self, tasks: Iterable[Task], on_event: Callable[[Task, dict[str, Any]], None],
            on_end: Callable[[End], list[Task]], on_tick: Callable[[], None]) -> None:
        """Do all tasks; ``on_end`` may return more. On the way out every child is killed."""
        waiting = deque(tasks)
        try:
            while waiting or self._children:
                while waiting and len(self._children) < self.slots:
                    self._start(waiting.popleft())
                self._listen(on_event)
                for child in [c for c in self._children if c.process.poll() is not None]:
                    self._drain(child, on_event)
                    waiting.extendleft(reversed(on_end(self._finish(child))))
                for child in self._children:
                    self._police(child)
                on_tick()
        finally:
            for child in list(self._children):
                child.process.kill()
                child.process.wait()
                self._close(child)

    def _start(self, task: Task) -> None:
        log = open(self.logs / f"{task.name}.txt", "wb")  # noqa: SIM115
        process = subprocess.Popen([sys.executable, "-m", "bench.child"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=log, env=self._environment,
                                   start_new_session=True)
        assert process.stdin is not None and process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # then it is dead, and its exit code says how
            process.stdin.write(json.dumps(task.spec).encode() + b"\n")
            process.stdin.flush()
        os.set_blocking(process.stdout.fileno(), False)
        child = _Child(task, process, log, time.monotonic() + task.wall_limit)
        self._selector.register(process.stdout, selectors.EVENT_READ, child)
        self._children.append(child)

    def _listen(self, on_event: Callable[[Task, dict[str, Any]], None]) -> None:
        for key, _ in self._selector.select(timeout=0.1):
            self._drain(key.data, on_event)

    def _drain(self, child: _Child, on_event: Callable[[Task, dict[str, Any]], None]) -> None:
        assert child.process.stdout is not None
        while chunk := child.process.stdout.read(65536):
            child.buffer += chunk
        *lines, child.buffer = child.buffer.split(b"\n")
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError:
                continue  # a sampler printed something
            if not isinstance(event, dict) or "event" not in event:
                continue
            if event["event"] == "start":
                child.current = event["key"]
                child.deadline = time.monotonic() + child.task.wall_limit
            elif event["event"] == "end":
                child.current = ""
            elif event["event"] == "error":
                child.error = event["message"]
            on_event(child.task, event)

    def _police(self, child: _Child) -> None:
        if time.monotonic() > child.deadline:
            child.verdict = ("timeout", f"no end within {child.task.wall_limit:.0f} s by the wall "
                             "clock")
        elif resident_bytes(child.process.pid) > self.memory_limit:
            child.verdict = ("out-of-memory", f"held more than {self.memory_limit / 2**30:.1f} "
                             "GiB, its share of the machine")
        if child.verdict:
            child.process.kill()

    def _close(self, child: _Child) -> None:
        assert child.process.stdout is not None and child.process.stdin is not None
        self._selector.unregister(child.process.stdout)
        self._children.remove(child)
        for stream in (child.process.stdout, child.log):
            stream.close()
        with contextlib.suppress(BrokenPipeError):
            child.process.stdin.close()

    def _finish(self, child: _Child) -> End:
        self._close(child)
        status, reason = child.verdict or _verdict(child)
        log = Path(child.log.name)
        if not log.stat().st_size:
            log.unlink()
        return End(child.task, status, reason, child.current)


def _verdict(child: _Child) -> tuple[str, str]:
    code = child.process.returncode
    if code == 0:
        return "ok", ""
    if child.error:
        return "user-error", child.error
    if code < 0:
        return "killed", f"ended by {signal.Signals(-code).name}"
    said = Path(child.log.name).read_text(errors="replace").strip().splitlines()
    return "failed", f"the process ended with exit code {code}: {said[-1] if said else 'silent'}"
