"""A check that was stopped goes on by the command that it names, and ends in the same files.

Before, a check stopped during its confirmation named the confirmation's own folder; going on with
that, or with the run's, left no check.md.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from bench.commands.parser import main
from bench.jobs.session import Session
from results.records.store import read_header
from results.regression.baseline_file import read, save
from tests.support.runs import finish

SUITE = """
targets = ["gaussian"]
samplers = ["ula", "mala"]
baselines = []
metrics = ["mmd"]
seeds = 42
budget = "2000evals"
n = 60
n_curve = 30
checkpoints = 2
floor_draws = 20
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite, and a baseline that says that ula used to be better."""
    folder = tmp_path_factory.mktemp("checked")
    (folder / "small.toml").write_text(SUITE)
    out = str(folder / "base")
    finish("--suite", str(folder / "small.toml"), "--out", out, "--samplers", "ula")
    assert main(["baseline", out, "--to", str(folder / "small.json")]) == 0
    made = read(folder / "small.json")
    better = tuple(replace(c, values=c.values - 10.0, bits=("another",) * len(c.bits))
                   for c in made.cells)
    save(replace(made, cells=better), folder / "small.json")
    return folder


def ran(home: Path, out: Path) -> int:
    return main(["run", "--suite", str(home / "small.toml"), "--out", str(out), "--check",
                 str(home / "small.json"), "--samplers", "ula", "--no-report"])


def kept(folder: Path) -> dict[str, str]:
    """The files of a check, without seconds."""
    return {p.name: re.sub(r"[0-9.]+\s*[µm]?s\b", "", p.read_text())
            for p in folder.glob("check.*")}


@pytest.mark.slow
@pytest.mark.parametrize("where", ["run", "confirmation"])
def test_a_check_goes_on_where_it_was_stopped(home: Path, tmp_path: Path, where: str,
                                              monkeypatch: pytest.MonkeyPatch,
                                              capsys: pytest.CaptureFixture[str]) -> None:
    whole, broken = tmp_path / "whole" / "run", tmp_path / "broken" / "run"
    assert ran(home, whole) == 1
    work = Session.work

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def stopped(self: Session) -> None:
        if self.folder.name == where:
            monkeypatch.setattr(Session, "work", work)
            monkeypatch.setattr(self, "_jobs", interrupt)
        work(self)

    monkeypatch.setattr(Session, "work", stopped)
    capsys.readouterr()
    assert ran(home, broken) == 130
    told = capsys.readouterr().out
    command = shlex.split(told[told.index("python -m bench"):])
    assert command[3:] == ["run", "--resume", str(broken)]
    assert not list(broken.glob("check.*"))
    assert main([*command[3:], "--no-report"]) == 1
    assert kept(broken).keys() == kept(whole).keys() == {"check.md", "check.xml", "check.json"}
    assert kept(broken)["check.md"] == kept(whole)["check.md"]
    outcome = json.loads((broken / "check.json").read_text())
    assert outcome["confirmed"] and outcome["exit_code"] == 1
    heads = [read_header(f / "confirmation")["suite"]["seed_list"] for f in (whole, broken)]
    assert heads[0] == heads[1]
