"""Sections a report has only where there is something to say in them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from results.presentation.blocks import Bullets
from results.published.table_file import published_table
from results.records.audit_file import committed_audits
from results.records.frames import Scores
from results.records.run_folder import load
from results.report.page import render
from results.report.sentences import warnings
from tests.support.report_fake import make
from tests.support.report_pages import blocks, tables


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that reruns a published table on targets whose audit is committed."""
    made = make(tmp_path_factory.mktemp("sections") / "run",
                ["drifting", "hmc", "exact", "initial"], ["gmm4", "banana"], trouble=False)
    header = json.loads((made / "run.json").read_text(encoding="utf-8"))
    header["suite"]["published"] = ["drifting_table1"]
    for name in ("gmm4", "banana"):
        header["targets"][name]["fingerprint"] = committed_audits()[name].digest
    (made / "run.json").write_text(json.dumps(header), encoding="utf-8")
    return made


def headings(page: str) -> list[str]:
    return re.findall(r"<h2><span>\d+</span> ([^<]*)</h2>", page)


def test_published_figures_stand_beside_ours_with_floor_and_verdict(folder: Path) -> None:
    page, markdown = render(load(folder))
    assert "Compared with published tables" in headings(page)
    for text in (page, markdown):
        assert published_table("drifting_table1").title in text and "0.0754" in text
        assert "differ" in text
    run = load(folder)
    assert any("0.0754" in cell.text + cell.seeds for t in tables(run, "published")
               for _, _, row in t.lines for cell in row)


def test_what_a_metric_is_insensitive_to_is_said_of_this_target(folder: Path) -> None:
    page, markdown = render(load(folder))
    assert "What the metrics are insensitive to" in headings(page)
    said = " ".join(text for b in blocks(load(folder), "insensitivity")
                    if isinstance(b, Bullets) for text in b.items)
    assert re.search(r"KSD² is insensitive to [^.;]*tilted weights[^.;]* on gmm4", said)
    assert all("tilted weights" in text for text in (page, markdown))


def test_an_audit_of_another_density_is_not_cited(folder: Path, tmp_path: Path) -> None:
    run = load(folder)
    for name in ("gmm4", "banana"):
        run.header["targets"][name]["fingerprint"] = "00000000"
    assert blocks(run, "insensitivity") == []
    assert "What the metrics are insensitive to" not in headings(render(run)[0])


def test_a_run_that_reruns_nothing_has_no_published_section(folder: Path) -> None:
    run = load(folder)
    run.header["suite"].pop("published")
    assert "Compared with published tables" not in headings(render(run)[0])


def test_the_oracle_is_shown_and_never_ranks(folder: Path) -> None:
    run = load(folder)
    assert any("best checkpoint" in t.caption for t in tables(run, "curves"))
    assert not any("oracle" in c.title for t in tables(run, "cost") for c in t.columns)


def test_budgets_that_are_not_matched_are_said_first(folder: Path) -> None:
    run = load(folder)
    assert not any("not matched" in w for w in warnings(Scores(run)))
    run.header["suite"]["currency"] = "steps"
    assert "steps are not equal effort." in warnings(Scores(run))[0]
    run.header["samplers"]["hmc"]["budget"] = "6000steps"
    assert "hmc has 6000steps" in warnings(Scores(run))[0]
