"""A check told to people and to programs: each format holds what was found, and parses."""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.console import Console

from bench.commands.parser import main
from results.records.run_folder import load
from results.regression.baseline import Snapshot
from results.regression.formats import github, junit, markdown, print_text
from results.regression.freeze import freeze
from results.regression.verdicts import Check, Verdict, check
from tests.support.check_fake import Fake

#: What a hand can write into a setting, and a format can trip over.
HOSTILE = "50%|\n<b>next</b>,::"
SAMPLERS = ("ula", "mala", "hmc", "svgd")
RISE = {("ula", "ring"): 6.0, ("mala", "ring"): -6.0}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A baseline of four samplers on two targets."""
    folder = tmp_path_factory.mktemp("base")
    Fake(samplers=SAMPLERS).write(folder / "run")
    assert main(["baseline", str(folder / "run"), "--to", str(folder / "b.json")]) == 0
    return folder


def _frozen(folder: Path, **changes: Any) -> Snapshot:
    return freeze(load(Fake(**changes).write(folder)))


@pytest.fixture(scope="module")
def mixed(base: Path) -> Path:
    """A run with verdicts of all sorts but 'identical' and 'lower': worse by number and ending."""
    return Fake(samplers=("ula", "mala", "hmc", "dft"), seeds=range(5), draw=1, rise=RISE,
                params={"hmc": {"mass": HOSTILE}},
                endings={("ula", "banana", 2): "out-of-memory"}).write(base / "mixed")


@pytest.fixture(scope="module")
def made(base: Path, mixed: Path) -> Check:
    """Its check, with fresh seeds that confirm nothing but the ending."""
    fresh = _frozen(base / "fresh", samplers=("ula",), seeds=range(50, 70), draw=1)
    return check(freeze(load(base / "run")), freeze(load(mixed)), fresh=fresh)


@pytest.fixture
def say(base: Path, mixed: Path, capsys: pytest.CaptureFixture[str]
        ) -> Callable[[str], tuple[str, str]]:
    """``check --format``; what it wrote to standard output and error."""
    def run(form: str) -> tuple[str, str]:
        code = main(["check", str(mixed), "--baseline", str(base / "b.json"), "--format", form])
        assert code == 1
        told = capsys.readouterr()
        return told.out, told.err
    return run


def test_the_fixture_holds_every_verdict(made: Check) -> None:
    assert {f.verdict for f in made.findings} == set(Verdict) - {"identical", "lower"}


def test_json_holds_every_finding_and_the_exit_code(say: Callable[[str], tuple[str, str]],
                                                    base: Path, mixed: Path) -> None:
    told = json.loads(say("json")[0])
    found = check(freeze(load(base / "run")), freeze(load(mixed)))
    assert told["exit_code"] == 1 and told["outcome"].startswith("REGRESSION")
    assert (told["alpha"], told["tolerance"], told["confirmed"]) == (0.01, 0.25, False)
    assert [(f["sampler"], f["target"], f["what"], f["verdict"]) for f in told["findings"]] == [
        (f.sampler, f.target, f.what, f.verdict) for f in found.findings]
    worse = next(f["measured"] for f in told["findings"] if f["verdict"] == "worse"
                 and f["measured"])
    real = next(f.measured for f in found.findings if f.verdict == "worse" and f.measured)
    assert worse["shift"] == {"value": real.shift.value, "low": real.shift.low,
                              "high": real.shift.high}
    assert worse["shift"]["low"] > 0 and worse["detectable"] == real.detectable > real.limit
    assert worse["p"] <= worse["adjusted_p"] <= 0.01 and worse["seeds"] == [40, 5]
    hostile = next(f for f in told["findings"] if f["sampler"] == "hmc")
    assert "50%|\n" in hostile["reason"]


def test_json_has_no_number_that_is_none(base: Path, tmp_path: Path) -> None:
    """A side that failed altogether has infinite medians; JSON has no word for them."""
    gone = {("ula", "ring", s): "diverged" for s in range(45)}
    old = Fake(samplers=("ula",), targets=("ring",), endings={("ula", "ring", 44): "diverged"})
    main(["baseline", str(old.write(tmp_path / "old")), "--to", str(tmp_path / "b.json")])
    Fake(samplers=("ula",), targets=("ring",), seeds=range(5), draw=1,
         endings=gone).write(tmp_path / "new")
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", out)
        code = main(["check", str(tmp_path / "new"), "--baseline", str(tmp_path / "b.json"),
                     "--format", "json"])

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    told = json.loads(out.getvalue(), parse_constant=refuse)
    assert code == 1 and told["findings"][0]["measured"]["new"] is None


def test_junit_counts_what_it_holds(say: Callable[[str], tuple[str, str]], made: Check) -> None:
    for text in (say("junit")[0], junit(made)):
        suite = ElementTree.fromstring(text)
        assert suite.tag == "testsuite"
        cases = suite.findall("testcase")
        tags = Counter(child.tag for case in cases for child in case)
        assert int(suite.attrib["tests"]) == len(cases)
        assert int(suite.attrib["failures"]) == tags["failure"] > 0
        assert int(suite.attrib["errors"]) == tags["error"] > 0
        assert int(suite.attrib["skipped"]) == tags["skipped"] > 0
        assert len({(c.attrib["classname"], c.attrib["name"]) for c in cases}) == len(cases)
    failed = next(c for c in cases if c.find("failure") is not None)
    assert failed.attrib == {"classname": "banana", "name": "ula, quality"}
    assert "out-of-memory in 1 of 5 seeds" in failed[0].attrib["message"]


def test_markdown_says_the_outcome_first(say: Callable[[str], tuple[str, str]]) -> None:
    text = say("markdown")[0]
    assert text.startswith("### REGRESSION: ula on ring and ula on banana got worse, not yet ")
    assert text.index("| ula (ring) |") < text.index("<details>"), "what stayed is folded away"
    assert text.count("<details>") == text.count("</details>") == 1


def test_markdown_stays_markdown(made: Check) -> None:
    text = markdown(made)
    tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert len(tables) == 2
    for table in tables:
        bars = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert bars == {9}, "eight columns in every row"
    hostile = [line for line in text.splitlines() if "50%" in line]
    assert len(hostile) == 1 and hostile[0].startswith("- cannot be compared: hmc on ring")
    assert r"50%\|" in hostile[0] and "<b>" not in text


def test_hostile_names_break_no_table(tmp_path: Path) -> None:
    old = _frozen(tmp_path / "old", samplers=("a|b",), targets=("<i>",))
    new = _frozen(tmp_path / "new", samplers=("a|b",), targets=("<i>",), seeds=range(5), draw=1)
    rows = [x for x in markdown(check(old, new)).splitlines() if r"a\|b" in x]
    assert rows and all(len(re.findall(r"(?<!\\)\|", r)) == 9 and "<i>" not in r for r in rows)


def test_github_is_told_line_by_line(made: Check) -> None:
    lines = github(made)
    assert all(re.fullmatch(r"::(error|warning|notice) title=[^:]+::[^\r\n]+", x) for x in lines)
    levels = Counter(x.split()[0] for x in lines)
    assert levels == {"::error": len(made.of("worse")), "::notice": len(made.of("not confirmed")),
                      "::warning": len(made.of("not compared") + made.of("missing"))}
    hostile = next(x for x in lines if "hmc on ring" in x)
    assert "50%25|%0A" in hostile and "%2525" not in hostile


def test_in_a_github_job_output_stays_what_it_was(say: Callable[[str], tuple[str, str]],
                                                  monkeypatch: pytest.MonkeyPatch,
                                                  tmp_path: Path) -> None:
    plain = {form: say(form) for form in ("json", "junit", "markdown")}
    assert all(not err for _, err in plain.values()), "annotations outside of a job"
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    for form, (out, _) in plain.items():
        told, err = say(form)
        assert told == out, "standard output is still JSON, XML or Markdown"
        assert err.count("::error title=") == 2 and all(
            line.startswith("::") for line in err.splitlines())
    assert summary.read_text() == "before\n" + 3 * plain["markdown"][0], "added, never replaced"


def test_a_summary_that_cannot_be_written_is_no_traceback(say: Callable[[str], tuple[str, str]],
                                                          monkeypatch: pytest.MonkeyPatch,
                                                          tmp_path: Path) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "nowhere" / "summary.md"))
    assert json.loads(say("json")[0])["exit_code"] == 1


def _text(made: Check, width: int) -> str:
    out = io.StringIO()
    print_text(made, Console(file=out, width=width))
    return out.getvalue()


def test_the_terminal_shows_effect_interval_and_what_was_visible(made: Check) -> None:
    text = _text(made, 240)
    lines = text.splitlines()
    row = next(line for line, below in zip(lines, lines[1:], strict=False)
               if re.match(r"\s*ula +.*\bcost\b", line) and re.match(r"\s*ring\b", below))
    assert re.search(r"[+−-]?\d[\d.,]*k? to [+−-]?\d", text), "an interval"
    assert re.search(r"×1\.\d", row), "the least visible factor"
    found = next(f for f in made.findings if f.verdict == "not confirmed")
    assert found.measured is not None and found.again is not None
    assert "again, 20 fresh:" in text
    assert "metric by metric (p not adjusted): mmd p" in text
    assert text.rstrip().splitlines()[-1].startswith("REGRESSION: ula on banana got worse.")


def test_a_terminal_of_100_columns_names_cells_in_one_piece(made: Check) -> None:
    lines = _text(made, 100).splitlines()
    rows = [line for line, below in zip(lines, lines[1:], strict=False)
            if re.match(r"\s*(ula|mala)\b.*\b(quality|cost)\b", line)
            and re.match(r"\s*(ring|banana)\b", below)]
    assert len(rows) == sum(f.measured is not None for f in made.findings)
