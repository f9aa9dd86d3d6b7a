"""The documentation works as printed: its Python runs, its commands do, its tables are true."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bench.commands.parser import COMMANDS, EPILOG, _parse, main, parser
from bench.commands.run import _planned
from bench.core.places import ROOT, SUITES
from bench.core.registry import catalogue
from bench.maintain.__main__ import PROGRAMS
from bench.maintain.__main__ import main as maintain
from bench.maintain.docs_tables import DOCS, filled
from results.records.store import read
from tests.support.check_fake import Fake
from tests.support.documentation import (
    PAGES,
    Command,
    all_commands,
    commands,
    pages_with_blocks,
    python_blocks,
)

README = (ROOT / "README.md").read_text(encoding="utf-8")
PRINTED = [c for c in [*all_commands(), *commands("--help", EPILOG)] if c.words]
OURS = list({(c.words, c.optional): c for c in PRINTED if c.program == "bench"}.values())
RUNS = [c for c in OURS if c.words[0] == "run" and len(c.words) > 1]
SHORT = [c for c in OURS if c.words[0] != "run" and (len(c.words) > 1 or c.words[0] in (
    "list", "audit"))]
MAINTAIN = list({c.words: c for c in PRINTED if c.program == "bench.maintain"}.values())


# ---- what stands for what -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that the commands name: a run, a baseline, the files that pages show."""
    home = tmp_path_factory.mktemp("world")
    for page in PAGES:
        for block in python_blocks(page.read_text(encoding="utf-8")):
            if block.file:
                (home / block.file).write_text(block.text)
    Fake().write(home / "DIR")
    header = Fake(draw=1).write(home / "later") / "run.json"
    header.write_text(header.read_text().replace("2026-11-22T", "2026-11-23T"))
    for run, file in (("DIR", "FILE.json"), ("later", "FILE2.json")):
        assert main(["baseline", str(home / run), "--to", str(home / file)]) == 0
    np.save(home / "points.npy", np.random.default_rng(0).normal(size=(60_000, 2)))
    return home


def words_of(command: Command, printed: tuple[str, ...], world: Path, new: Path) -> list[str]:
    """Printed words as a user would fill them in; what is written goes to the folder ``new``."""
    return [_word(command.words[0], before, word.split("|")[0], world, new)
            for before, word in pairwise(("", *printed))]


def _word(command: str, before: str, word: str, world: Path, new: Path) -> str:
    names = {"--suite": "smoke", "--against": "mala", "--metric": "mean_error",
             "audit": "mean_error", "show": "hmc", "test": "overhead"}
    if before in ("--to", "--out", "--picture", "--resume"):
        return str(new / (word if word != "FILE" else "FILE.json"))
    if word == "NAME":
        return names.get(before) or names[command]
    if before == "--plugin":
        return str(world / ("mine.py" if word == "FILE" else word))
    if before == word == "FILE":
        return str(world / "FILE2.json")
    if word in ("DIR", "FILE", "BASELINE") or word.startswith(("runs/", "results/data/baselines")):
        run = word == "DIR" or word.startswith("runs/")
        return str(world / ("DIR" if run else "FILE.json"))
    return {"a,b": "mala,ula" if command == "check" else "mala,hmc",
            "x,y": "ring,banana" if command == "check" else "gmm4,gaussian", "N": "2",
            "M": "mean_error", "T": "gmm4",
            "TARGET=FILE.npy": f"gmm4={world / 'points.npy'}"}.get(word, word)


# ---- Python -------------------------------------------------------------------------------------


def _is_slow(page: Path) -> bool:
    return "bench.run" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", [
    pytest.param(page, id=page.name, marks=[pytest.mark.slow] if _is_slow(page) else [])
    for page in pages_with_blocks()])
def test_python_blocks_run(page: Path, world: Path, tmp_path: Path) -> None:
    """In order, in one namespace; lines have the numbers that they have on the page."""
    lines = [""] * (page.read_text(encoding="utf-8").count("\n") + 2)
    for block in python_blocks(page.read_text(encoding="utf-8")):
        if block.file:
            (tmp_path / block.file).write_text(block.text)
        for i, line in enumerate(block.text.splitlines()):
            lines[block.line - 1 + i] = line
    script = tmp_path / f"{page.stem}_printed.py"
    script.write_text("\n".join(lines))
    done = subprocess.run([sys.executable, "-P", str(script)], cwd=tmp_path, text=True,
                          capture_output=True, check=False, timeout=580)
    assert done.returncode == 0, f"{page.name}: {done.stderr[-2000:]}"


# ---- commands -----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", OURS, ids=str)
def test_commands_and_each_of_their_options_are_understood(command: Command, world: Path,
                                                           tmp_path: Path) -> None:
    if len(command.words) == 1:
        assert command.words[0] in COMMANDS
    else:
        _parse(words_of(command, command.words, world, tmp_path))
    for group in command.optional:
        first, *rest = group
        for value in first.split("|") if not rest else [first]:
            _parse(words_of(command, (*command.words, value, *rest), world, tmp_path))


#: What an audit that is not committed takes seconds with.
TINY_AUDIT = ("--n", "100", "--draws", "40")


@pytest.mark.filterwarnings("ignore:Data has no positive values")  # the run is made up
@pytest.mark.parametrize("command", [
    pytest.param(c, id=str(c), marks=[pytest.mark.slow] if c.words[0] == "audit" and "--plugin"
                 in c.words else []) for c in SHORT])
def test_commands_do_what_they_say(command: Command, world: Path, tmp_path: Path,
                                   monkeypatch: pytest.MonkeyPatch,
                                   capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(world)
    words = words_of(command, command.words, world, tmp_path)
    code = main([*words, *(TINY_AUDIT if words[0] == "audit" and "--plugin" in words else ())])
    assert code == 0, capsys.readouterr()


@pytest.mark.parametrize("command", RUNS, ids=str)
def test_runs_can_be_planned(command: Command, world: Path, tmp_path: Path,
                             monkeypatch: pytest.MonkeyPatch) -> None:
    """All that a run checks of its suite and options before its first job."""
    monkeypatch.chdir(world)
    suite, _ = _planned(_parse(words_of(command, command.words, world, tmp_path)))
    assert suite.targets and suite.samplers and suite.seeds


TINY = {c.words[2]: c for c in RUNS if c.words[1] == "--suite" and c.words[2] in {
    p.stem for p in SUITES.glob("*.toml")} and "--check" not in c.words}


def without_training(name: str, folder: Path) -> Path:
    """A suite less the metric that trains a network for every job (tests/metrics/test_nll.py)."""
    text = (SUITES / f"{name}.toml").read_text(encoding="utf-8")
    path = folder / f"{name}.toml"
    path.write_text(text.replace('"nll_cfm", ', ""), encoding="utf-8")
    return path


@pytest.mark.slow
@pytest.mark.parametrize("command", TINY.values(), ids=str)
def test_runs_run(command: Command, world: Path, tmp_path: Path,
                  monkeypatch: pytest.MonkeyPatch) -> None:
    """One sampler on one target, one seed, on 2,000 evaluations."""
    monkeypatch.chdir(world)
    words = words_of(command, command.words, world, tmp_path)
    suite, _ = _planned(_parse(words))
    if suite.device != "cpu":
        pytest.skip("needs a GPU")
    first = next(s.label for s in suite.samplers if s.name != "exact")
    tiny = {"--samplers": first, "--seeds": "1", "--out": str(tmp_path / "tiny"), "--n": "100",
            "--targets": suite.targets[0].label, "--budget": "2000evals"}
    if any(metric.name == "nll_cfm" for metric in suite.metrics):
        tiny["--suite"] = str(without_training(suite.name, tmp_path))
    kept = [w for pair in zip(words[1::2], words[2::2], strict=False) for w in pair
            if pair[0] not in tiny and pair[0] != "--no-report"]
    assert main(["run", *kept, *[w for pair in tiny.items() for w in pair], "--no-report"]) == 0
    assert read(tmp_path / "tiny")[0]


@pytest.mark.parametrize("command", MAINTAIN, ids=str)
def test_maintainers_programs_have_what_is_printed(command: Command,
                                                   capsys: pytest.CaptureFixture[str]) -> None:
    name, *rest = command.words
    assert name in PROGRAMS
    with pytest.raises(SystemExit) as ended:
        maintain([name, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert not [w for w in rest if w.startswith("--") and w not in shown]


# ---- README's lists -----------------------------------------------------------------------------


def test_the_readme_lists_every_command() -> None:
    listed = {c.words[0] for c in commands("README.md", README) if c.program == "bench"}
    assert listed == set(COMMANDS)
    assert set(re.findall(r"^    (\w+) ", parser().format_help(), re.MULTILINE)) == set(COMMANDS)


def rows() -> list[SimpleNamespace]:
    """README's table of suites: names, what it is, budget, time."""
    table = README[README.index("| suite |"):].split("\n\n")[0].splitlines()[2:]
    cells = [[c.strip() for c in line.strip("|").split("|")] for line in table]
    return [SimpleNamespace(names=re.findall(r"`([\w-]+)`", names), what=what, budget=budget)
            for names, what, budget, _ in cells]


def test_the_readme_lists_every_suite() -> None:
    listed = [name for row in rows() for name in row.names]
    assert sorted(listed) == sorted(path.stem for path in SUITES.glob("*.toml"))


def suite_file(name: str) -> dict[str, Any]:
    return tomllib.loads((SUITES / f"{name}.toml").read_text(encoding="utf-8"))


NUMBERS = {word: i for i, word in enumerate(
    "zero one two three four five six seven eight nine ten eleven twelve".split())}
NUMBERS["twenty"] = 20


def number(word: str) -> int | None:
    return int(word) if word.isdigit() else NUMBERS.get(word)


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.names[0])
def test_the_table_of_suites_says_what_the_files_say(row: SimpleNamespace) -> None:
    said = [float(x.replace(",", "")) for x in re.findall(r"[\d,]+(?= |$)", row.budget)]
    units = re.findall(r"CPU seconds|device seconds|evaluations|steps|updates|moves", row.budget)
    suites = [suite_file(name) for name in row.names]
    ending = {"CPU seconds": "s", "device seconds": "s", "evaluations": "evals"}
    for i, suite in enumerate(suites):
        amount, unit = said[min(i, len(said) - 1)], units[min(i, len(units) - 1)]
        found = re.fullmatch(r"([\d.e]+)(s|evals|steps)", suite["budget"])
        assert found is not None and float(found[1]) == amount
        assert found[2] == ending.get(unit, "steps")
        assert (unit == "device seconds") == str(suite.get("device", "cpu")).startswith("cuda")
    counts = {"seeds": suites[0]["seeds"], "samplers": len(suites[0]["samplers"]),
              "targets": len(suites[0]["targets"])}
    for what, count in counts.items():
        for word in re.findall(rf"(\w+) (?:2-D |fresh |of the )?{what}\b", row.what):
            assert number(word) in (None, count), (what, word, count)


# ---- generated tables ---------------------------------------------------------------------------


def test_how_to_read_holds_what_is_committed() -> None:
    text = (DOCS / "reading.md").read_text(encoding="utf-8")
    assert filled(text) == text, "run python -m bench.maintain docs-tables"


def test_tracking_holds_what_is_committed() -> None:
    text = (DOCS / "tracking.md").read_text(encoding="utf-8")
    assert filled(text) == text, "run python -m bench.maintain docs-tables"


def test_drifting_holds_what_is_committed() -> None:
    text = (DOCS / "drifting.md").read_text(encoding="utf-8")
    assert filled(text) == text, "run python -m bench.maintain docs-tables"


@pytest.mark.slow
def test_published_tables_hold_what_is_committed() -> None:
    text = (DOCS / "published.md").read_text(encoding="utf-8")
    assert filled(text) == text, "run python -m bench.maintain docs-tables"


def test_a_page_that_was_edited_by_hand_is_noticed() -> None:
    text = (DOCS / "reading.md").read_text(encoding="utf-8")
    block = text.index("<!-- generated: power -->")
    digit = re.compile(r"\d").search(text, block)
    assert digit is not None
    changed = text[:digit.start()] + str((int(digit[0]) + 1) % 10) + text[digit.end():]
    assert filled(changed) == text


def test_every_metric_is_explained() -> None:
    text = (DOCS / "reading.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE))
    assert rows == set(catalogue()["metrics"])
