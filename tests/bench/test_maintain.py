"""``python -m bench.maintain``: it lists every maintainers' program and runs one by name."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from bench import maintain
from bench.maintain.__main__ import PROGRAMS, main

FOLDER = Path(maintain.__file__).parent


def test_every_module_with_a_main_is_listed_and_tells_its_options(
        capsys: pytest.CaptureFixture[str]) -> None:
    programs = {".".join(path.relative_to(FOLDER).with_suffix("").parts)
                for path in FOLDER.rglob("*.py")
                if path.name != "__main__.py" and "\ndef main(" in path.read_text("utf-8")}
    assert {program.module for program in PROGRAMS.values()} == programs
    for name, program in PROGRAMS.items():
        importlib.import_module(f"bench.maintain.{program.module}")
        with pytest.raises(SystemExit) as stop:
            main([name, "--help"])
        assert stop.value.code == 0
        assert f"usage: python -m bench.maintain {name}" in capsys.readouterr().out


def test_without_a_name_it_prints_a_sentence_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name, program in PROGRAMS.items():
        assert sum(line.split()[:1] == [name] and program.sentence in line for line in lines) == 2
    assert max(map(len, lines)) < 100


def test_an_unknown_name_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flors"]) == 2
    assert "unknown program 'flors'; did you mean 'floors'?" in capsys.readouterr().err
