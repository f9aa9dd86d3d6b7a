"""The processes that a process has started: which they are, what they use, and their end.

Linux keeps a list of its children with each thread, which is read in 0.04 ms, as often as the
clock is; elsewhere psutil looks through all processes of the machine, which takes some
milliseconds. What a process uses is psutil's to say everywhere. An orphan is found where it is
handed to a process of ours (``bench.jobs.child``, Linux alone); elsewhere one that has left its
group escapes.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
import time
from pathlib import Path

import psutil

#: Seconds after which what cannot be killed (it hangs in the kernel) is left to the machine.
PATIENCE = 5.0
#: What asking about a process raises that has ended, or is another user's.
_GONE = (psutil.Error, OSError)


def descendants(pid: int) -> list[int]:
    """All that a process has started and not yet waited for, and all that those have started."""
    if sys.platform != "linux":
        with contextlib.suppress(*_GONE):
            return [child.pid for child in psutil.Process(pid).children(recursive=True)]
        return []
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
    with contextlib.suppress(*_GONE):
        return int(psutil.Process(pid).memory_info().rss)
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
    """Memory a process holds, each shared page divided among those who share it.

    Where the system does not say that, its own pages alone.
    """
    with contextlib.suppress(*_GONE):
        held = psutil.Process(pid).memory_full_info()
        return int(getattr(held, "pss", held.uss))
    return resident_bytes(pid)


def _has_children() -> bool:
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        return bool(descendants(os.getpid()))
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
    with contextlib.suppress(*_GONE):
        spent = psutil.Process(pid).cpu_times()
        return float(spent.user + spent.system + spent.children_user + spent.children_system)
    return 0.0


def _children(pid: int) -> list[int]:
    """What the threads of a process have started, by the lists of Linux."""
    found: list[int] = []
    with contextlib.suppress(OSError):  # it has ended
        for thread in os.listdir(f"/proc/{pid}/task"):
            listed = Path(f"/proc/{pid}/task/{thread}/children").read_text(encoding="ascii")
            found += map(int, listed.split())
    return found
