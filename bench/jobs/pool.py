"""Local slots: tasks in child processes, each with a wall limit and a memory limit.

A child that hangs, dies or eats the memory ends as a named outcome; the others go on. Nothing
outlives the parent, nor a child: not what a sampler started either.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from bench.harness.processes import exceeds
from bench.jobs.machine import memory
from bench.jobs.messages import Done, Ended, Event, Started, Stopped, read_event, task_line
from bench.jobs.spec import Task
from results.records.schema import Status

#: Seconds a child has to go when it has done all, or was told to.
GRACE = 10.0
#: Seconds a child has to load this program before its first job, on a busy machine too.
START_UP = 120.0

#: A child imports from where we do; ``python -m`` would look in the working folder first, where a
#: user's torch.py may lie.
CHILD = "import sys; sys.path[:] = {!a}; from bench.jobs.child import main; sys.exit(main())"


@dataclass(frozen=True)
class End:
    """How a child ended: ``ok``, or a job's status with its reason.

    ``cause``: where it said that the run cannot go on, whose fault that is; "" elsewhere.
    """

    task: Task
    status: Status
    reason: str
    current: str  # key of the job that was running, "" if none
    cause: Literal["", "user", "store"] = ""


@dataclass
class _Child:
    task: Task
    process: subprocess.Popen[bytes]
    line: socket.socket
    log: IO[bytes]
    logged: int  # bytes that stood in the log before
    deadline: float
    current: str = ""
    buffer: bytes = b""
    verdict: tuple[Status, str] | None = None
    stopped: Stopped | None = None


class ProcessPool:
    """``slots`` children at a time; ``on_event`` hears what they tell, ``on_end`` how they end."""

    def __init__(self, slots: int, threads: int, logs: Path) -> None:
        self.slots, self.logs = slots, logs
        self.memory_limit = int(0.9 * memory() / slots)
        variables = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        self._environment = {**os.environ, **dict.fromkeys(variables, str(threads)),
                             "PYTHONUNBUFFERED": "1", "POT_BACKEND_DISABLE_PYTORCH": "1"}
        self._children: list[_Child] = []
        self._selector = selectors.DefaultSelector()

    def complete(self, tasks: Iterable[Task], on_event: Callable[[Task, Event], None],
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
            for child in self._children:
                child.process.terminate()
            for child in list(self._children):
                _wait(child.process)
                self._close(child)

    def _start(self, task: Task) -> None:
        log = open(self.logs / f"{task.name}.txt", "ab")  # noqa: SIM115
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", CHILD.format(sys.path), str(theirs.fileno())],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment,
                pass_fds=[theirs.fileno()], start_new_session=True)
        with contextlib.suppress(OSError):  # then it is dead, and its exit code says how
            ours.sendall(task_line(task.work))
        ours.setblocking(False)
        child = _Child(task, process, ours, log, log.tell(),
                       time.monotonic() + max(task.wall_limit, START_UP))
        self._selector.register(ours, selectors.EVENT_READ, child)
        self._children.append(child)

    def _listen(self, on_event: Callable[[Task, Event], None]) -> None:
        for key, _ in self._selector.select(timeout=0.1):
            self._drain(key.data, on_event)

    def _drain(self, child: _Child, on_event: Callable[[Task, Event], None]) -> None:
        with contextlib.suppress(OSError):  # nothing is there, or nobody any more
            while chunk := child.line.recv(65536):
                child.buffer += chunk
        *lines, child.buffer = child.buffer.split(b"\n")
        for line in lines:
            event = read_event(line)
            if event is None:
                child.log.write(b"ignored, since it is no event: " + line[:200] + b"\n")
                child.log.flush()
                continue
            self._note(child, event)
            on_event(child.task, event)

    def _note(self, child: _Child, event: Event) -> None:
        if isinstance(event, Started):
            child.current = event.key
            child.deadline = time.monotonic() + child.task.wall_limit
        elif isinstance(event, Ended):
            child.current = ""
        elif isinstance(event, Stopped):
            child.stopped = event
        elif isinstance(event, Done):  # what keeps it from ending now is nobody's job
            child.deadline = time.monotonic() + GRACE

    def _police(self, child: _Child) -> None:
        late = time.monotonic() - child.deadline
        if child.verdict:
            if late > GRACE:
                child.process.kill()
            return
        child.verdict = self._overrun(child, late)
        if child.verdict is not None:
            child.deadline = time.monotonic()
            child.process.terminate()

    def _overrun(self, child: _Child, late: float) -> tuple[Status, str] | None:
        """Which of its limits a child has overrun, if any."""
        if late > 0:
            return "timeout", f"no end within {child.task.wall_limit:.0f} s by the wall clock"
        if exceeds(child.process.pid, self.memory_limit):
            return "out-of-memory", (f"held more than {self.memory_limit / 2**30:.1f} GiB, its "
                                     "share of the machine")
        return None

    def _close(self, child: _Child) -> None:
        self._selector.unregister(child.line)
        self._children.remove(child)
        child.line.close()
        child.log.close()

    def _finish(self, child: _Child) -> End:
        self._close(child)
        verdict = child.verdict or _verdict(child)  # before an empty log goes
        log = Path(child.log.name)
        if not log.stat().st_size:
            log.unlink()
        if child.stopped is not None:
            return End(child.task, "failed", child.stopped.message, child.current,
                       child.stopped.cause)
        status, reason = verdict
        return End(child.task, status, reason, child.current)


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _verdict(child: _Child) -> tuple[Status, str]:
    code = child.process.returncode
    if code == 0:
        return "ok", ""
    if code < 0:
        return "killed", f"ended by {signal.Signals(-code).name}"
    return "failed", f"the process ended with exit code {code}: {_last_line(child) or 'silent'}"


def _last_line(child: _Child) -> str:
    """The last of what it printed; an earlier child may have used the same log."""
    with open(child.log.name, "rb") as log:
        log.seek(max(child.logged, log.seek(0, os.SEEK_END) - 4096))
        said = log.read().decode(errors="replace").strip().splitlines()
    return said[-1] if said else ""
