"""Mutations: each injected bug still fits the code it is injected in, and runs from a copy."""

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
from bench.maintain.__main__ import main as maintain
from bench.maintain.mutations import MUTATIONS, Mutation, copy_packages
from bench.suite.schema import parse, suite_names
from results.records.run_folder import load
from results.regression.freeze import freeze
from results.regression.matching import difference

NAMES = [m.name for m in MUTATIONS]


def _copy(mutation: Mutation, root: Path) -> Path:
    """The mutation's file alone under ``root``, as it stands."""
    path = root / mutation.file
    path.parent.mkdir(parents=True)
    path.write_text((ROOT / mutation.file).read_text())
    return path


@pytest.mark.parametrize("mutation", MUTATIONS, ids=NAMES)
def test_every_mutation_applies_to_the_code_as_it_stands(mutation: Mutation,
                                                         tmp_path: Path) -> None:
    path = _copy(mutation, tmp_path)
    before = path.read_text()
    assert [before.count(old) for old, _ in mutation.lines] == [1] * len(mutation.lines)
    mutation.inject(tmp_path)
    after = path.read_text()
    assert after != before and all(new in after for _, new in mutation.lines)
    compile(after, mutation.file, "exec")


def test_mutations_have_names_of_their_own_and_samplers_of_their_suite() -> None:
    assert len(set(NAMES)) == len(MUTATIONS)
    for suite in ("smoke", "nightly"):
        samplers = parse(suite_names()[suite])["samplers"]
        mutated = {m.sampler for m in MUTATIONS if m.suite == suite}
        assert mutated <= set(samplers) <= catalogue()["samplers"].keys()


@pytest.mark.parametrize("copies", [0, 2])
def test_a_line_that_has_moved_is_named(copies: int, tmp_path: Path) -> None:
    mutation = MUTATIONS[0]
    path = _copy(mutation, tmp_path)
    old = mutation.lines[0][0]
    path.write_text(path.read_text().replace(old, f"# {old}\n" * copies))
    with pytest.raises(UserError, match=f"mutation '{mutation.name}': {mutation.file} holds "
                                        f"{copies} times .*bring bench/maintain/mutations.py up "
                                        "to date"):
        mutation.inject(tmp_path)


def test_the_copy_is_whole_and_the_original_untouched(tmp_path: Path) -> None:
    mutation = MUTATIONS[0]
    before = (ROOT / mutation.file).read_bytes()
    copy_packages(tmp_path)
    mutation.inject(tmp_path)
    assert (ROOT / mutation.file).read_bytes() == before != (tmp_path / mutation.file).read_bytes()
    done = subprocess.run([sys.executable, "-m", "bench", "show", mutation.sampler], cwd=tmp_path,
                          capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0 and f"file: {(tmp_path / mutation.file).resolve()}" in done.stdout


def test_an_unknown_mutation_is_one_sentence(tmp_path: Path,
                                          capsys: pytest.CaptureFixture[str]) -> None:
    assert maintain(["mutations", "--only", "ula_nois", "--out", str(tmp_path / "out")]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: unknown mutation 'ula_nois'; did you mean 'ula_noise'?")
    assert err.count("\n") == 1 and not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_mutation_runs_with_the_suites_settings_and_other_numbers(tmp_path: Path) -> None:
    suite = tmp_path / "smoke.toml"
    suite.write_text("baselines = []\n" + suite_names()["smoke"].read_text())
    done = subprocess.run([sys.executable, "-m", "bench", "run", "--suite", str(suite),
                           "--samplers", "ula", "--seeds", "1", "--out", str(tmp_path / "plain"),
                           "--no-report"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert maintain(["mutations", "--only", "ula_noise", "--seeds", "1",
                     "--out", str(tmp_path / "mutated")]) == 0
    plain, mutation = (load(tmp_path / p) for p in ("plain", "mutated/ula_noise"))
    assert plain.suite == mutation.suite and plain.header["code"] != mutation.header["code"]
    assert json.dumps(plain.header["samplers"]) == json.dumps(mutation.header["samplers"])
    old, new = freeze(plain), freeze(mutation)
    assert len(old.cells) == 2
    for cell in old.cells:
        other = new.by_name[cell.name]
        assert difference(old, new, cell, other) == "", "a mistake is no change of settings"
        assert not np.array_equal(cell.values, other.values) and cell.bits != other.bits
        assert np.array_equal(cell.evals, other.evals), "at the same cost"
