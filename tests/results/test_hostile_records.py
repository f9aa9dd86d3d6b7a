"""Report, comparison and check read whatever a run can have written, and lose no seed in silence.

Before, one number that was not finite when it was written (JSON has no word for it) ended the
report, the comparison or the check with a traceback.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bench.core.errors import ReportError, StoreError
from results.comparison import comparison as parts
from results.comparison.comparison import compare
from results.comparison.page import render as compared
from results.records.export import export
from results.records.frames import Scores
from results.records.run_folder import load
from results.regression.baseline import Snapshot
from results.regression.formats import as_json, junit, markdown
from results.regression.freeze import freeze
from results.regression.verdicts import check
from results.report import page as report
from results.report.terminal import print_report
from tests.support.report_fake import make, unsealed

Line = dict[str, Any]
LABELS = ["ula", "svgd", "drifting", "exact", "initial"]


#: Real runs, and every command of the program: `.ci/run` and `pytest -m slow` hold them.
pytestmark = pytest.mark.slow


def _set(sort: str, **values: Any) -> Callable[[Line], None]:  # noqa: ANN401
    """Change fields of lines of a sort; a dict changes fields within a field."""
    def change(line: Line) -> None:
        if line["sort"] == sort:
            for name, value in values.items():
                line[name] = {**line[name], **value} if isinstance(value, dict) else value
    return change


def _label(name: str) -> Callable[[Line], None]:
    return lambda x: x.update(label=name) if x.get("label") == "ula" else None


CHANGES: dict[str, Callable[[Line], None]] = {
    **{f"job {name} not finite": _set("job", **{name: None}) for name in (
        "overshoot", "budget", "warmup_seconds", "scoring_seconds", "peak_memory_mb",
        "compile_seconds")},
    **{f"job {name} no count": _set("job", **{name: None}) for name in (
        "steps", "updates", "seed")},
    "training seconds": _set("job", train={"seconds": None, "wall": None, "cpu": None}),
    "drawing seconds": _set("job", draw={"seconds": None}),
    "no evaluations": _set("job", train={"density": None}),
    "probe": _set("job", probe=[None, 0.1]),
    "no ladder": _set("job", ladder=[]),
    "a free ladder": _set("job", ladder=[[100, 0.0]]),
    "autocorrelation not finite": _set("job", renewal=[10, None]),
    "no points held": _set("job", renewal=[0, 0.0]),
    "diagnostics": _set("job", diagnostics={"ess": None}, params={"x": None, "ü": [{"a": 1}]}),
    "a huge reason": _set("job", status="failed", reason="\x00\x1b[31m|<b>𝕏" * 5000),
    "a status from a newer version": _set("job", status="melted"),
    **{status: _set("job", status=status) for status in (
        "unaffordable", "unsupported", "target-failed", "killed", "out-of-memory")},
    "an unknown kind": _set("job", kind="odd"),
    "another device": _set("job", device="", currency=""),
    "notes": _set("job", notes=["a|b <x>\n[bold]", "y" * 9999]),
    "no work": _set("job", steps=0, train={"density": 0, "score": 0, "hvp": 0}),
    "a target of no suite": _set("job", target="../elsewhere"),
    **{f"label {name[:8]!r}": _label(name) for name in (
        "ü λ", "[bold]x[/]", "a|b", "<script>", "x" * 200, "a/../b")},
    "values none": _set("measure", value=None),
    "values huge": _set("measure", value=1e300),
    "values tiny": _set("measure", value=5e-324, se=None),
    "no points": _set("measure", n=0),
    "points no count": _set("measure", n=None),
    "an unknown metric": _set("measure", metric="ü|<new>"),
    "an unknown stage": _set("measure", stage="odd"),
    "no curve": _set("measure", stage="final"),
    "no final": _set("measure", stage="curve"),
    "an index of nothing": _set("measure", index=99),
    "parts": _set("measure", parts=[None, 1.0]),
    "progress": _set("checkpoint", progress=None),
    "checkpoint seconds": _set("checkpoint", spent={"seconds": None}),
    "checkpoint no count": _set("checkpoint", drawn=None)}
DROPS: dict[str, Callable[[Line], bool]] = {
    "no records": lambda x: True,
    "no measures": lambda x: x["sort"] == "measure",
    "no checkpoints": lambda x: x["sort"] == "checkpoint",
    "no jobs": lambda x: x["sort"] == "job",
    "one seed": lambda x: not x["key"].endswith("-0"),
    "no control": lambda x: x["key"].startswith(("exact", "initial"))}
#: Keys of the sections of the report that are pictures.
PICTURES = ("curves", "gallery", "distributions")
HEADS = ("samplers", "targets", "metrics", "suite", "machine", "versions", "command")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Snapshot]:
    folder = make(tmp_path_factory.mktemp("base") / "run", LABELS, ["gmm4"], seeds=2,
                  draws=100, trouble=False)
    return folder, freeze(load(folder))


@pytest.fixture
def read_all(base: tuple[Path, Snapshot], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
             ) -> Callable[[list[Line], Line], Scores]:
    """Everything that reads records, but pictures; refusals in one sentence are welcome."""
    monkeypatch.setattr(report, "SECTIONS",
                        tuple(s for s in report.SECTIONS if s.key not in PICTURES))
    monkeypatch.setattr(parts, "mean_rank_figure", lambda *rest: None)

    def look(lines: list[Line], head: Line) -> Scores:
        folder = tmp_path / "run"
        folder.mkdir(exist_ok=True)
        (folder / "run.json").write_text(json.dumps(head))
        (folder / "records.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))
        if not (folder / "floors").exists():
            (folder / "floors").symlink_to(base[0] / "floors")
        run = load(folder)
        report.render(run)
        print_report(folder, Console(file=io.StringIO(), width=90))
        export(folder, tmp_path / "x.json")
        for step in (lambda: compared(compare([folder])), lambda: check(base[1], freeze(run))):
            try:
                found = step()
            except ReportError as error:
                assert str(error)
            else:
                if not isinstance(found, tuple):
                    assert markdown(found) and junit(found) and as_json(found)
        return Scores(run)
    return look


def _base(folder: Path) -> tuple[list[Line], Line]:
    text = unsealed((folder / "records.jsonl").read_text())
    return ([json.loads(x) for x in text.splitlines()],
            json.loads((folder / "run.json").read_text()))


@pytest.mark.parametrize("everywhere", [False, True])
@pytest.mark.parametrize("name", CHANGES)
def test_no_change_of_a_record_ends_in_a_traceback(
        name: str, everywhere: bool, base: tuple[Path, Snapshot],
        read_all: Callable[[list[Line], Line], Scores]) -> None:
    lines, head = _base(base[0])
    for line in lines:
        if everywhere or line["key"] == "ula-gmm4-1":
            CHANGES[name](line)
    scores = read_all(lines, head)
    seeds = {j.seed for j in scores.run.of("ula", "gmm4") if j.status == "ok"}
    if "mmd" in scores.metrics and seeds and not scores.unranked("ula", "gmm4", "mmd"):
        final, left = scores.final("ula", "gmm4", "mmd"), scores.left_out("ula", "gmm4", "mmd")
        assert set(final.seeds if final else ()) | set(left) == seeds, "a seed without a word"


@pytest.mark.parametrize("name", DROPS)
def test_lines_that_are_not_there(name: str, base: tuple[Path, Snapshot],
                                  read_all: Callable[[list[Line], Line], Scores]) -> None:
    lines, head = _base(base[0])
    read_all([x for x in lines if not DROPS[name](x)], head)


@pytest.mark.parametrize("name", HEADS)
def test_a_header_without(name: str, base: tuple[Path, Snapshot],
                          read_all: Callable[[list[Line], Line], Scores]) -> None:
    lines, head = _base(base[0])
    head.pop(name)
    try:
        read_all(lines, head)
    except StoreError as error:
        assert f"'{name}' is missing" in str(error)


