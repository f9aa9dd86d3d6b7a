"""The store: nothing finished is lost, nothing is counted twice, damage is told and survived."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given

from bench.core.cost import Cost
from bench.core.errors import StoreError
from results.records.schema import BadRecord, Checkpoint, Job, Measure, Record, dump, parse
from results.records.store import RECORDS, Store, read, submit, write_atomically


def job(key: str, **more: object) -> Job:
    return Job(key, "mala", "mala", "gmm4", 0, "continuing", "ok", **more)  # type: ignore[arg-type]


def lines(key: str) -> list[Record]:
    return [Checkpoint(key, 0, 0.5, 3, Cost(score=5), 10, Cost()),
            Measure(key, 0, "final", "mmd", 1, 10, 0.25, 0.1, 0.0, 0.2, 0.03), job(key)]


def filled(folder: Path, *keys: str) -> Path:
    with Store(folder) as store:
        for key in keys:
            store.append(lines(key))
    return folder


@given(st.builds(Cost, density=st.integers(0, 10**15), score=st.integers(0, 10**15),
                 seconds=st.floats(0, 1e9)), st.floats(allow_nan=False, allow_infinity=False),
       st.text())
def test_records_survive_their_line(cost: Cost, value: float, reason: str) -> None:
    for record in (job("k", train=cost, reason=reason, ladder=((100, value),), probe=(1.0, 2.0)),
                   Checkpoint("k", 1, 0.5, 7, cost, 10, cost, True, {"a": value}),
                   Measure("k", 1, "curve", "w2", 1, 5, value, note=reason)):
        text = dump(record)
        assert "\n" not in text
        assert parse(text) == record


def test_numbers_that_are_none_become_none() -> None:
    record = parse(dump(Measure("k", 0, "final", "w2", 1, 5, float("nan"), float("inf"))))
    assert isinstance(record, Measure)
    assert record.value is None and record.se is None


@pytest.mark.parametrize("line", ["", "{", "[]", '{"sort":"job"}', '{"v":1,"sort":"no"}',
                                  '{"v":99,"sort":"job"}', '{"v":1,"sort":"job","key":"k"}',
                                  '{"v":1,"sort":"checkpoint","key":"k","index":0,"progress":1,'
                                  '"steps":1,"spent":{"gold":3},"drawn":1,"draw":{}}'])
def test_what_is_no_record_says_why(line: str) -> None:
    with pytest.raises(BadRecord, match=r"\w+"):
        parse(line)


@pytest.mark.parametrize("cut", [1, 5, 60, 150])
def test_a_truncated_line_is_skipped_and_told(tmp_path: Path, cut: int) -> None:
    filled(tmp_path, "a", "b")
    path = tmp_path / RECORDS
    path.write_bytes(path.read_bytes()[:-cut])
    records, complaints = read(tmp_path)
    assert {r.key for r in records} == ({"a"} if cut > 1 else {"a", "b"})
    assert len(complaints) == (1 if cut > 1 else 0)
    filled(tmp_path, "c")
    assert {r.key for r in read(tmp_path)[0]} >= {"a", "c"}, "the next record stands on its own"


def test_a_corrupt_line_in_the_middle(tmp_path: Path) -> None:
    filled(tmp_path, "a", "b")
    path = tmp_path / RECORDS
    broken = path.read_bytes().split(b"\n")
    broken[1] = b"\xff\xfe garbage"
    path.write_bytes(b"\n".join(broken))
    records, complaints = read(tmp_path)
    assert {r.key for r in records} == {"b"} and len(records) == 3, "a is not finished"
    assert len(complaints) == 1 and "line 2" in complaints[0]


def test_a_job_without_its_own_line_is_not_finished(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append(lines("half")[:2])
        store.append(lines("whole"))
        assert store.finished() == {"whole"}
    assert {r.key for r in read(tmp_path)[0]} == {"whole"}


def test_a_result_in_the_inbox_is_collected_once(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        submit(tmp_path, "a", lines("a"))
        again = (tmp_path / "inbox" / "a.jsonl").read_bytes()
        assert len(store.collect()) == 3
        # A kill between appending and removing leaves the file: it is appended again ...
        (tmp_path / "inbox" / "a.jsonl").write_bytes(again)
        store.collect()
        assert store.collect() == []
    assert len(read(tmp_path)[0]) == 3, "... and read once"


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    with Store(tmp_path):
        code = f"from results.records.store import Store\nfrom pathlib import Path\n" \
               f"with Store(Path({str(tmp_path)!r})): pass"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                              check=False)
    assert done.returncode != 0 and "another run is writing" in done.stderr
    with Store(tmp_path):
        pass


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    write_atomically(path, b"old")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"


def test_a_folder_without_a_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="name the folder of a run"):
        read(tmp_path)
