"""Null distributions: p-values, seeds, and the files that hold them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.core import registry
from bench.core.fingerprint import fingerprint
from bench.jobs import floors as committed_floors
from bench.maintain import floors as program
from bench.maintain.floors import write_target_floors
from metrics import floors
from metrics.base import Metric
from results.statistics.p_value import p_value
from targets.base import Target

torch.set_num_threads(1)


@pytest.fixture
def gmm4() -> Target:
    target: Target = registry.load("targets", "gmm4")
    return target.to("cpu", torch.float32)


def metric(name: str) -> Metric:
    made: Metric = registry.load("metrics", name)
    return made


def applying(target: Target) -> list[str]:
    return [n for n in registry.default_metrics() if metric(n).applies(target)]


def read(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as stored:
        return {key: stored[key] for key in stored.files}


def test_p_value_counts_draws_at_least_as_bad() -> None:
    draws = np.array([0.0, 1.0, 2.0, 3.0], dtype=np.float32)
    assert p_value(5.0, draws) == 1 / 5
    assert p_value(2.0, draws) == 3 / 5
    assert p_value(-1.0, draws) == 1.0
    assert p_value(float("inf"), draws) == 1 / 5
    thirds = np.array([1 / 3], dtype=np.float32)  # a tie that rounding would undo
    for stored in (thirds, -thirds):
        for kept in (stored, stored.astype(np.float64)):
            assert p_value(float(np.sign(kept[0])) / 3, kept) == 1.0
    with pytest.raises(ValueError, match="not nan"):
        p_value(float("nan"), draws)


def test_p_values_of_exact_samples_are_uniform(gmm4: Target) -> None:
    draws = floors.null_draws(gmm4, metric("energy_w1"), 100, 200)
    fresh = floors.null_draws(gmm4, metric("energy_w1"), 100, 200, seed=1)
    p = np.sort([p_value(float(v), draws) for v in fresh])
    assert np.abs(p - np.arange(1, 201) / 201).max() < 1.63 * np.sqrt(2 / 200)  # KS, 1 %


def test_draws_are_reproducible_and_distinct(gmm4: Target) -> None:
    state = torch.get_rng_state()
    draws = floors.null_draws(gmm4, metric("mean_energy"), 50, 30)
    assert draws.dtype == np.float32
    assert np.array_equal(draws, floors.null_draws(gmm4, metric("mean_energy"), 50, 30))
    assert np.array_equal(draws[:10], floors.null_draws(gmm4, metric("mean_energy"), 50, 10))
    assert len(np.unique(draws)) == 30
    assert not np.isin(draws, floors.null_draws(gmm4, metric("mean_energy"), 50, 30, 1)).any()
    assert torch.equal(state, torch.get_rng_state())


def test_file_holds_every_metric_at_the_points_it_uses(tmp_path: Path, gmm4: Target) -> None:
    path = write_target_floors("gmm4", [60, 2100], 10, tmp_path)
    stored = read(path)
    names = applying(gmm4)
    wanted = {f"{n}/60" for n in names} | {f"{n}/2100" for n in names if n != "w2"} | {"w2/2000"}
    assert set(stored) == wanted | {"fingerprint", "versions"}
    assert {len(stored[k]) for k in wanted if not k.startswith("w2")} == {10}
    assert len(stored["w2/60"]) == len(stored["w2/2000"]) == 2
    assert all(stored[k].dtype == np.float32 for k in wanted)
    assert json.loads(str(stored["versions"])) == {
        n: metric(n).version for n in registry.catalogue()["metrics"] if metric(n).applies(gmm4)}
    assert stored["fingerprint"].tolist() == fingerprint(registry.load("targets", "gmm4"))
    alone = floors.null_draws(gmm4, metric("mmd"), 60, 10)
    assert np.array_equal(stored["mmd/60"], alone)


def test_number_of_processes_does_not_change_numbers(tmp_path: Path) -> None:
    one = read(write_target_floors("banana", [40], 45, tmp_path / "one", jobs=1))
    two = read(write_target_floors("banana", [40], 45, tmp_path / "two", jobs=2))
    assert one.keys() == two.keys()
    assert all(np.array_equal(one[k], two[k]) for k in one)


def test_only_what_is_missing_or_stale_is_computed(tmp_path: Path, gmm4: Target,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, int]] = []

    def spy(target: str, wanted: dict[str, int], n: int, seed: int,
            jobs: int) -> dict[str, np.ndarray]:
        asked.append(wanted)
        return floors.draw_floors(target, wanted, n, seed, jobs)

    monkeypatch.setattr(program, "draw_floors", spy)
    path = write_target_floors("gmm4", [40], 5, tmp_path)
    first = read(path)
    write_target_floors("gmm4", [40], 5, tmp_path)
    assert len(asked) == 1
    monkeypatch.setattr(type(metric("ksd")), "version", 99)
    write_target_floors("gmm4", [40], 5, tmp_path)
    assert asked[1:] == [{"ksd": 5}]
    again = read(path)
    assert json.loads(str(again["versions"]))["ksd"] == 99
    assert all(np.array_equal(first[k], again[k]) for k in first if k != "versions")
    monkeypatch.setattr(committed_floors, "fingerprint", lambda target: [1.0, 2.0])
    write_target_floors("gmm4", [40], 5, tmp_path)
    assert sorted(asked[2]) == applying(gmm4)


def test_a_metric_off_by_default_is_drawn_where_named_and_kept(tmp_path: Path) -> None:
    before = read(write_target_floors("banana", [40], 20, tmp_path))
    path = write_target_floors("banana", [40], 20, tmp_path, only=["cov_trace", "w2_blocks"])
    named = read(path)
    assert set(named) - set(before) == {"cov_trace/40", "w2_blocks/40"}
    assert (len(named["cov_trace/40"]), len(named["w2_blocks/40"])) == (20, 2)
    write_target_floors("banana", [50], 20, tmp_path)
    after = read(path)
    assert not {"cov_trace/50", "w2_blocks/50"} & set(after)
    assert all(np.array_equal(named[k], after[k]) for k in named)
    assert all(np.array_equal(before[k], after[k]) for k in before)


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program.main(["--targets", "gmm4,banana", "--n", "30", "--draws", "5", "--out", str(tmp_path)])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["banana.npz", "gmm4.npz"]
    assert "gmm4: 14 floors at n = 30" in capsys.readouterr().out
