"""Export: one tidy row a measure with its job, the same in every format."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from bench.core.errors import ReportError
from results.records.export import export
from results.records.frames import measures
from results.records.run_folder import load
from tests.support.report_fake import make


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("run") / "x", ["hmc", "svgd", "dft", "initial"],
                ["gmm4", "banana", "gmm40_fab"])


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".json"])
def test_what_is_written_reads_back(folder: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    rows = export(folder, path)
    read = {".csv": pd.read_csv, ".parquet": pd.read_parquet, ".json": pd.read_json}[suffix]
    back, frame = read(path), measures(load(folder))
    assert len(back) == rows == len(frame) and list(back.columns) == list(frame.columns)
    for column in ("label", "target", "seed", "status", "metric", "n", "value", "train_score",
                   "checkpoint_spent_seconds"):
        left, right = back[column], frame[column]
        if right.dtype == float:
            pd.testing.assert_series_equal(left.astype(float), right, rtol=1e-12)
        else:
            assert list(left.dropna()) == list(right.dropna())


def test_a_row_joins_measure_job_and_checkpoint(folder: Path) -> None:
    run = load(folder)
    frame = measures(run)
    row = frame[(frame.key == "svgd-gmm4-0") & (frame.metric == "mmd") & (frame["index"] == 2)]
    assert len(row) == 1
    job = next(j for j in run.jobs if j.key == "svgd-gmm4-0")
    look = next(c for c in run.checkpoints if c.key == "svgd-gmm4-0" and c.index == 2)
    assert row.train_score.item() == job.train.score
    assert row.checkpoint_spent_score.item() == look.spent.score
    assert row.checkpoint_progress.item() == 0.25


def test_jobs_without_a_measure_keep_their_row(folder: Path) -> None:
    frame = measures(load(folder))
    dead = frame[frame.status == "timeout"]
    assert len(dead) == 3 and dead.value.isna().all()
    assert set(dead.reason) == {"no answer within 60 s"}


def test_another_suffix_is_refused_with_advice(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"'out.xlsx'.*\.csv, \.parquet or \.json"):
        export(folder, tmp_path / "out.xlsx")


def test_parquet_without_pyarrow_is_one_sentence_that_names_the_extra(
        folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("results.records.export.find_spec", lambda name: None)
    with pytest.raises(ReportError, match=r"needs pyarrow: pip install 'sampler-bench\[arrow\]'"):
        export(folder, tmp_path / "out.parquet")
    assert export(folder, tmp_path / "out.csv")


def test_a_path_that_cannot_be_written_is_said_in_a_sentence(folder: Path,
                                                             tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="cannot write"):
        export(folder, tmp_path / "nowhere" / "out.csv")
