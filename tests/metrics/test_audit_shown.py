"""What is said of an audit: smallest detected defects, insensitivities, the command."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from bench.commands.audit import add_options, main
from bench.core.errors import ReportError, UserError
from results.records.audit_file import Audit, Power, committed_audits
from results.records.run_folder import Run
from results.records.schema import Measure
from results.report import insensitivity
from results.report.power_tables import power_table, smallest_table

GRADES = {"10 %": "TV 0.05", "30 %": "TV 0.15", "60 %": "TV 0.3"}


def entry(power: dict[str, Any], version: int = 1) -> dict[str, Any]:
    at_n = {n: {"floor": [1000, "0"], "null": [1000, 50, 50, 0.0, 1.0, 0.0],
                "power": {"tilted": grades}} for n, grades in power.items()}
    return {"version": version, "title": "KSD^2", "signed": True,
            "scale_response": [9.0, None], "n": at_n}


def content(target: str = "gmm4", digest: str = "abc", **metrics: Any) -> dict[str, Any]:
    return {"target": target, "digest": digest, "fingerprint": [2.0, 1.0],
            "level": 0.05, "metrics": metrics, "defects": {
                "none": {"title": "no defect", "version": 1, "grades": {"0 %": ""}},
                "tilted": {"title": "tilted weights", "version": 1, "grades": GRADES}}}


INSENSITIVE = entry({"1000": {"10 %": [4, 100], "30 %": [5, 100], "60 %": [6, 100]},
               "5000": {"10 %": [2, 40], "30 %": [2, 40], "60 %": [4, 40]}})
SENSITIVE = entry({"1000": {"10 %": [20, 100], "30 %": [95, 100], "60 %": [100, 100]},
               "5000": {"10 %": [36, 40], "30 %": [40, 40]}})
ODD = entry({"1000": {"10 %": [95, 100], "30 %": [50, 100], "60 %": [95, 100]}})


def test_the_smallest_detected_grade_has_all_stronger_ones_detected() -> None:
    made = Audit.of(content(ksd=INSENSITIVE, mmd=SENSITIVE, odd=ODD))
    assert insensitivity.smallest_detected(made, "ksd", "tilted", 1000) is None
    assert insensitivity.smallest_detected(made, "mmd", "tilted", 1000) == "30 %"
    assert insensitivity.smallest_detected(made, "mmd", "tilted", 5000) == "10 %"
    assert insensitivity.smallest_detected(made, "odd", "tilted", 1000) == "60 %"
    assert insensitivity.smallest_detected(made, "odd", "tilted", 5000) is None  # not audited
    assert "none" not in made.defects


def test_power_is_taken_from_fewer_points_only_where_all_draws_detected_it() -> None:
    odd = entry({"1000": {"60 %": [99, 100]}, "5000": {}})
    made = Audit.of(content(mmd=SENSITIVE, odd=odd))
    assert made.power("mmd", "tilted", "60 %", 5000) == Power(100, 100, 1000)
    assert made.power("mmd", "tilted", "30 %", 5000) == Power(40, 40, 5000)
    assert made.power("odd", "tilted", "60 %", 5000) is None


def test_insensitivities_in_a_sentence() -> None:
    made = Audit.of(content(ksd=INSENSITIVE, mmd=SENSITIVE))
    assert insensitivity.insensitivity_sentence(made, "ksd", 1000) == (
        "KSD² is insensitive to tilted weights (power 0.06 at 60 %) on gmm4 at n = 1000.")
    assert insensitivity.insensitivity_sentence(made, "mmd", 1000) == ""


def run(n: int = 5000, **targets: str) -> Run:
    header = {"suite": {"n": n}, "metrics": {"ksd": {"title": "KSD^2"}, "mmd": {"title": "MMD^2"}},
              "targets": {name: {"fingerprint": digest} for name, digest in targets.items()}}
    measures = tuple(Measure("k", 0, "final", m, 1, n, 0.0) for m in ("ksd", "mmd"))
    return Run(Path("nowhere"), header, (), (), measures)


def test_a_report_says_what_its_metrics_are_insensitive_to() -> None:
    known = {"gmm4": Audit.of(content(ksd=INSENSITIVE, mmd=SENSITIVE)),
             "far": Audit.of(content("far", "def", ksd=INSENSITIVE, mmd=SENSITIVE))}
    assert insensitivity.insensitivity_sentences(run(label="abc"), known) == [
        "KSD² is insensitive to tilted weights on label (n = 5000, power at most 0.10 at the "
        "strongest grade injected)."]
    (said,) = insensitivity.insensitivity_sentences(run(600, label="abc", other="def"), known)
    assert "tilted weights on label and other (n = 1000, power at most 0.06" in said
    assert insensitivity.insensitivity_sentences(run(label="changed"), known) == []
    newer = {"gmm4": Audit.of(content(ksd={**INSENSITIVE, "version": 2}))}
    assert insensitivity.insensitivity_sentences(run(label="abc"), newer) == []


def test_tables_hold_smallest_and_power() -> None:
    made = Audit.of(content(ksd=INSENSITIVE, mmd=SENSITIVE))
    table = smallest_table(made, ["ksd", "mmd"])
    assert [[c.text for c in row] for row in table.rows] == [
        ["tilted weights", "not detected", "30 % / 10 %"]]
    assert table.rows[0][1].mark == "fail" and "0.10 at 60 %" in table.rows[0][1].hint
    power = power_table(made, ["ksd", "mmd"], 5000)
    assert [c.text for c in power.rows[0]] == ["tilted weights", "10 %, TV 0.05", "0.05", "0.90"]
    assert [c.text for c in power.rows[2]][2:] == ["0.10", "1.0"]


def test_a_broken_audit_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "gmm4.json").write_text("{")
    with pytest.raises(ReportError, match="python -m bench.maintain audits --targets gmm4"):
        committed_audits(tmp_path)
    (tmp_path / "gmm4.json").write_text(json.dumps(content() | {"format": 99}))
    with pytest.raises(ReportError, match="audit again"):
        committed_audits(tmp_path)
    assert committed_audits(tmp_path / "nowhere") == {}


# ---- the command -------------------------------------------------------------------------------


def ask(*words: str) -> int:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return main(parser.parse_args(words))


@pytest.mark.parametrize(("words", "said"), [
    (["--target", "bananna"], "did you mean 'banana'"),
    (["--metric", "kds"], "did you mean 'ksd'"),
    (["--metric", ","], "names nothing"),
    (["--target", "gmm4", "--n", "many"], "--n 'many'"),
    (["--target", "gmm4", "--n", "5"], "too few points"),
    (["--target", "gmm4", "--draws", "2"], "--draws 2"),
    (["--target", "gmm4", "--jobs", "0"], "--jobs 0"),
    (["--plugin", "nowhere.py"], "'nowhere.py' does not exist"),
    (["--target", "gmm4,banana", "--out", "x.json"], "one target"),
    (["--target", "banana", "--metric", "mode_tv"], "none applies"),
])
def test_a_mistake_is_one_sentence(words: list[str], said: str) -> None:
    with pytest.raises(UserError) as caught:
        ask(*words)
    assert said in str(caught.value) and "\n" not in str(caught.value)


BAD = '''
from dataclasses import dataclass
from metrics.base import Estimate, Metric


@dataclass(frozen=True)
class SecondMoment(Metric):
    """A biased statistic that calls itself unbiased."""

    name = "second_moment"
    title = "Second moment"
    signed = True

    def estimate(self, x, evidence):
        return Estimate(float((x.mean(0) - evidence.first(len(x)).mean(0)).square().sum()))
'''


def test_a_plugin_is_audited_and_a_fault_is_an_exit_code(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plugin, out = tmp_path / "mine.py", tmp_path / "audit.json"
    plugin.write_text(BAD)
    words = ["--plugin", str(plugin), "--target", "banana", "--n", "30", "--draws", "10",
             "--jobs", "1"]
    assert ask(*words, "--out", str(out)) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "second_moment on banana at n = 30: mean" in said and "must not be signed" in said
    assert "drawing 200 floors at n = 30" in said and "s of CPU" in said
    assert "banana: power at n = 30" in said
    found = json.loads(out.read_text())["metrics"]["second_moment"]["n"]["30"]
    assert found["null"][0] == 100 and found["power"]["shift"]["0.3 scale"][1] == 10


def test_a_plugin_that_raises_is_one_sentence(tmp_path: Path) -> None:
    plugin = tmp_path / "raising.py"
    plugin.write_text(BAD.replace("return Estimate", "raise ValueError('no'); return Estimate"))
    with pytest.raises(UserError, match="no"):
        ask("--plugin", str(plugin), "--target", "banana", "--n", "30", "--draws", "10",
            "--jobs", "1")
