"""A disk that takes no more: what was written stays whole, the sentence names the folder.

Before, half a line was left and the error was a traceback, twice (closing wrote again).
"""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.core.errors import StoreError
from results.records.schema import Job
from results.records.store import Store, read, save, submit


@contextmanager
def full(size: int) -> Iterator[None]:
    """No file can grow beyond a size: the kernel refuses such writes as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def job(seed: int) -> Job:
    return Job(f"a--t--s{seed}", "a", "a", "t", seed, "one-shot", "ok")


def test_records_are_appended_whole_or_not_at_all(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append([job(0)])
        before = (tmp_path / "records.jsonl").read_bytes()
        with full(len(before) + 20), pytest.raises(StoreError, match="cannot write to"):
            store.append([job(1)])
        assert (tmp_path / "records.jsonl").read_bytes() == before
        store.append([job(1)])
    assert sorted(r.key for r in read(tmp_path)[0]) == ["a--t--s0", "a--t--s1"]


def test_a_child_leaves_its_records_whole_or_not_at_all(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        with full(20), pytest.raises(StoreError, match="make room"):
            submit(tmp_path, "a--t--s0", [job(0)])
        assert not list((tmp_path / "inbox").iterdir())
        with full(20), pytest.raises(StoreError, match="inbox"):
            save(tmp_path / "inbox" / "x.npz", b"0" * 21)
        submit(tmp_path, "a--t--s0", [job(0)])
        assert len(store.collect()) == 1
