"""The command line in copies of one process that has loaded the program before.

A run's processes each load torch, which takes longer than most of what tests let them do. Here a
helper loads it once for all tests of a process; a command is run by a fork of it, and the children
that the command starts are forks too. All else is as ever: the same code does the same in as many
processes. What a new interpreter does (its arguments, what it imports) is tested by the tests that
start one.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Set
from pathlib import Path
from types import SimpleNamespace
from typing import IO, NoReturn

from bench.core.places import ROOT

_helper: subprocess.Popen[str] | None = None


def run(*words: str, cwd: Path | None = None, **environment: str,
        ) -> subprocess.CompletedProcess[str]:
    """What ``python -m bench WORDS`` answers."""
    helper = _started()
    assert helper.stdin is not None and helper.stdout is not None
    with tempfile.TemporaryDirectory() as place:
        said = [str(Path(place) / name) for name in ("out", "err")]
        helper.stdin.write(json.dumps({"words": words, "cwd": str(cwd or Path.cwd()), "said": said,
                                       "environment": {**os.environ, **environment}}) + "\n")
        helper.stdin.flush()
        answer = helper.stdout.readline()
        assert answer, "the helper has ended; its own error stands above"
        code = int(answer)
        out, err = (Path(path).read_text(encoding="utf-8") for path in said)
    return subprocess.CompletedProcess(words, code, out, err)


def _started() -> subprocess.Popen[str]:
    global _helper
    if _helper is None or _helper.poll() is not None:  # a test may have ended all it started
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        _helper = subprocess.Popen([sys.executable, "-m", "tests.support.warm"], cwd=ROOT,
                                   text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   env={**os.environ, "PYTHONPATH": path})
        atexit.register(_stop, _helper)
    return _helper


def _stop(helper: subprocess.Popen[str]) -> None:
    with contextlib.suppress(BrokenPipeError), helper:
        assert helper.stdin is not None
        helper.stdin.close()


# ---- in the helper ------------------------------------------------------------------------------


def serve() -> None:
    """Load the program, then fork for each line of the standard input."""
    import bench.commands
    import bench.jobs
    from bench.core.registry import catalogue

    ours = [f"{package.__name__}.{module.name}" for package in (bench.commands, bench.jobs)
            for module in pkgutil.iter_modules(package.__path__)]
    for name in ("ot", "scipy.stats", *ours):
        importlib.import_module(name)
    catalogue()
    for line in sys.stdin:
        copy = os.fork()
        if not copy:
            _command(**json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1]), flush=True)


def _command(words: list[str], cwd: str, said: list[str], environment: dict[str, str]) -> NoReturn:
    from bench.core import plugins
    from bench.jobs import pool

    _become(*(os.open(path, os.O_CREAT | os.O_WRONLY) for path in said), environment)
    os.chdir(cwd)
    sys.path[0] = cwd
    plugins.subprocess = pool.subprocess = SimpleNamespace(
        **{**vars(subprocess), "Popen": Fork, "run": _in_a_fork})
    _leave("import sys; from bench.__main__ import main; sys.exit(main())", ["bench", *words])


def _in_a_fork(words: list[str], stdin: int, stdout: int, stderr: int, timeout: float,
               check: bool) -> subprocess.CompletedProcess[bytes]:
    """What the reader of plugins needs of ``subprocess.run``."""
    with open(os.devnull, "wb") as nowhere:
        code = Fork(words, stdin, nowhere, nowhere, {**os.environ}, [], False).wait(timeout)
    return subprocess.CompletedProcess(words, code)


class Fork:
    """What the pool needs of ``Popen``; the code runs in a fork, not in a new interpreter."""

    def __init__(self, words: list[str], stdin: int, stdout: IO[bytes], stderr: IO[bytes],
                 env: dict[str, str], pass_fds: list[int], start_new_session: bool) -> None:
        assert stdin == subprocess.DEVNULL and stdout is stderr
        self.returncode: int | None = None
        self.pid = os.fork()
        if not self.pid:
            if start_new_session:
                os.setsid()
            _become(stdout.fileno(), stdout.fileno(), env, keep=set(pass_fds))
            code, *rest = words[words.index("-c") + 1:]
            _leave(code, ["-c", *rest])

    def poll(self) -> int | None:
        """Its exit code, a negative signal, or None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait(self, timeout: float) -> int:
        """Its exit code; TimeoutExpired after so many seconds."""
        until = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired("a fork", timeout)
            time.sleep(0.01)
        return code

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


def _become(out: int, err: int, environment: dict[str, str], keep: Set[int] = frozenset()) -> None:
    """Take on the descriptors and variables of a process that was started anew."""
    for new, old in ((os.open(os.devnull, os.O_RDONLY), 0), (out, 1), (err, 2)):
        os.dup2(new, old)
    for number in {int(name) for name in os.listdir("/proc/self/fd")} - {0, 1, 2, *keep}:
        with contextlib.suppress(OSError):  # the one that listed them
            os.close(number)
    sys.stdin, sys.stdout, sys.stderr = (open(n, mode, closefd=False)  # noqa: SIM115
                                         for n, mode in ((0, "r"), (1, "w"), (2, "w")))
    os.environ.clear()
    os.environ.update(environment)


def _leave(code: str, words: list[str]) -> NoReturn:
    """Run the code as an interpreter does, and end."""
    sys.argv = words
    ended: object = 0
    try:
        exec(code, {"__name__": "__main__"})
    except SystemExit as said:
        ended = said.code or 0
    except BaseException:
        traceback.print_exc()
        ended = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(ended if isinstance(ended, int) else 1)


if __name__ == "__main__":
    serve()
