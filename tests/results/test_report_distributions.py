"""The section of distributions: what it draws, from what a folder holds and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from results.presentation.blocks import Figures
from results.presentation.figures import Image
from results.records.run_folder import load
from results.report.sections.distributions import distances
from tests.support.report_fake import make
from tests.support.report_pages import blocks

LABELS = ["hmc", "svgd", "exact", "initial"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of which one target has four dimensions and stored energies."""
    made = make(tmp_path_factory.mktemp("run") / "x", LABELS, ["gmm4", "banana"], trouble=False)
    rng = np.random.default_rng(3)
    for job in load(made).jobs:
        if job.target == "banana":
            x = rng.standard_normal((600, 4)).astype(np.float32)
            x[0] = np.nan  # a point that went astray spoils no figure
            np.savez(made / "samples" / f"{job.key}.npz", points=x, energy=(x**2).sum(1) / 2)
    return made


def images(folder: Path) -> list[Image]:
    return [i for b in blocks(load(folder), "distributions") if isinstance(b, Figures)
            for i in b.images]


def test_what_is_drawn_is_what_is_stored(folder: Path) -> None:
    words = [i.alt for i in images(folder)]
    assert sum("of single seeds on" in w for w in words) == 2
    assert [w.partition(".")[0] for w in words if w.startswith("Histogram")] == [
        "Histogram of energy −log p(x) on banana", "Histogram of distance of two points on gmm4",
        "Histogram of distance of two points on banana"]
    assert [w for w in words if w.startswith("Pair plot")] == [
        f"Pair plot of {x} on banana, coordinates 1 to 3, grey: exact samples"
        for x in ("hmc", "svgd")]
    assert all("exact samples" in w for w in words if w.startswith("Histogram"))


def test_a_pair_plot_is_a_small_picture_and_lines_obey_the_filter(folder: Path) -> None:
    found = images(folder)
    assert all(len(i.markup) < 40_000 for i in found if not i.inline)
    lines = [i.markup for i in found if i.alt.startswith("Histogram")]
    assert all("of-hmc-" in m and "of-svgd-" in m for m in lines)


def test_an_archive_shows_seeds_alone(folder: Path, tmp_path: Path) -> None:
    bare = shutil.copytree(folder, tmp_path / "bare")
    shutil.rmtree(bare / "samples")
    assert {i.alt.partition(" of ")[2][:12] for i in images(bare)} == {"single seeds"}


def test_one_seed_without_samples_has_no_such_section(tmp_path: Path) -> None:
    one = make(tmp_path / "one", LABELS, ["gmm4"], seeds=1, trouble=False)
    shutil.rmtree(one / "samples")
    assert blocks(load(one), "distributions") == []


def test_many_seeds_are_their_median_and_an_interval(tmp_path: Path) -> None:
    run = make(tmp_path / "many", ["hmc", "exact"], ["gmm4"], seeds=20, trouble=False)
    seeds = [i for i in images(run) if "single seeds" in i.alt]
    assert len(seeds) == 1 and "PathCollection" not in seeds[0].markup


def test_distances_are_of_disjoint_pairs() -> None:
    points = np.array([[0.0, 0.0], [1.0, 0.0], [3.0, 4.0], [1.0, 2.0], [9.0, 9.0]])
    assert distances(points).tolist() == [5.0, 2.0]
