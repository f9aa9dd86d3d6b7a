"""A child process: ``python -m bench.child``, told what to do by one line on its standard input.

The parent keeps the pipe open for as long as it lives; when it closes, the child ends at once, so
that a killed parent leaves nothing running. Events go to standard output, one JSON object a line.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
from typing import Any


def _die_with_parent() -> None:
    """End when the parent does: at once on Linux, by the closed pipe elsewhere."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG

    def watch() -> None:
        while os.read(0, 1):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _read_line() -> bytes:
    """The task, byte by byte: a buffered reader would block the watcher at exit."""
    line = bytearray()
    while (byte := os.read(0, 1)) not in (b"", b"\n"):
        line += byte
    return bytes(line)


def _tell(event: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def main() -> int:
    """Do the task; 0 when every job left a record, 2 for a user's mistake."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    task = json.loads(_read_line())
    _die_with_parent()
    from bench.errors import UserError
    from bench.execute import run_job, steady_torch
    from bench.prepare import prepare_target
    from results.store import StoreError

    try:
        steady_torch(task["common"]["threads"])
        if task["task"] == "prepare":
            for spec in task["targets"]:
                facts = prepare_target({"common": task["common"], "target": spec})
                _tell({"event": "target", "label": spec["label"], "facts": facts})
        else:
            for seed in task["seeds"]:
                run_job(task, seed, _tell)
    except (UserError, StoreError) as error:
        _tell({"event": "error", "message": str(error)})
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
