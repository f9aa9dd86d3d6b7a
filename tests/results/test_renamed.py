"""Older files call the baseline samplers by other names: they read as files of today."""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.core.places import BASELINES, RUNS
from results.records.run_folder import load
from results.records.schema import HEADER_VERSION, VERSION, Job, dump, parse
from results.records.store import read_header
from results.regression.baseline_file import read
from tests.support.report_fake import make

OLD = {"initial": "prior", "overhead": "idle"}


def job(**changes: Any) -> Job:
    return replace(Job("prior--t--s0", "prior", "prior", "t", 0, "control", "ok"), **changes)


def line(record: Job, version: int) -> str:
    """The line of a record as the program of a version wrote it."""
    body = dump(record).replace(f'"v":{VERSION}', f'"v":{version}').partition(',"crc":')[0]
    return body + ("}" if version == 1 else f',"crc":"{zlib.crc32(body.encode()):08x}"}}')


@pytest.mark.parametrize("version", [1, 2])
def test_an_older_line_is_read_under_todays_names(version: int) -> None:
    found = parse(line(job(), version))
    assert found == job(sampler="initial", label="initial", kind="baseline")
    assert found.key == "prior--t--s0"  # its samples lie under this name
    variant = parse(line(job(sampler="idle", label="mine"), version))
    assert isinstance(variant, Job) and (variant.sampler, variant.label) == ("overhead", "mine")


def test_a_line_of_today_and_a_users_own_sampler_keep_their_names() -> None:
    assert parse(dump(job())) == job()
    mine = job(kind="amortised")
    assert parse(line(mine, 2)) == mine


def test_an_older_header_names_samplers_and_items_as_today(tmp_path: Path) -> None:
    folder = make(tmp_path / "run", ["hmc", "exact", "initial", "overhead"], ["gmm4"],
                  trouble=False)
    path, whole = folder / "run.json", load(folder)
    today = json.loads(path.read_text())
    today["suite"]["items"] = {"samplers": [{"name": "hmc", "label": "hmc"},
                                            {"name": "initial", "label": "initial"}]}
    text = json.dumps(today | {"v": 1}).replace('"baseline"', '"control"')
    path.write_text(re.sub(r'"(initial|overhead)"', lambda m: f'"{OLD[m[1]]}"', text))
    assert read_header(folder) == today | {"v": 1}
    assert load(folder).labels == whole.labels and load(folder).baselines == whole.baselines


@pytest.mark.parametrize("folder", sorted(RUNS.iterdir()), ids=lambda path: path.name)
def test_committed_runs_are_read_as_before(folder: Path) -> None:
    run = load(folder)
    assert run.baselines and not set(OLD.values()) & set(run.labels)
    assert not run.complaints and run.header["v"] <= HEADER_VERSION


@pytest.mark.parametrize("name", ["smoke", "nightly"])
def test_committed_baselines_are_read_as_before(name: str) -> None:
    cells = {c.sampler: c.settings["sampler"] for c in read(BASELINES / f"{name}.json").cells}
    assert not set(OLD.values()) & cells.keys()
    assert {x: cells[x] for x in OLD} == {x: x for x in OLD}
