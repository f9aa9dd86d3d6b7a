"""Drills: each planted mistake still fits the code it is planted in, and runs from a copy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.core.errors import UserError
from bench.core.places import ROOT
from bench.core.registry import catalogue
from bench.maintain.mutations import DRILLS, Drill, copy_house, main
from bench.suite.schema import parse, suite_names
from results.records.run_folder import load
from results.regression.baseline import freeze
from results.regression.matching import difference

NAMES = [d.name for d in DRILLS]


def _copy(drill: Drill, root: Path) -> Path:
    """The drill's file alone under ``root``, as it stands."""
    path = root / drill.file
    path.parent.mkdir(parents=True)
    path.write_text((ROOT / drill.file).read_text())
    return path


@pytest.mark.parametrize("drill", DRILLS, ids=NAMES)
def test_every_drill_applies_to_the_code_as_it_stands(drill: Drill, tmp_path: Path) -> None:
    path = _copy(drill, tmp_path)
    before = path.read_text()
    assert [before.count(old) for old, _ in drill.lines] == [1] * len(drill.lines)
    drill.plant(tmp_path)
    after = path.read_text()
    assert after != before and all(new in after for _, new in drill.lines)
    compile(after, drill.file, "exec")


def test_drills_have_names_of_their_own_and_samplers_of_their_suite() -> None:
    assert len(set(NAMES)) == len(DRILLS)
    for suite in ("smoke", "nightly"):
        samplers = parse(suite_names()[suite])["samplers"]
        planted = {d.sampler for d in DRILLS if d.suite == suite}
        assert planted <= set(samplers) <= catalogue()["samplers"].keys()


@pytest.mark.parametrize("copies", [0, 2])
def test_a_line_that_has_moved_is_told(copies: int, tmp_path: Path) -> None:
    drill = DRILLS[0]
    path = _copy(drill, tmp_path)
    old = drill.lines[0][0]
    path.write_text(path.read_text().replace(old, f"# {old}\n" * copies))
    with pytest.raises(UserError, match=f"drill '{drill.name}': {drill.file} holds {copies} "
                                        "times .*bring .*mutations.py up to date"):
        drill.plant(tmp_path)


def test_the_copy_is_whole_and_the_original_untouched(tmp_path: Path) -> None:
    drill = DRILLS[0]
    before = (ROOT / drill.file).read_bytes()
    copy_house(tmp_path)
    drill.plant(tmp_path)
    assert (ROOT / drill.file).read_bytes() == before != (tmp_path / drill.file).read_bytes()
    done = subprocess.run([sys.executable, "-m", "bench", "show", drill.sampler], cwd=tmp_path,
                          capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0 and f"file: {(tmp_path / drill.file).resolve()}" in done.stdout


def test_an_unknown_drill_is_one_sentence(tmp_path: Path,
                                          capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "ula_nois", "--out", str(tmp_path / "out")]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: unknown drill 'ula_nois'; did you mean 'ula_noise'?")
    assert err.count("\n") == 1 and not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_drill_runs_with_the_suites_settings_and_other_numbers(tmp_path: Path) -> None:
    suite = tmp_path / "smoke.toml"
    suite.write_text("controls = []\n" + suite_names()["smoke"].read_text())
    done = subprocess.run([sys.executable, "-m", "bench", "run", "--suite", str(suite),
                           "--samplers", "ula", "--seeds", "1", "--out", str(tmp_path / "plain"),
                           "--no-report"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert main(["--only", "ula_noise", "--seeds", "1", "--out", str(tmp_path / "drill")]) == 0
    plain, drill = (load(tmp_path / p) for p in ("plain", "drill/ula_noise"))
    assert plain.suite == drill.suite and plain.header["code"] != drill.header["code"]
    assert json.dumps(plain.header["samplers"]) == json.dumps(drill.header["samplers"])
    old, new = freeze(plain), freeze(drill)
    assert len(old.cells) == 2
    for cell in old.cells:
        other = new.by_name[cell.name]
        assert difference(old, new, cell, other) == "", "a mistake is no change of settings"
        assert not np.array_equal(cell.values, other.values) and cell.bits != other.bits
        assert np.array_equal(cell.evals, other.evals), "at the same cost"
