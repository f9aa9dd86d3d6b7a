"""Break-even in closed form: never, not reached, no rival, and a number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.core.cost import Cost
from results.comparison.break_even import GRID, answer, cases
from results.records.frames import Scores
from results.records.prices import EVALUATIONS, SECONDS, Price, price, thousand
from results.records.run_folder import load
from results.records.schema import Job
from tests.support.report_fake import make


def draws(per_point: float) -> tuple[tuple[int, float], ...]:
    return tuple((10**k, per_point * 10**k) for k in range(2, 7))


def test_the_least_n_is_where_the_lines_cross() -> None:
    # 10 + n/1e6 < 1 + ceil((n - 1000) / 1000) * 0.1: for thousands, n/1e4 - n/1e6 > 9.1.
    found = answer(Price(10.0, draws(1e-6)), [Price(1.0, held=1000, again=0.1)])
    assert found.kind == "n"
    assert found.n == pytest.approx(9.1 / (1e-4 - 1e-6), rel=0.025)
    assert np.isnan(found.until)


def test_the_cheapest_rival_at_that_n_decides() -> None:
    slow, quick = Price(0.1, held=1000, again=1.0), Price(5.0, held=1000, again=0.1)
    mine = Price(10.0, draws(1e-7))
    both = answer(mine, [slow, quick])
    assert both.n == max(answer(mine, [slow]).n, answer(mine, [quick]).n)


def test_a_dearer_point_is_never_earned_back() -> None:
    assert answer(Price(10.0, draws(2e-3)), [Price(1.0, held=1000, again=0.1)]).kind == "never"


def test_a_cheaper_point_beyond_a_million_is_not_reached() -> None:
    found = answer(Price(1e4, draws(1e-6)), [Price(1.0, held=1000, again=0.1)])
    assert found.kind == "not reached"
    assert found.words() == "not reached (to 10⁶)"


def test_without_a_rival_as_good_there_is_nothing_to_break_even_with() -> None:
    assert answer(Price(1.0, draws(1e-6)), []).kind == "no rival"


def test_cheaper_at_once_and_dearer_later_says_until_when() -> None:
    found = answer(Price(0.5, draws(1e-3)), [Price(1.0, held=1000, again=0.01)])
    assert found.n == GRID[0]
    assert found.until == pytest.approx(500, rel=0.02)


def test_beyond_the_largest_measured_draw_an_answer_is_called_extrapolated() -> None:
    mine = Price(10.0, ((100, 1e-4), (1000, 1e-3)))
    found = answer(mine, [Price(1.0, held=1000, again=0.1)])
    assert found.extrapolated and "extrapolated" in found.words()
    assert mine.draw(np.array([1e5]))[0] == pytest.approx(0.1)


def job(kind: str, **changes: object) -> Job:
    values: dict[str, object] = {
        "key": "k", "sampler": "s", "label": "s", "target": "t", "seed": 0, "kind": kind,
        "status": "ok", "steps": 100, "train": Cost(0, 1000, 0, 2.0, 2.0, 2.0),
        "draw": Cost(0, 0, 0, 0.0, 0.0, 0.0)}
    return Job(**{**values, **changes})  # type: ignore[arg-type]


def test_each_kind_is_priced_by_how_it_gets_fresh_points() -> None:
    n = np.array([500.0, 1000.0, 1001.0, 3000.0])
    chain = price(job("continuing", renewal=(1000, 10.0)), SECONDS, 0)
    assert chain is not None
    assert chain.cost(n) == pytest.approx([2.0, 2.0, 2.2, 2.4])
    again = price(job("one-shot", renewal=(1000, 100.0)), EVALUATIONS, 0)
    assert again is not None
    assert again.cost(n) == pytest.approx([1000, 1000, 2000, 3000])
    net = price(job("amortised", ladder=((100, 0.1), (10000, 10.0)),
                    draw=Cost(0, 500, 0, 0, 0, 0)), SECONDS, 5000)
    assert net is not None
    assert net.cost(n) == pytest.approx([2.5, 3.0, 3.001, 5.0])
    rows = price(job("amortised", draw=Cost(0, 500, 0, 0, 0, 0)), EVALUATIONS, 5000)
    assert rows is not None
    assert rows.cost(n) == pytest.approx(1000 + n / 10)


def test_a_thousand_fresh_points_cost_what_the_kind_says() -> None:
    assert thousand(job("continuing", renewal=(500, 10.0))) == pytest.approx(0.4)
    assert thousand(job("one-shot", renewal=(500, 100.0))) == pytest.approx(4.0)
    assert thousand(job("amortised", ladder=((100, 0.1), (10000, 10.0)))) == pytest.approx(1.0)
    assert thousand(job("baseline")) is None


def test_a_worse_or_failed_rival_does_not_count(tmp_path: Path) -> None:
    folder = make(tmp_path / "run", ["drifting", "ula", "hmc", "svgd", "initial"],
                  ["gmm4", "banana"], quality={"drifting": 0.005})
    found = {(c.target, c.unit, c.earliest): c for c in cases(Scores(load(folder)))}
    # ula (.01) and svgd (.02) are worse than the network; hmc is at the floor.
    assert list(found["gmm4", SECONDS, True].rivals) == ["hmc"]
    whole = found["gmm4", SECONDS, False]
    assert whole.found.kind == "n" and len(whole.seeds) == 3
    # The first checkpoint at which hmc was as good costs less than its whole run.
    earliest = found["gmm4", SECONDS, True]
    assert earliest.rivals["hmc"].first < 0.6 * whole.rivals["hmc"].first
    assert earliest.found.n > whole.found.n


def test_a_rival_with_a_failed_job_is_left_out(tmp_path: Path) -> None:
    folder = make(tmp_path / "run", ["drifting", "svgd", "initial"], ["banana"])
    kinds = {c.found.kind for c in cases(Scores(load(folder)))}
    assert kinds == {"no rival"}
