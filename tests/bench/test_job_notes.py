"""Notes about jobs and the status ``target-failed`` reach the reader."""

from __future__ import annotations

import dataclasses

import pytest

from bench.core.cost import Cost
from results.records.frames import Scores, jobs
from results.records.run_folder import Run, load
from results.records.schema import Job, dump, parse
from results.report.page import render
from results.report.ranking import competes, median_ranks
from tests.support.report_fake import make

NOTE = "numpy's global random state was changed by the sampler"


#: Real runs, and every command of the program: `.ci/run` and `pytest -m slow` hold them.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run in which mala's jobs carry a note and the target raised for hmc on gmm4, seed 0."""
    run = load(make(tmp_path_factory.mktemp("noted") / "run"))
    changed = []
    for job in run.jobs:
        if job.label == "mala":
            job = dataclasses.replace(job, notes=(NOTE,), uncharged=Cost(density=7))
        if (job.label, job.target, job.seed) == ("hmc", "gmm4", 0):
            job = dataclasses.replace(job, status="target-failed", reason="the target raised")
        changed.append(job)
    return dataclasses.replace(run, jobs=tuple(changed))


def test_notes_and_uncharged_rows_survive_the_store(run: Run) -> None:
    for job in run.jobs:
        assert parse(dump(job)) == job
    old = dump(run.jobs[0]).replace('"notes":[],', "").replace('"v":3', '"v":1')
    old = old.partition(',"crc"')[0] + "}"
    read = parse(old)
    assert isinstance(read, Job) and read.notes == ()


def test_a_note_stands_once_with_its_seeds_on_page_and_markdown(run: Run) -> None:
    for text in render(run):
        assert "carry a note" in text and "Notes about jobs" in text
        assert NOTE in text or NOTE.replace("'", "&#39;") in text
    assert NOTE in " ".join(jobs(run)["notes"])


def test_a_sampler_is_not_ranked_where_its_target_raised(run: Run) -> None:
    scores = Scores(run)
    assert not competes(scores, "hmc", "gmm4", "mmd") and competes(scores, "mala", "gmm4", "mmd")
    assert "hmc" in median_ranks(scores, "mmd")
    assert "target-failed" in render(run)[0]
