"""The lock of a run's folder: one writer, also where the file system knows no locks."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import socket
import uuid
from pathlib import Path

#: What ``flock`` says where somebody else holds the lock; anything else says that it cannot lock.
HELD = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES}


class Held(Exception):
    """Another process holds the lock; says which, where that is known."""


class Lock:
    """Held from ``take`` to ``release``.

    It is ``flock`` on the file ``.lock``, which ends with its process. Where the file system
    refuses that, it is a file ``.lock.held`` that only one process can create; it counts as left
    behind where its process is gone from this machine.
    """

    def __init__(self, folder: Path) -> None:
        self._path, self._owned = folder / ".lock", folder / ".lock.held"
        self._descriptor: int | None = None

    def take(self) -> None:
        """Take the lock; raises Held, or OSError where nothing can be written."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if error.errno in HELD:
                raise Held(_named(self._path)) from None
            self._create()
            return
        self._descriptor = descriptor
        os.ftruncate(descriptor, 0)
        os.write(descriptor, _mine())

    def release(self) -> None:
        """Let go."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            return
        with contextlib.suppress(OSError):
            if self._owned.read_bytes() == _mine():
                self._owned.unlink()

    def _create(self) -> None:
        """Create the file that says who holds the lock, over one that was left behind."""
        for _ in range(2):
            try:
                descriptor = os.open(self._owned, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            except FileExistsError:
                if not _left_behind(self._owned):
                    raise Held(f"{_named(self._owned)}; if none is, remove '{self._owned}'"
                               ) from None
                continue
            os.write(descriptor, _mine())
            os.close(descriptor)
            return
        raise Held(_named(self._owned))


def _mine() -> bytes:
    return json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode()


def _holder(path: Path) -> tuple[int, str]:
    """Process and machine that a lock file names; 0 and '' where it names none."""
    try:
        raw = json.loads(path.read_bytes())
        return int(raw["pid"]), str(raw["host"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0, ""


def _named(path: Path) -> str:
    pid, host = _holder(path)
    return f"process {pid} on {host}" if pid else "an unknown process"


def _left_behind(path: Path) -> bool:
    """Whether the holder is gone from this machine; then its file is gone too, by one of us."""
    pid, host = _holder(path)
    if host != socket.gethostname() or _alive(pid):
        return False
    grave = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    with contextlib.suppress(FileNotFoundError):  # another process was quicker
        path.rename(grave)
        if _holder(grave) != (pid, host):  # it was, and this is its own lock: give it back
            os.link(grave, path)
        grave.unlink()
    return True


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
