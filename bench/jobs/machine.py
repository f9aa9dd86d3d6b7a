"""What this machine lends to a run: processors and memory, within the limits it was given.

Limits are those of the CPU affinity (``taskset``) and of the control groups of Linux, by which
containers and batch systems share a machine out; elsewhere the whole machine counts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

ROOT = Path("/")
#: What older kernels write where there is no limit is larger than any machine.
NO_LIMIT = 1 << 60


def physical_memory() -> int:
    """Bytes of the machine, whoever may use them."""
    return int(psutil.virtual_memory().total)


def memory(root: Path = ROOT) -> int:
    """Bytes that a run may hold: the machine's, or what the control groups leave of them."""
    limits = [_number(folder / name) for folder in _groups(root, "memory")
              for name in ("memory.max", "memory.limit_in_bytes")]
    return min([physical_memory(), *(v for v in limits if v and v < NO_LIMIT)])


def processors(root: Path = ROOT) -> int:
    """Processors that a run may use at a time: by affinity, and by quota rounded down."""
    quotas = [quota for folder in _groups(root, "cpu") if (quota := _quota(folder))]
    return max(1, int(min([_by_affinity(), *quotas])))


def _by_affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quota(folder: Path) -> float:
    """Processors by the quota of a control group; 0 where it has none."""
    with suppress(OSError, ValueError):
        share, length = (folder / "cpu.max").read_text().split()
        return 0.0 if share == "max" else int(share) / int(length)
    quota, period = (_number(folder / f"cpu.cfs_{what}_us") for what in ("quota", "period"))
    return quota / period if quota > 0 and period > 0 else 0.0


def _number(path: Path) -> int:
    """What a file says; 0 where it is missing or says no number (``max``)."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Folders of the control groups this process is in, and of those around them.

    A container often sees its own group as the top of the tree, though its path is a longer one:
    so every folder on the way that is there counts.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    tree = root / "sys/fs/cgroup"
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        tops = (tree / controllers, tree / controller) if controllers else (tree, tree / "unified")
        for top in tops:
            inside = Path(path.lstrip("/"))
            yield from (top / part for part in (inside, *inside.parents))
