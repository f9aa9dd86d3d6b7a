"""A run that is refused takes back what it made, and nothing else.

Before, a run that had no record yet lost its whole folder at the next refusal: the header, the
floors, and whatever the user had laid there.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.commands.parser import main
from bench.jobs.session import Session

SUITE = """
targets = ["mine"]
samplers = ["mala"]
baselines = []
metrics = ["ksd"]
seeds = 1
budget = "1000evals"
n = 60
n_curve = 20
"""
GOOD = """
from targets.base import Target
class Mine(Target):
    name = "mine"
    dim = 2
    scale = 1.0
    def log_prob(self, x):
        return -(x ** 2).sum(-1)
"""
#: Can be read, and not be made.
BROKEN = GOOD + "    def __init__(self): raise OSError('no data')\n"


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    (tmp_path / "suite.toml").write_text(SUITE)
    (tmp_path / "plugin.py").write_text(BROKEN)
    return ["run", "--suite", str(tmp_path / "suite.toml"), "--plugin",
            str(tmp_path / "plugin.py"), "--no-report", "--out"]


def test_resume_never_deletes(tmp_path: Path, words: list[str], monkeypatch: pytest.MonkeyPatch,
                              capsys: pytest.CaptureFixture[str]) -> None:
    """Killed before its first job, then resumed while its target cannot be made."""
    out = tmp_path / "run"

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    (tmp_path / "plugin.py").write_text(GOOD)
    with monkeypatch.context() as patch:
        patch.setattr(Session, "_prepare", killed)
        assert main([*words, str(out)]) == 130
    (out / "notes.txt").write_text("mine")
    header = (out / "run.json").read_bytes()
    (tmp_path / "plugin.py").write_text(BROKEN)
    assert main(["run", "--resume", str(out)]) == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert (out / "notes.txt").read_text() == "mine"
    assert (out / "run.json").read_bytes() == header


def test_a_refused_run_leaves_no_folder(tmp_path: Path, words: list[str]) -> None:
    assert main([*words, str(tmp_path / "new" / "deep" / "run")]) == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["plugin.py", "suite.toml"]


def test_a_folder_that_was_there_stays(tmp_path: Path, words: list[str]) -> None:
    out = tmp_path / "run"
    out.mkdir()
    assert main([*words, str(out)]) == 2
    assert out.is_dir() and not list(out.iterdir())


def test_what_a_user_lays_there_meanwhile_stays(tmp_path: Path, words: list[str],
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "new" / "run"
    work = Session.work

    def busy(self: Session) -> None:
        (out / "log").mkdir(parents=True)
        for name in ("notes.txt", "log/picture.png"):
            (out / name).write_text("mine")
        work(self)

    monkeypatch.setattr(Session, "work", busy)
    assert main([*words, str(out)]) == 2
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*")) == [
        "log", "log/picture.png", "notes.txt"]
