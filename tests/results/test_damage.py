"""Damaged files in a run's folder: a sentence or a complaint, made again on --resume.

Before, a truncated floors file gave ``failed (BadZipFile)``, recorded as the sampler's own
failure, a damaged inbox or run.json a traceback, and a file system without locks "another run is
writing".
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.commands.parser import main
from bench.core.errors import StoreError
from results.records.archive import archive
from results.records.store import Store, read
from tests.support.report_fake import make
from tests.support.runs import finish, numbers

SUITE = """
targets = ["gaussian"]
samplers = ["ula"]
baselines = ["initial"]
metrics = ["mmd"]
seeds = 2
budget = "2000evals"
n = 60
n_curve = 30
checkpoints = 1
floor_draws = 10
"""


#: Real runs, and every command of the program: `.ci/run` and `pytest -m slow` hold them.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("damage")
    (folder / "small.toml").write_text(SUITE)
    finish("--suite", str(folder / "small.toml"), "--out", str(folder / "run"))
    return folder / "run"


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:len(path.read_bytes()) // 2])


def test_damaged_files_are_set_aside_and_made_again(whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    damaged = [run / "floors" / "gaussian.npz", run / "density" / "gaussian.npz",
               run / "samples" / "ula--gaussian--s1.npz"]
    for path in damaged:
        truncated(path)
    (run / "samples" / "initial--gaussian--s0.npz").unlink()
    lines = (run / "records.jsonl").read_bytes().splitlines(keepends=True)
    last = next(i for i, line in enumerate(lines) if b'"key":"ula--gaussian--s0"' in line)
    (run / "inbox" / "ula--gaussian--s0.jsonl").write_bytes(lines[last][:-9])
    before = {p.name: p.read_bytes() for p in (whole / "samples").iterdir()}
    said = " ".join(finish("--resume", str(run)).split())
    assert "target gaussian is prepared again" in said
    assert "job ula--gaussian--s1 is run again" in said
    assert "initial--gaussian--s0.npz is missing" in said
    assert "set aside as" in said and (run / "inbox" / "ula--gaussian--s0.jsonl.damaged").exists()
    for path in damaged[1:]:
        assert path.with_name(path.name + ".damaged").exists()
    assert numbers(run) == numbers(whole), "no sampler is blamed, no number moved"
    assert {r.status for r in read(run)[0] if hasattr(r, "status")} == {"ok"}
    after = {p.name: p for p in (run / "samples").glob("*.npz")}
    assert after.keys() == before.keys()
    again = (run / "records.jsonl").read_bytes()
    finish("--resume", str(run))
    assert (run / "records.jsonl").read_bytes() == again


@pytest.mark.parametrize("text", [
    "", "{", "[]", "3", '{"v": 1}', '{"v": 2, "suite": {}}', '{"v": 3}', '{"v": 1, "suite": []}',
    "[" * 100_000, '{"v": 1, "suite": {}, "samplers": {}, "targets": {}, "metrics": {}}', "\x00",
    "NaN"])
def test_a_header_that_is_none_is_one_sentence(whole: Path, tmp_path: Path, text: str,
                                               capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    (run / "run.json").write_text(text)
    capsys.readouterr()
    assert main(["run", "--resume", str(run)]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ") and told.count("\n") == 1
    assert (run / "records.jsonl").stat().st_size, "and nothing is lost"


def flipped(path: Path, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("how", ["cut", "empty", "gone", "flip", "zeros", "directory"])
@pytest.mark.parametrize("which", ["run.json", "records.jsonl", "floors/gmm4.npz",
                                   "density/gmm4.npz", "samples", "archive"])
def test_no_command_gives_a_traceback(tmp_path: Path, how: str, which: str,
                                      capsys: pytest.CaptureFixture[str]) -> None:
    run = make(tmp_path / "run", ["hmc", "initial"], ["gmm4"], seeds=2, n=100, draws=20)
    if which == "archive":
        archive(run, tmp_path / "small")
        run, which = tmp_path / "small", "records.jsonl.gz"
    path = run / which
    if which == "samples":
        path = sorted(path.iterdir())[0]
    rng = random.Random(which)
    {"cut": truncated, "empty": lambda p: p.write_bytes(b""), "gone": Path.unlink,
     "flip": lambda p: flipped(p, rng), "directory": directory,
     "zeros": lambda p: p.write_bytes(bytes(len(p.read_bytes())))}[how](path)
    for i, words in enumerate((["report"], ["compare"], ["export", "--to", "x.csv"],
                               ["archive", "--to", "y"], ["baseline", "--to", "z.json"],
                               ["history"], ["check", "--baseline", "z.json"])):
        rest = [str(tmp_path / f"{i}{w}") if "." in w or len(w) == 1 else w for w in words[1:]]
        code = main([words[0], str(run), *rest])
        told = capsys.readouterr()
        assert code in (0, 2), (words, told.err)
        assert "Traceback" not in told.err + told.out
        if code == 2:
            assert told.err.startswith("error: ") and told.err.count("\n") == 1, told.err
    if which.startswith(("floors", "density")) or path.parent.name == "samples":
        assert main(["report", str(run)]) == 0
        assert "Damaged input" in (run / "report.md").read_text() or how in ("flip", "gone")


def refused(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def flock(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL])
def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                     number: int) -> None:
    refused(monkeypatch, number)
    with Store(tmp_path), pytest.raises(StoreError, match=f"process {os.getpid()} on") as told, \
            Store(tmp_path):
        pass
    assert ".lock.held" in str(told.value)
    with Store(tmp_path):
        pass
    assert not (tmp_path / ".lock.held").exists()


def test_a_lock_left_behind_is_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused(monkeypatch, errno.ENOLCK)
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                          capture_output=True, text=True, check=True)
    import socket

    held = tmp_path / ".lock.held"
    held.write_text(json.dumps({"pid": int(done.stdout), "host": socket.gethostname()}))
    with Store(tmp_path):
        assert json.loads(held.read_text())["pid"] == os.getpid()
    held.write_text(json.dumps({"pid": int(done.stdout), "host": "elsewhere"}))
    with pytest.raises(StoreError, match=r"on elsewhere; if none is, remove"), Store(tmp_path):
        pass


@pytest.mark.parametrize("number", [errno.EWOULDBLOCK, errno.EACCES])
def test_who_holds_a_lock_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                   number: int) -> None:
    with Store(tmp_path):
        with pytest.raises(StoreError, match=f"another run is writing.*process {os.getpid()}"), \
                Store(tmp_path):
            pass
        refused(monkeypatch, number)
        with pytest.raises(StoreError, match="another run is writing"), Store(tmp_path):
            pass


