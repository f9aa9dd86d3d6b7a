"""Archives: the same report from a smaller folder, and nothing that pretends to be resumable."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.core.errors import ReportError, StoreError
from results.records.archive import archive
from results.records.run_folder import load
from results.records.store import Store
from tests.support.report_fake import make


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("archive") / "run", ["hmc", "initial"], ["gmm4"])


def test_an_archive_holds_every_record_and_floor(folder: Path, tmp_path: Path) -> None:
    size = archive(folder, tmp_path / "small")
    whole, small = load(folder), load(tmp_path / "small")
    asked = small.header.pop("command")
    assert asked == "python -m bench run --suite toy2d" and "--out" in whole.header.pop("command")
    assert (small.header, small.jobs, small.checkpoints, small.measures) == (
        whole.header, whole.jobs, whole.checkpoints, whole.measures)
    assert {k: v.tolist() for k, v in small.draws.items()} == {
        k: v.tolist() for k, v in whole.draws.items()}
    packed = (tmp_path / "small" / "records.jsonl.gz").stat().st_size
    assert packed < (folder / "records.jsonl").stat().st_size / 4 and packed < size


def test_the_same_run_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        archive(folder, tmp_path / name)
    one, two = ((tmp_path / name / "records.jsonl.gz").read_bytes() for name in ("one", "two"))
    assert one == two


def test_an_archive_is_read_and_never_written(folder: Path, tmp_path: Path) -> None:
    archive(folder, tmp_path / "small")
    with pytest.raises(StoreError, match="can be read, not resumed"), Store(tmp_path / "small"):
        pass
    with pytest.raises(ReportError, match="is an archive already; copy it"):
        archive(tmp_path / "small", tmp_path / "smaller")


def test_what_cannot_be_archived_is_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is not the folder of a run"):
        archive(tmp_path, tmp_path / "x")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thing").touch()
    with pytest.raises(ReportError, match="is not an empty folder; choose another with --to"):
        archive(folder, tmp_path / "full")
