"""Narrow terminals: no number is broken inside its digits, no heading inside a word.

Before, rich squeezed every column alike: at 40 columns .291 became ".2" above "91", and at 80,
what CI logs have, "missing" stood as "missi" above "ng".
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from bench.commands.parser import main
from bench.core.places import RUNS
from bench.jobs.progress import Progress
from results.acceptance.criteria import read_criteria
from results.acceptance.judged import JudgedRun
from results.acceptance.tables import table
from results.comparison import page
from results.comparison.comparison import compare
from results.presentation.console import grid
from results.presentation.table import Cell, Column, Table
from results.records.audit_file import committed_audits
from results.records.run_folder import load
from results.regression import history_page
from results.regression.formats import print_text
from results.regression.freeze import freeze
from results.regression.history import history
from results.regression.history_tables import entries_table, history_tables
from results.regression.verdicts import check
from results.report.power_tables import power_table, smallest_table
from results.report.terminal import print_report
from tests.results.test_regression_history import shown as history_of_snapshots
from tests.results.test_regression_history import written
from tests.support.check_fake import Fake
from tests.support.report_fake import make

WIDTHS = (40, 60, 80, 200)
WIDE = 1000
LABELS = ["drifting", "ula", "hmc", "svgd", "dft", "exact", "initial"]
TARGETS = ["gmm4", "banana", "gmm40_fab", "mine"]


def printed(show: Callable[[Console], Any], width: int) -> str:
    file = io.StringIO()
    console = Console(file=file, width=width, markup=False, emoji=False, highlight=False)
    show(console)
    lines = file.getvalue().splitlines()
    assert all(len(line) <= width for line in lines)
    return "\n".join(lines)


def words(show: Callable[[Console], Any], width: int) -> Counter[str]:
    return Counter(word.strip(",:") for word in printed(show, width).split())


def whole(show: Callable[[Console], Any]) -> None:
    """Every word and number of the wide rendering stands whole in each narrow one."""
    wide = words(show, WIDE)
    assert wide
    for width in WIDTHS:
        broken = {word: n for word, n in (wide - words(show, width)).items()
                  if len(word) < width - 2 and set(word) != {"─"}}
        assert not broken, (width, broken)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("runs") / "run", LABELS, TARGETS, draws=100)


def test_a_report(folder: Path) -> None:
    whole(lambda console: print_report(folder, console))


def test_a_comparison(folder: Path) -> None:
    for against in (None, "hmc"):
        made = compare([folder], against)
        whole(lambda console, made=made: page.print_comparison(made, console))
        for each in (*made.tables(), *made.folded()):
            whole(lambda console, each=each: console.print(grid(each, below=True)))


def test_the_live_table() -> None:
    labels = [f"sampler_{i}" for i in range(6)], [f"target_{i}" for i in range(9)]
    suite: Any = SimpleNamespace(name="many", samplers=[SimpleNamespace(label=x) for x in
                                                        labels[0]],
                                 targets=[SimpleNamespace(label=x) for x in labels[1]])
    live = Progress(suite, Console(file=io.StringIO()))
    live._cells = {(s, t): [0.29137 * (i + 1)] for i, s in enumerate(labels[0])
                   for t in labels[1]}
    whole(lambda console: console.print(grid(live._table())))


def test_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    def show(console: Console) -> None:
        monkeypatch.setattr("bench.commands.list.open_console", lambda: console)
        assert main(["list"]) == 0

    whole(show)


def test_a_table_is_cut_by_columns_and_names_its_rows_again() -> None:
    columns = (Column("sampler", numeric=False), *(Column(f"t{i}", "n = 5000") for i in range(9)))
    rows = tuple((Cell(f"s{i}"), *(Cell(f"{i}.{j}23") for j in range(9))) for i in range(3))
    text = printed(lambda c: c.print(grid(Table("k", "nine targets", columns, rows))), 40)
    assert "nine targets (1 of 5)" in text and "nine targets (5 of 5)" in text
    assert text.count("s2") == 5 and text.count("n = 5000") == 9


def test_a_row_that_does_not_fit_becomes_a_block() -> None:
    columns = (Column("sampler", numeric=False), Column("reason", numeric=False), Column("W2"))
    rows = ((Cell("a_sampler_with_a_long_name"), Cell("it is a_word_as_long_as_this_one"),
             Cell("0.2913 ≈", seeds="0.1, 0.2")),)
    text = printed(lambda c: c.print(grid(Table("k", "caption", columns, rows), below=True)), 40)
    assert "reason: it is" in text and "W2: 0.2913 ≈, 0.1, 0.2" in text


def test_two_names_stand_in_each_part_where_one_does_not_tell_the_rows_apart() -> None:
    columns = (Column("sampler", numeric=False), Column("against", numeric=False),
               *(Column(f"column{i}") for i in range(6)))
    rows = tuple((Cell(a), Cell(b), *(Cell("0.123") for _ in range(6)))
                 for a in ("ula", "hmc") for b in ("mala", "svgd"))
    text = printed(lambda c: c.print(grid(Table("k", "pairs", columns, rows))), 44)
    assert text.count("against") > 1


def test_brackets_and_control_characters_are_text() -> None:
    """A label ``[red]x`` lost its brackets, ``[/x]`` was a traceback, ESC moved the cursor."""
    name = "[red]a[/b] \x1b[2J :smile: \u202e"
    table = Table("k", name, (Column(name, numeric=False),), ((Cell(name),), (Cell("b"),)))
    text = printed(lambda c: c.print(grid(table)), 200)
    assert text.count("[red]a[/b] \\x1b[2J :smile: \\u202e") == 3


@pytest.mark.parametrize("value", ["0", "1", "-5", "abc", "²", "", "99999999999"])
def test_any_width_in_the_environment(value: str, monkeypatch: pytest.MonkeyPatch,
                                      capsys: pytest.CaptureFixture[str]) -> None:
    """COLUMNS=² was a ValueError in rich, COLUMNS=1 a letter a line."""
    from results.presentation.console import open_console

    monkeypatch.setenv("COLUMNS", value)
    monkeypatch.setenv("LINES", value)
    open_console().print("seventeen letters and more")
    assert "seventeen letters" in capsys.readouterr().out


def test_a_check(tmp_path: Path) -> None:
    samplers, rise = ("ula", "mala", "hmc", "svgd"), {("ula", "ring"): 6.0}
    old = freeze(load(Fake(samplers=samplers).write(tmp_path / "old")))
    new = freeze(load(Fake(samplers=samplers, seeds=range(5), draw=1, rise=rise,
                           endings={("hmc", "banana", 2): "diverged"}).write(tmp_path / "new")))
    made = check(old, new)
    whole(lambda console: print_text(made, console))


def test_a_history(tmp_path: Path) -> None:
    made = history(written(history_of_snapshots(), tmp_path))
    assert history_tables(made)
    whole(lambda console: history_page.print_history(made, console))
    whole(lambda console: console.print(grid(entries_table(made))))


def test_acceptance_criteria() -> None:
    judged = JudgedRun(load(RUNS / "drifting_bars"), read_criteria())
    shown = table(judged)
    whole(lambda console: console.print(grid(shown, below=True)))


def test_an_audit() -> None:
    found = committed_audits()["gmm4"]
    whole(lambda console: console.print(grid(power_table(found, ["mmd", "w2", "ksd"], 1000))))
    whole(lambda console: console.print(grid(smallest_table(found, list(found.metrics)))))
