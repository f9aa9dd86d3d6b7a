"""A child of a run, started by ``pool``, and told what to do by one line of a descriptor.

It is two processes. The worker does the task, with whatever the plugins it runs may do to their
process. The other watches: when the worker ends, or the run does, or the run says so (SIGTERM), it
kills all that is left of what the worker started, and ends as the worker did. What the worker
prints goes to the log. Where a user's code takes part, each seed is done by a fresh copy of the
worker, which has loaded the program and nothing of the user's: what such code keeps in its modules
cannot reach another seed, and nothing is loaded twice.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import select
import signal
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from bench.harness.processes import end_all
from bench.jobs.channel import Line

if TYPE_CHECKING:
    from bench.jobs.execute import Tell
    from bench.jobs.spec import DoJobs, JobSpec

DEATH_SIGNAL, ADOPT = 1, 36  # PR_SET_PDEATHSIG and PR_SET_CHILD_SUBREAPER of Linux
#: How a copy ends that has done its seed; whatever else it ends with, it has not.
COMPLETE = 64


def _set(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def main() -> int:
    """Do the task; 0 when every job left a record, 2 for a mistake of the user or a full disk."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the run decides when to stop
    line = Line(int(sys.argv[1]))
    told = line.task()
    _set(ADOPT, 1)  # processes whose own parent has ended come to us, whatever session they made
    watcher, worker = os.getpid(), os.fork()
    if worker:
        return _watch(worker, line)
    os.setpgid(0, 0)
    _set(DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != watcher:
        return 1
    _set(ADOPT, 1)  # and first to the worker, whose clock counts what they use
    line.belongs_here()
    try:
        return _work(told, line)
    finally:
        if not line.is_here():  # a copy that a sampler forked and never ended
            os._exit(1)


def _watch(worker: int, line: Line) -> int:
    """Wait for an end, leave nothing running, and end likewise."""
    wake, woken = os.pipe()
    for end in (wake, woken):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(woken)  # each signal writes its number there
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda number, frame: None)
    _set(DEATH_SIGNAL, signal.SIGTERM)
    while (code := _ended(worker)) is None:
        ready = select.select([line.socket.fileno(), wake], [], [])[0]
        # all that can come from the run is its end
        if line.socket.fileno() in ready or signal.SIGTERM in os.read(wake, 64):
            break
    end_all(worker)
    return 1 if code is None else _likewise(code)


def _likewise(code: int) -> int:
    """The exit code of a process that ends as another did; of a signal, by that signal."""
    if code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with contextlib.suppress(OSError):  # SIGKILL cannot be handled anyway
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


def _in_a_copy(job: Callable[[], object], line: Line) -> int:
    """Do a job in a copy of this process; how that ended, with all that it had started."""
    worker, copy = os.getpid(), os.fork()
    if copy:
        code = os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1])
        end_all()
        return code
    _set(DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != worker:
        os._exit(1)
    _set(ADOPT, 1)
    line.belongs_here()
    job()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(COMPLETE)  # what would keep it from ending now is no part of the job


def _ended(worker: int) -> int | None:
    """Its exit code, or a negative number for the signal that ended it; None while it runs."""
    pid, status = os.waitpid(worker, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if pid else None


def _work(told: bytes, line: Line) -> int:
    from bench.core.errors import StoreError, UserError
    from bench.harness import attribution
    from bench.jobs.execute import steady_torch
    from bench.jobs.messages import Done, Event, Prepared, Stopped, event_line, read_task
    from bench.jobs.prepare import prepare_target
    from bench.jobs.spec import PrepareTargets

    def tell(event: Event) -> None:
        try:
            line.tell(event_line(event))
        except OSError as error:
            raise attribution.Ended(
                "failed", "the line to the run was closed by code that ran in this process "
                f"({error.strerror}); leave alone descriptors that are not yours") from None

    work = read_task(told)
    try:
        if isinstance(work, PrepareTargets):
            steady_torch(work.settings.threads)
            for spec in work.targets:
                facts = prepare_target(spec, work.samplers, work.settings)
                tell(Prepared(spec.label, facts))
        else:
            steady_torch(work.jobs[0].settings.threads)
            for job in work.jobs:
                does = partial(_job, work, job, tell)
                if not work.copied:
                    does()
                elif (code := _in_a_copy(does, line)) != COMPLETE:
                    return _likewise(code)
    except (UserError, StoreError) as error:
        tell(Stopped("store" if isinstance(error, StoreError) else "user", str(error)))
        return 2
    tell(Done())
    return 0


def _job(work: DoJobs, job: JobSpec, tell: Tell) -> None:
    """One job, on the side that the task says."""
    from bench.jobs import referee
    from bench.jobs.execute import execute

    if work.side == "sampler":
        referee.play(job, work.log_weights, tell)
    elif work.side == "judge":
        assert work.played is not None
        referee.judge(job, work.played, tell)
    else:
        execute(job, tell)
