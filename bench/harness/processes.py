"""The processes that a process has started: which they are, what they use, and their end.

They are found by the lists of children that Linux keeps under ``/proc``. Elsewhere only those that
have ended, and whose end was waited for, are counted, and only those of one process group killed.
Imports nothing heavy: the process that watches over a job uses it too.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import time
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
TICK = 1.0 / os.sysconf("SC_CLK_TCK")
#: Seconds after which what cannot be killed (it hangs in the kernel) is left to the machine.
PATIENCE = 5.0


def descendants(pid: int) -> list[int]:
    """All that a process has started and not yet waited for, and all that those have started."""
    found: list[int] = []
    ahead = [pid]
    while ahead:
        started = _children(ahead.pop())
        found += started
        ahead += started
    return found


def cpu_seconds() -> float:
    """Processor time of this process, all its threads, and all processes it has started.

    Read at every step, so that the usual case, no child at all, must cost microseconds.
    """
    while _has_children():
        reaped = _reaped()
        alive = sum(map(_used, descendants(os.getpid())))
        if _reaped() == reaped:  # else one has just gone from the one sum to the other
            return time.process_time() + reaped + alive
    return time.process_time() + _reaped()


def exceeds(pid: int, limit: float) -> bool:
    """Whether a process and all it has started hold more memory than ``limit`` bytes.

    Pages that processes share count once. To find that out is slow, so it comes second.
    """
    everybody = [pid, *descendants(pid)]
    return (sum(map(resident_bytes, everybody)) > limit
            and sum(map(_proportional_bytes, everybody)) > limit)


def resident_bytes(pid: int) -> int:
    """Memory a process holds, shared pages included; 0 where that cannot be read."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except (OSError, IndexError, ValueError):
        return 0


def end_all(group: int | None = None) -> None:
    """Kill all that this process has started, whatever its group, and every process of a group."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if group is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)
        for pid in descendants(os.getpid()):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return  # nobody is left
        time.sleep(0.002)


def _proportional_bytes(pid: int) -> int:
    """Memory a process holds, with each shared page divided among those who share it."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    except (OSError, StopIteration, ValueError):
        return resident_bytes(pid)


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _reaped() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _used(pid: int) -> float:
    """Processor time of a process, its threads, and the children it has waited for."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, words[11:15])) * TICK
    except (OSError, ValueError):
        return 0.0


def _children(pid: int) -> list[int]:
    """Each thread has a list of its own of what it started."""
    found: list[int] = []
    with contextlib.suppress(OSError):  # it has ended, or this is not Linux
        for thread in os.listdir(f"/proc/{pid}/task"):
            found += map(int, Path(f"/proc/{pid}/task/{thread}/children").read_text().split())
    return found
