"""``python -m bench test``: law by law, 1 where one is broken, 2 for a mistake of the user."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.commands.parser import main

PLUGIN = '''
from dataclasses import dataclass
import torch
from metrics import Estimate, Metric
from samplers import Sampler
from targets import Target

class Bell(Target):
    """A bell."""
    name, dim, scale = "bell", 2, 1.0
    def log_prob(self, x):
        return -x.square().sum(1) / 2

class Tilted(Bell):
    """A bell with a wrong score."""
    name = "tilted"
    def score(self, x):
        return -1.1 * x
'''


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    path = tmp_path / f"{tmp_path.name}.py"
    path.write_text(PLUGIN)
    return path


def test_laws_are_printed_one_by_one(plugin: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", "bell", "--plugin", str(plugin)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("target bell\n")
    assert "  ok              score_is_the_gradient\n" in out
    assert "  not applicable  exact_points_obey_stein (the target has no exact points" in out


def test_a_broken_law_says_what_was_expected_and_measured(
        plugin: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", "--plugin", str(plugin)]) == 1
    out = capsys.readouterr().out
    assert "target bell\n" in out and "target tilted\n" in out
    assert "  failed          score_is_the_gradient\n      expected: score equal to" in out
    assert "      measured: coordinate 0 of score against finite differences: " in out
    assert out.endswith("\nfailed: tilted\n")


def test_built_ins_are_tested_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", "overhead", "mean_error"]) == 0
    out = capsys.readouterr().out
    assert "sampler overhead\n" in out and "metric mean_error\n" in out
    assert "not applicable  recovers_distribution (exempt: a baseline" in out


@pytest.mark.parametrize(("words", "said"), [
    ([], "name what to test, or a plugin file"), (["hmcc"], "did you mean 'hmc'"),
    (["--plugin", "nowhere.py"], "'nowhere.py' does not exist"),
    (["hmc", "--seed", "x"], "--seed")])
def test_a_mistake_is_one_sentence(words: list[str], said: str,
                                   capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", *words]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1
