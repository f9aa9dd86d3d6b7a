"""Where this program runs: on other systems one sentence, and the memory limit without /proc."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from bench.__main__ import main
from bench.harness import processes
from bench.harness.processes import cpu_seconds, descendants, end_all, exceeds

MIB = 1 << 20
HOLD = f"x = bytearray({200 * MIB}); x[::4096] = b'1' * len(x[::4096]); "


def test_windows_is_told_in_one_sentence(monkeypatch: pytest.MonkeyPatch,
                                         capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(sys, "path", [*sys.path])  # which the command line puts in order
    assert main() == 2
    said = capsys.readouterr().err
    assert said.startswith("error: Windows is not supported") and said.count("\n") == 1


@pytest.fixture
def no_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that keeps no lists of children and has no waitid: macOS."""
    monkeypatch.setattr(processes.sys, "platform", "darwin")
    monkeypatch.delattr(os, "waitid")


@pytest.mark.usefixtures("no_lists")
def test_the_memory_limit_needs_no_lists_of_linux() -> None:
    code = (f"import subprocess, sys, time; subprocess.run([sys.executable, '-c', {HOLD!r} + "
            "'print(1, flush=True); import time; time.sleep(60)'])")
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    assert len(descendants(child.pid)) == 1
    assert exceeds(child.pid, 150 * MIB) and not exceeds(child.pid, 800 * MIB)
    begun = time.monotonic()
    end_all()
    assert not descendants(os.getpid()) and time.monotonic() - begun < 5
    child.communicate()


@pytest.mark.usefixtures("no_lists")
def test_processor_time_of_processes_needs_no_lists_of_linux() -> None:
    before = cpu_seconds()
    burn = ("import time\nwhile time.process_time() < 0.4: pass\n"
            "print(1, flush=True)\ntime.sleep(60)")
    child = subprocess.Popen([sys.executable, "-c", burn], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    assert 0.38 <= cpu_seconds() - before < 1.0, "while it lives; read in ticks"
    child.kill()
    child.communicate()
    assert 0.38 <= cpu_seconds() - before < 1.0, "and when it has ended"
