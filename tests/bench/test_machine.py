"""What a run may use: the affinity's and the container's processors and memory, not the machine's.

Before, a run in a container of 2 processors and 4 GiB on a large machine started a job for each
core of the machine, and let each hold its share of the machine's memory.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.jobs.machine import memory, physical_memory, processors

GIB = 1 << 30


def lay(root: Path, **files: str) -> Path:
    """Files by their path, in which ``__`` stands for a slash and ``_dot_`` for a dot."""
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of 64 processors and 256 GiB."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)), raising=False)
    monkeypatch.setattr("bench.jobs.machine.physical_memory", lambda: 256 * GIB)


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(("quota", "allowed"), [
    ("200000 100000", 2), ("250000 100000", 2), ("50000 100000", 1), ("max 100000", 64),
    ("9900000 100000", 64), ("nonsense", 64), ("", 64)])
def test_a_quota_of_processors(tmp_path: Path, quota: str, allowed: int) -> None:
    root = lay(tmp_path, proc__self__cgroup="0::/\n", sys__fs__cgroup__cpu_dot_max=quota)
    assert processors(root) == allowed


@pytest.mark.usefixtures("many")
def test_a_limit_of_a_group_around_ours_holds(tmp_path: Path) -> None:
    root = lay(tmp_path, proc__self__cgroup="0::/batch/job7/step\n",
               sys__fs__cgroup__batch__job7__memory_dot_max=f"{4 * GIB}\n",
               sys__fs__cgroup__batch__job7__step__memory_dot_max="max\n",
               sys__fs__cgroup__batch__cpu_dot_max="300000 100000\n")
    assert memory(root) == 4 * GIB and processors(root) == 3


@pytest.mark.usefixtures("many")
def test_the_older_control_groups(tmp_path: Path) -> None:
    """Of which a container sees its own as the top, though its path is a longer one."""
    root = lay(tmp_path,
               proc__self__cgroup="5:cpu,cpuacct:/docker/ab\n4:memory:/docker/ab\n0::/\n",
               sys__fs__cgroup__cpu__cpu_dot_cfs_quota_us="400000\n",
               sys__fs__cgroup__cpu__cpu_dot_cfs_period_us="100000\n",
               sys__fs__cgroup__memory__memory_dot_limit_in_bytes=f"{8 * GIB}\n")
    assert processors(root) == 4 and memory(root) == 8 * GIB
    root = lay(root, sys__fs__cgroup__cpu__cpu_dot_cfs_quota_us="-1\n",
               sys__fs__cgroup__memory__memory_dot_limit_in_bytes="9223372036854771712\n")
    assert processors(root) == 64 and memory(root) == 256 * GIB


@pytest.mark.usefixtures("many")
def test_without_control_groups_the_machine_counts(tmp_path: Path) -> None:
    assert processors(tmp_path) == 64 and memory(tmp_path) == 256 * GIB


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity here")
def test_the_default_number_of_workers_follows_the_affinity() -> None:
    code = ("import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
            "from bench.jobs.machine import processors; print(processors())")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


def test_a_limit_is_never_above_the_machine() -> None:
    assert 0 < memory() <= physical_memory() and 1 <= processors() <= (os.cpu_count() or 1)
