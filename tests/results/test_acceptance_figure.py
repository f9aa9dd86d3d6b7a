"""The figure of a run: the lines are the prices that the break-even is made from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from bench.core.errors import ReportError
from bench.maintain.__main__ import main as maintain
from results.acceptance.figure import FORMATS, caption, figure_of, save_figure
from results.comparison.break_even import GRID, case, whole_price
from results.presentation.palette import colour
from results.records.frames import Scores
from results.records.prices import SECONDS
from results.records.run_folder import Run, load
from tests.support.report_fake import make

LABELS, TARGETS = ["drifting", "mala", "hmc", "ula", "idem", "initial"], ["gmm4", "banana"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    # mala is made worse than drifting; hmc and ula are as good or better.
    folder = tmp_path_factory.mktemp("picture") / "run"
    return load(make(folder, LABELS, TARGETS, trouble=False, quality={"mala": 0.2}))


def panels(run: Run) -> dict[str, tuple[Axes, Axes]]:
    """Quality above, prices below, by target."""
    shown = [a for a in figure_of(run, "drifting").axes if a.axison]
    half = len(shown) // 2
    return {above.get_title(): (above, below)
            for above, below in zip(shown[:half], shown[half:], strict=True)}


def lines(run: Run, axes: Axes) -> dict[str, tuple[str, np.ndarray]]:
    """Style and prices of each sampler's line."""
    names = {colour(run, label): label for label in run.ranked}
    return {names[to_hex(line.get_color())]: (str(line.get_linestyle()),
                                              np.asarray(line.get_ydata()))
            for line in axes.lines if len(line.get_xdata()) == len(GRID)}


@pytest.mark.parametrize("target", TARGETS)
def test_rivals_as_good_are_solid_and_priced_as_the_break_even_prices_them(
        run: Run, target: str) -> None:
    scores = Scores(run)
    found = case(scores, "drifting", target, "mmd", SECONDS, True)
    assert {"hmc", "ula"} <= set(found.rivals) and "mala" not in found.rivals
    drawn = lines(run, panels(run)[target][1])
    assert drawn.keys() == set(run.ranked)
    for label, (style, costs) in drawn.items():
        price = (found.mine if label == "drifting"
                 else found.rivals.get(label) or whole_price(scores, label, target, SECONDS))
        assert price is not None
        assert (style == "-") == (label == "drifting" or label in found.rivals)
        np.testing.assert_allclose(costs, price.cost(GRID))


def test_the_mark_lies_where_the_sampler_becomes_the_cheapest(run: Run) -> None:
    found = case(Scores(run), "drifting", "gmm4", "mmd", SECONDS, True)
    assert found.found.kind == "n" and found.mine is not None
    below = panels(run)["gmm4"][1]
    marks = [line for line in below.lines if len(line.get_xdata()) == 1]
    assert len(marks) == 1
    n, cost = float(marks[0].get_xdata()[0]), float(marks[0].get_ydata()[0])
    solid = {k: costs for k, (style, costs) in lines(run, below).items() if style == "-"}
    mine = solid.pop("drifting")
    at = int(np.flatnonzero(GRID == n)[0])
    rivals = np.min(list(solid.values()), axis=0)
    assert cost == mine[at] < rivals[at] and (mine[:at] >= rivals[:at]).all()
    assert below.get_title() == caption(found)
    assert found.found.words() in caption(found)
    assert f"against {found.best_rival()}" in caption(found)


def test_every_look_of_every_sampler_is_above(run: Run) -> None:
    above = panels(run)["banana"][0]
    medians = {to_hex(line.get_color()): len(line.get_xdata()) for line in above.lines
               if line.get_marker() not in ("", "None")}
    assert medians == {colour(run, label): 5 for label in run.ranked}


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_is_written_twice_the_same(run: Run, tmp_path: Path, suffix: str) -> None:
    written = []
    for name in ("a", "b"):
        save_figure(run, "drifting", tmp_path / f"{name}{suffix}")
        written.append((tmp_path / f"{name}{suffix}").read_bytes())
    assert len(written[0]) > 10_000
    assert suffix == ".pdf" or written[0] == written[1]  # a PDF holds its date


def test_what_cannot_be_drawn_is_told(run: Run, tmp_path: Path,
                                      capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ReportError, match=r"\.png, \.svg, \.pdf, not 'x\.doc'"):
        save_figure(run, "drifting", tmp_path / "x.doc")
    with pytest.raises(ReportError, match="no mmd of nobody"):
        figure_of(run, "nobody")
    said = ["--sampler", "drifting", "--picture"]
    assert maintain(["acceptance", str(run.path), *said, str(tmp_path / "no" / "x.png")]) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert maintain(["acceptance", str(run.path), *said, str(tmp_path / "x.png")]) == 0
    assert (tmp_path / "x.png").exists()
