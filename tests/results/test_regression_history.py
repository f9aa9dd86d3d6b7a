"""History: where a cell changed, how often nothing is called a change, breaks, copies, page."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from bench.core.errors import ReportError
from results.regression.baseline import FloorSummary, SamplerOnTarget, Snapshot
from results.regression.baseline_file import save as save_baseline
from results.regression.change_points import change_points
from results.regression.history import history
from results.regression.history_page import print_history, save
from results.regression.outcome import Rule
from tests.support.report_fake import make

METRICS = ("mmd", "w2", "ksd")
CHECKPOINTS = (100.0, 1000.0, 10_000.0)
#: Any change of a median counts: the tests' own error rate is seen, not the effect's.
BARE = Rule(alpha=0.2, tolerance=0.0)
Draw = Callable[[np.random.Generator, int], np.ndarray[Any, Any]]


def normal(rng: np.random.Generator, size: int) -> np.ndarray[Any, Any]:
    return 1.0 + 0.1 * rng.standard_normal(size)


def lognormal(rng: np.random.Generator, size: int) -> np.ndarray[Any, Any]:
    return np.exp(0.8 * rng.standard_normal(size))


def cell(rng: np.random.Generator, seeds: range, name: tuple[str, str] = ("ula", "gmm4"),
         factor: float = 1.0, slower: float = 1.0, distribution: Draw = normal) -> SamplerOnTarget:
    """A cell whose final metrics are ``factor`` times, its curve ``slower`` times as much."""
    size = len(seeds)
    values = factor * np.array([scale * distribution(rng, size) for scale in (1.0, 3.0, 0.2)])
    curve = np.array([values[0] / factor * k * (1 + 0.05 * rng.standard_normal(size))
                      for k in (9.0, 3.0, 1.0)])
    evals = slower * np.outer(CHECKPOINTS, np.ones(size))
    settings = {"sampler": name[0], "params": {"step": 0.1}, "budget": "1e4 evals"}
    return SamplerOnTarget(*name, settings, METRICS, (1000,) * 3, tuple(seeds), values, evals,
                           curve, ("ok",) * size, (1.0,) * size, tuple(f"{s:x}" for s in seeds))


def snapshot(day: int, cells: list[SamplerOnTarget], floor: float | None = 0.5,
             **settings: Any) -> Snapshot:
    targets = dict.fromkeys(c.target for c in cells)
    floors = {} if floor is None else {
        (t, m, 1000): FloorSummary(floor * k, 1.2 * floor * k, 0.1 * floor * k)
        for t in targets for m, k in zip(METRICS, (1.0, 3.0, 0.2), strict=True)}
    return Snapshot(
        "smoke", {"started": f"2026-03-{day + 1:02d}T10:00:00+00:00", "commit": f"{day:x}" * 40},
        {"budget": "1e4 evals", "n": 1000, **settings},
        {t: {"behaviour": [1.0, 2.0], "fingerprint": "aa"} for t in targets},
        {m: {"version": 1, "params": {}} for m in METRICS}, floors, tuple(cells), "mmd")


def stepped(factors: list[float], seeds: int = 40, fresh: bool = True, **more: Any
            ) -> list[Snapshot]:
    """One cell over entries, each with its own factor, with fresh seeds or the same ones."""
    rng = np.random.default_rng(5)
    return [snapshot(i, [cell(rng, range(i * seeds * fresh, i * seeds * fresh + seeds),
                              factor=f, **more)]) for i, f in enumerate(factors)]


def cuts(snapshots: list[Snapshot], rule: Rule | None = None) -> list[tuple[str, int, str]]:
    return [(c.what, c.at, c.verdict) for c in change_points(snapshots, rule).changes]


@pytest.mark.parametrize("fresh", [True, False])
def test_a_step_is_found_at_its_commit_and_in_its_direction(fresh: bool) -> None:
    assert cuts(stepped([1, 1, 1, 2, 2, 2], fresh=fresh)) == [("quality", 3, "worse")]
    assert cuts(stepped([2, 2, 1, 1, 1, 1], fresh=fresh)) == [("quality", 2, "better")]
    assert cuts(stepped([1, 1, 2, 2, 1, 1], fresh=fresh)) == [
        ("quality", 2, "worse"), ("quality", 4, "better")]


def test_a_step_below_the_tolerance_is_none_however_sure() -> None:
    small = stepped([1, 1, 1.06, 1.06], seeds=60)
    assert cuts(small) == []  # the excess rises from .5 to .56, a quarter of it would be .125
    assert cuts(small, Rule(tolerance=0.0)) == []  # and exact samples move by .1
    bare = [replace(s, floors={}) for s in small]
    assert cuts(bare, Rule(tolerance=0.0))[0] == ("quality", 2, "worse")


def test_a_creeping_change_is_seen_though_no_step_of_it_is() -> None:
    creep = stepped([1, 1.06, 1.12, 1.18, 1.24, 1.3], 60, fresh=False)
    assert all(cuts(creep[i:i + 2]) == [] for i in range(5))
    assert ("quality", "worse") in {(w, v) for w, _, v in cuts(creep)}


def test_cost_is_a_quantity_of_its_own() -> None:
    rng = np.random.default_rng(2)
    entries = [snapshot(i, [cell(rng, range(40 * i, 40 * i + 40), slower=2.0 if i > 1 else 1.0)])
               for i in range(4)]
    found = change_points(entries).changes
    assert [(c.what, c.at, c.verdict, c.metric) for c in found] == [
        ("cost", 2, "worse", "evaluations")]
    assert found[0].new / found[0].old == pytest.approx(2.0, rel=0.2)


def test_medians_are_those_between_the_neighbouring_change_points() -> None:
    first, second = change_points(stepped([1, 1, 4, 4, 2, 2])).changes
    scale = {"mmd": 1.0, "w2": 3.0, "ksd": 0.2}
    for change, old, new in ((first, 1, 4), (second, 4, 2)):
        unit = scale[change.metric]
        assert (change.old / unit, change.new / unit) == pytest.approx((old, new), rel=0.06)


def test_failed_seeds_are_worst_and_a_cell_that_never_works_again_is_worse() -> None:
    good = stepped([1, 1, 1])
    lost = replace(good[2].cells[0], metrics=(), sizes=(), values=np.empty((0, 40)),
                   curve=np.empty((0, 40)), evals=np.empty((0, 40)), status=("diverged",) * 40)
    broken = [*good[:2], replace(good[2], cells=(lost,))]
    assert ("quality", 2, "worse") in cuts(broken)
    back = [replace(broken[2], made=good[0].made), good[1], good[2]]
    assert ("quality", 1, "better") in cuts(back)


def test_a_copy_adds_no_evidence() -> None:
    """The same seeds again, or changed in their last bits, must not sharpen any p."""
    rng = np.random.default_rng(3)
    old, new = cell(rng, range(6)), cell(rng, range(50, 56), factor=2.0)
    plain = change_points([snapshot(0, [old]), snapshot(1, [new])], BARE).changes
    copied = change_points([snapshot(0, [old]), snapshot(1, [old]), snapshot(2, [new]),
                      snapshot(3, [new])], BARE).changes
    assert [(c.p, c.adjusted_p, c.seeds) for c in copied] == [
        (c.p, c.adjusted_p, c.seeds) for c in plain]
    assert [(c.after, c.at) for c in copied] == [(1, 2)] * len(plain) and plain
    near = [snapshot(i, [replace(c, values=c.values * (1 + 1e-5 * i))])
            for i, c in enumerate([old, old, old, new, new, new])]
    found = [c for c in change_points(near, BARE).changes if c.what == "quality"]
    assert [c.seeds for c in found] == [(6, 6)] and found[0].p >= 1 / 924 - 1e-12


def test_seeds_that_an_identical_entry_adds_do_count() -> None:
    rng = np.random.default_rng(4)
    whole = cell(rng, range(20))
    entries = [snapshot(0, [whole.at(range(10))]), snapshot(1, [whole]),
               snapshot(2, [cell(rng, range(50, 60), factor=3.0)])]
    found = [c for c in change_points(entries).changes if c.what == "quality"]
    assert [(c.after, c.at, c.seeds) for c in found] == [(1, 2, (20, 10))]


def test_entries_are_compared_with_none_beyond_a_break_and_the_reason_is_said() -> None:
    entries = stepped([1, 1, 3, 3])
    entries = [replace(s, settings={**s.settings, "n": 1000 if i < 2 else 500})
               for i, s in enumerate(entries)]
    found = change_points(entries)
    assert found.changes == () and [(b.after, b.at) for b in found.breaks] == [(1, 2)]
    assert "1000 → 500" in found.breaks[0].reason
    assert [c.at for c in change_points([*entries, *(
        replace(s, settings=entries[2].settings) for s in stepped([9, 9]))]).changes
            if c.what == "quality"] == [4]


def test_a_cell_that_is_not_in_every_entry_is_compared_over_the_gap() -> None:
    rng = np.random.default_rng(6)
    other = [cell(rng, range(40), ("mala", "gmm4")) for _ in range(4)]
    entries = stepped([1, 1, 3, 3])
    entries = [replace(s, cells=((*s.cells, o) if i != 1 else (o,)))
               for i, (s, o) in enumerate(zip(entries, other, strict=True))]
    found = [c for c in change_points(entries).changes if c.name == ("ula", "gmm4")]
    assert [(c.after, c.at) for c in found if c.what == "quality"] == [(0, 2)]


def test_what_could_not_be_shown_is_not_called_unchanged() -> None:
    few = change_points(stepped([1, 9], seeds=5))
    assert few.changes == () and few.unable == (("ula", "gmm4"),) and few.identical == ()
    again = stepped([1, 1])
    same = change_points([again[0], replace(again[0], made=again[1].made)])
    assert same.unable == () and same.identical == (("ula", "gmm4"),)


def null(rng: np.random.Generator, distribution: Draw, shared: bool) -> list[Snapshot]:
    """Six entries of four cells that never change.

    With ``shared`` all have the same seeds, and one commit reorders the random numbers: three
    entries differ in their last bits from each other, and so do the three after.
    """
    made = []
    names = [(f"s{k}", "gmm4") for k in range(4)]
    for i in range(6):
        if i % 3 == 0 or not shared:
            seeds = range(8) if shared else range(8 * i, 8 * i + 8)
            cells = [cell(rng, seeds, name, distribution=distribution) for name in names]
        made.append(snapshot(i, [replace(
            c, values=c.values * (1 + 1e-5 * rng.standard_normal(c.values.shape)))
            for c in cells], floor=None))
    return made


@pytest.mark.parametrize(("distribution", "shared"), [(lognormal, False), (normal, True)])
def test_histories_without_a_change_are_cut_at_most_as_often_as_claimed(
        distribution: Draw, shared: bool) -> None:
    rng = np.random.default_rng(11)
    repeats = 60
    found = (change_points(null(rng, distribution, shared), BARE) for _ in range(repeats))
    wrong = sum(bool(each.changes) for each in found)
    error = (BARE.alpha * (1 - BARE.alpha) / repeats) ** 0.5
    assert wrong / repeats <= BARE.alpha + 2.5 * error


def test_the_parts_beside_a_change_are_cut_at_most_as_often_as_claimed() -> None:
    """A step in the middle; each further cut lies in a part in which nothing changed."""
    rng = np.random.default_rng(12)
    repeats, wrong, found = 50, 0, 0
    for _ in range(repeats):
        entries = [snapshot(i, [cell(rng, range(12 * i, 12 * i + 12), factor=3.0 if i > 3 else 1)],
                            floor=None) for i in range(8)]
        places = [at for what, at, _ in cuts(entries, BARE) if what == "quality"]
        found += 4 in places
        wrong += places != [4]
    assert found == repeats
    assert wrong / repeats <= BARE.alpha + 2.5 * (0.2 * 0.8 / repeats) ** 0.5


def shown(worse: float = 2.0) -> list[Snapshot]:
    """Six entries of four cells: a step, a step back with slower curves, a break, failures."""
    rng = np.random.default_rng(7)
    made = []
    for i in range(6):
        seeds = range(40 * i, 40 * i + 40)
        hmc = cell(rng, seeds, ("hmc", "banana"))
        hmc = replace(hmc, values=np.where(np.arange(40) < i - 2, np.inf, hmc.values),
                      settings={**hmc.settings, "params": {"step": 0.1 if i < 4 else 0.2}})
        made.append(snapshot(i, [
            cell(rng, seeds, factor=worse if i > 2 else 1.0), hmc,
            cell(rng, seeds, ("mala", "gmm4"), factor=worse if i < 2 else 1.0,
                 slower=2.0 if i > 3 and worse > 1 else 1.0),
            cell(rng, seeds, ("ula", "banana"), distribution=lognormal)]))
    return made


def written(snapshots: list[Snapshot], folder: Path) -> list[Path]:
    paths = [folder / f"{i}.json" for i in range(len(snapshots))]
    for path, s in zip(paths, snapshots, strict=True):
        save_baseline(s, path)
    return paths


def test_the_page_and_its_twin_say_the_same(tmp_path: Path) -> None:
    paths = written(shown(), tmp_path)
    made = history([paths[3], *paths, paths[0]])  # any order, and twice
    assert [e.path.name for e in made.entries] == [p.name for p in paths]
    assert made.sentence.startswith("3 changes in 2 of 4 cells over 6 entries (2026-03-01 to")
    assert "2 worse and 1 better" in made.sentence
    page, twin = (p.read_text() for p in save(made, tmp_path / "out"))
    for text in (page, twin):
        assert made.sentence in text and "step 0.1 → 0.2" in text and "3333333" in text
    assert page.count("<svg") == 4 and "✕3" in page
    for worst in ("http://", "https://", "NaN", ">nan", "nan,"):
        assert worst not in re.sub(r'xmlns(:\w+)?="[^"]+"', "", page.partition("<script>")[0])
    assert page == save(made, tmp_path / "out")[0].read_text()


def test_the_terminal_says_where_and_how_much(tmp_path: Path) -> None:
    out = io.StringIO()
    print_history(history(written(shown(), tmp_path)), Console(width=160, file=out))
    text = out.getvalue()
    assert "▲\u00a0quality\u00a0worse" in text
    assert "3 changes in 2 of 4 cells" in text and "step" in text


def test_a_quiet_history_says_so_and_has_no_empty_tables(tmp_path: Path) -> None:
    made = history(written([replace(s, cells=s.cells[:1]) for s in shown(worse=1.0)], tmp_path))
    assert made.sentence.startswith("No cell is shown to have changed over 6 entries")
    page, twin = (p.read_text() for p in save(made, tmp_path))
    assert "Change points" not in page and "Change points" not in twin


def test_run_folders_stand_beside_baselines(tmp_path: Path) -> None:
    folder = make(tmp_path / "run", ["ula", "mala"], ["gmm4"])
    with pytest.raises(ReportError, match="suites"):
        history([*written(shown()[:1], tmp_path), folder])
    with pytest.raises(ReportError, match="at least two"):
        history([folder, folder])


def test_what_is_no_history_is_refused_in_one_sentence(tmp_path: Path) -> None:
    paths = written(shown()[:2], tmp_path)
    bad = tmp_path / "bad.json"
    bad.write_text('{"a": 1}')
    for wrong, words in (([paths[0], bad], "no baseline"), ([paths[0], tmp_path / "x"], "exist"),
                         ([paths[0]], "at least two"), ([paths[0], tmp_path], "run")):
        with pytest.raises(ReportError, match=words):
            history(wrong)
    late = replace(shown()[0], made={"commit": "a"})
    save_baseline(late, bad)
    with pytest.raises(ReportError, match="when its run started"):
        history([paths[0], bad])
