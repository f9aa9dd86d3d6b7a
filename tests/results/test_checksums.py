"""Damage in a run's folder is noticed: no flipped bit changes a number in silence.

Before, 30 % of single flipped bits in records.jsonl changed a number or a name without a word, and
a job with a damaged line counted as finished with what was left of it.
"""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.core.cost import Cost
from results.records.schema import BadRecord, Checkpoint, Job, Measure, Record, dump, parse
from results.records.store import RECORDS, Store, read, submit


def records(key: str, value: float = 0.905) -> list[Record]:
    return [Checkpoint(key, 0, 0.5, 3, Cost(score=5), 10, Cost()),
            Measure(key, 0, "final", "mmd", 1, 10, value, 0.1, 0.0, 0.2, 0.03),
            Job(key, "mala", "mala", "gmm4", 0, "continuing", "ok", reason="é", lines=2)]


def old(record: Record) -> str:
    """A line as version 1 wrote it."""
    return dump(record).replace('{"v":3,', '{"v":1,').partition(',"crc":')[0] + "}"


def filled(folder: Path, *keys: str) -> Path:
    with Store(folder) as store:
        for key in keys:
            store.append(records(key))
    return folder / RECORDS


def test_every_single_flipped_bit_of_a_line_is_noticed() -> None:
    for record in records("mala--gmm4--s0"):
        line = dump(record).encode()
        assert parse(line.decode()) == record
        for place in range(8 * len(line)):
            flipped = bytearray(line)
            flipped[place // 8] ^= 1 << place % 8
            with pytest.raises((BadRecord, UnicodeDecodeError)):
                parse(bytes(flipped).decode())


@given(st.integers(0, 2), st.integers(0, 10**6), st.integers(1, 2**32 - 1))
def test_damage_within_four_bytes_is_noticed(which: int, at: int, mask: int) -> None:
    line = bytearray(dump(records("k")[which]).encode())
    at %= len(line) - 3
    for i, byte in enumerate(mask.to_bytes(4, "little")):
        line[at + i] ^= byte
    with pytest.raises((BadRecord, UnicodeDecodeError)):
        parse(bytes(line).decode())


def test_flipped_bits_of_a_file_never_change_a_number_in_silence(tmp_path: Path) -> None:
    path = filled(tmp_path, "a", "b", "c")
    good, whole = path.read_bytes(), read(tmp_path)[0]
    rng = random.Random(7)
    for _ in range(3000):
        flipped = bytearray(good)
        place = rng.randrange(8 * len(good))
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        found, complaints = read(tmp_path)
        assert complaints
        assert all(r in whole for r in found)
        lost = {r.key for r in whole} - {r.key for r in found}
        # A flipped newline joins a line to the next, which may belong to another job.
        assert 1 <= len(lost) <= 2
        assert len(found) == len(whole) - 3 * len(lost), "a job is there whole or not at all"


@pytest.mark.parametrize("drop", [0, 1])
def test_a_job_with_a_missing_line_is_unfinished(tmp_path: Path, drop: int) -> None:
    path = filled(tmp_path, "a", "b")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3 + drop] + lines[4 + drop:]))
    found, complaints = read(tmp_path)
    assert {r.key for r in found} == {"a"}
    assert len(complaints) == 1 and "lines of job 'b' are missing" in complaints[0]


def test_a_job_that_was_run_again_replaces_all_of_the_damaged_one(tmp_path: Path) -> None:
    path = filled(tmp_path, "a", "b")
    text = path.read_bytes()
    path.write_bytes(text.replace(b'"value":0.905', b'"value":4.905', 1))
    with Store(tmp_path) as store:
        assert store.finished() == {"b"}
        store.append(records("a", 0.5)[1:])  # another run of it, with no checkpoint
        assert store.finished() == {"a", "b"}
    mine = [r for r in read(tmp_path)[0] if r.key == "a"]
    assert [type(r) for r in mine] == [Measure, Job]
    assert isinstance(mine[0], Measure) and mine[0].value == 0.5


def test_lines_of_version_1_stay_readable(tmp_path: Path) -> None:
    for record in records("k"):
        assert parse(old(record)) == record
    plain = [r if not isinstance(r, Job) else Job("a", "mala", "mala", "gmm4", 0, "", "ok")
             for r in records("a")]
    text = "".join(old(r).replace(',"lines":-1', "") + "\n" for r in reversed(plain))
    (tmp_path / RECORDS).write_text(text)
    assert len(read(tmp_path)[0]) == 3
    filled(tmp_path, "b")
    assert len(read(tmp_path)[0]) == 6


def test_a_new_line_does_not_pass_for_an_old_one() -> None:
    for line in map(dump, records("k")):
        with pytest.raises(BadRecord, match="checksum"):
            parse(line.replace('"v":3', '"v":1'))
        with pytest.raises(BadRecord, match="checksum"):
            parse(line.partition(',"crc"')[0] + "}")


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe", b"[]\n", b"cut", b"flip"])
def test_a_damaged_file_in_the_inbox_is_set_aside(tmp_path: Path, damage: bytes) -> None:
    with Store(tmp_path) as store:
        submit(tmp_path, "a", records("a"))
        submit(tmp_path, "b", records("b"))
        path = tmp_path / "inbox" / "a.jsonl"
        good = path.read_bytes()
        path.write_bytes({b"cut": good[:-30], b"flip": good.replace(b"0.905", b"4.905")}
                         .get(damage, damage))
        assert {r.key for r in store.collect()} == {"b"}
        assert store.set_aside == [path.with_name("a.jsonl.damaged")]
        assert store.set_aside[0].exists() and not path.exists()
        assert store.finished() == {"b"}
        path.write_bytes(b"again")
        store.collect()
        assert len(store.set_aside) == 2


def test_reading_stays_linear_and_quick(tmp_path: Path) -> None:
    def seconds(jobs: int) -> float:
        path = tmp_path / str(jobs) / RECORDS
        path.parent.mkdir()
        own = [Measure("k", i, "curve", "mmd", 1, 10, 0.5) for i in range(9)]
        with open(path, "w") as file:
            for i in range(jobs):
                key = f"k{i}"
                lines = [Measure(key, m.index, m.stage, m.metric, 1, 10, 0.5) for m in own]
                job = Job(key, "mala", "mala", "gmm4", i, "", "ok", lines=9)
                file.writelines(dump(r) + "\n" for r in [*lines, job])
        start = time.process_time()
        assert len(read(path.parent)[0]) == 10 * jobs
        return time.process_time() - start

    short = min(seconds(n) for n in (300, 301))
    assert seconds(1200) < 4 * 2.5 * short


def test_the_checksum_is_what_it_says() -> None:
    import zlib

    line = dump(records("k")[0])
    body, _, crc = line.rpartition(',"crc":"')
    assert json.loads(line)["crc"] == crc[:8] == f"{zlib.crc32(body.encode()):08x}"
