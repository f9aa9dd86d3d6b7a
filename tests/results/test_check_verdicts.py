"""The check's arithmetic: exact tests, what counts as a change, what is never called one."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from results.regression.baseline import FloorSummary, SamplerOnTarget, Snapshot
from results.regression.cost import evaluations_to
from results.regression.outcome import Rule
from results.regression.quality import centre_and_unit, quality_outcome, worst_metric
from results.regression.verdicts import FRESH_SEEDS, Check, check
from results.statistics.rank_sum_test import critical_pairs, least_p, rank_sum, shift
from results.statistics.ranks import doubled_midranks

METRICS = ("mmd", "w2", "ksd")
RULE = Rule()


def cell(rng: np.random.Generator, seeds: range, name: str = "hmc", *, rise: float = 0.0,
         slower: float = 1.0, status: dict[int, str] | None = None) -> SamplerOnTarget:
    """Independent lognormal metrics; a curve that halves with each doubling of evaluations."""
    size = len(seeds)
    ended = tuple((status or {}).get(s, "ok") for s in seeds)
    values = np.exp(0.3 * rng.standard_normal((len(METRICS), size)))
    values[0] += rise
    evals = np.outer([250.0, 500.0, 1000.0], np.ones(size))
    curve = slower * 500.0 / evals * np.exp(0.1 * rng.standard_normal(size))
    gone = [i for i, s in enumerate(ended) if s != "ok"]
    values[:, gone] = np.inf
    curve[-1, gone] = np.inf
    bits = tuple(f"{v:.12g}" for v in values.sum(axis=0))
    return SamplerOnTarget(name, "gaussian", {"params": {"step_size": 0.1}}, METRICS, (1000,) * 3,
                tuple(seeds), values, evals, curve, ended, (1.0,) * size, bits)


def snapshot(*cells: SamplerOnTarget) -> Snapshot:
    behaviour = {"behaviour": [2.0, 1.0, -3.5], "fingerprint": "abc",
                 "metric_behaviour": dict.fromkeys(METRICS, 0.3)}
    return Snapshot("smoke", {"commit": "f" * 40, "started": "2026-01-01"},
                    {"budget": "1000evals"}, {"gaussian": behaviour},
                    {m: {"version": 1, "params": {}} for m in METRICS},
                    {("gaussian", m, 1000): FloorSummary(0.5, 0.6, 0.05) for m in METRICS},
                    cells, "mmd")


def verdicts(made: Check) -> dict[tuple[str, str], str]:
    return {(f.sampler, f.what): f.verdict for f in made.findings}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("seed", range(12))
def test_rank_sum_is_exact_with_ties_and_failures(seed: int) -> None:
    draw = rng(seed)
    old, new = draw.integers(0, 4, 7).astype(float), draw.integers(0, 5, 3).astype(float)
    old[0], new[0] = np.inf, np.inf if seed % 2 else new[0]
    ranks = doubled_midranks(np.concatenate([new, old]))
    sums = [ranks[list(c)].sum() for c in combinations(range(10), 3)]
    assert rank_sum(old, new) == pytest.approx(np.mean(sums >= ranks[:3].sum()), rel=1e-12)


def test_rank_sum_without_ties_is_scipys() -> None:
    old, new = rng(1).standard_normal(45), rng(2).standard_normal(20) + 0.3
    want = stats.mannwhitneyu(new, old, alternative="greater", method="exact").pvalue
    assert rank_sum(old, new) == pytest.approx(want, rel=1e-9)
    assert least_p(40, 5) == pytest.approx(rank_sum(np.arange(40.0), 40 + np.arange(5.0)))


@pytest.mark.parametrize(("old", "new"), [(40, 5), (45, 20)])
def test_interval_of_a_shift_covers(old: int, new: int) -> None:
    draw = rng(3)
    hits = 0
    for _ in range(1000):
        found = shift(draw.standard_t(3, old), 0.5 + draw.standard_t(3, new))
        hits += found.low <= 0.5 <= found.high
    assert stats.binomtest(hits, 1000, 0.95).pvalue > 0.001
    assert hits >= 930


def test_critical_number_of_pairs_is_the_least_that_fires() -> None:
    level, old = 0.001, np.arange(40.0)
    for won in range(150, 200):
        # new values that win exactly so many pairs in all, without ties
        each = np.full(5, won // 5) + (np.arange(5) < won % 5)
        new = each - 0.5 + 0.01 * np.arange(5)
        assert (rank_sum(old, new) <= level) == (won >= critical_pairs(40, 5, level))


def test_pooled_scores_are_exchangeable_whatever_the_distribution() -> None:
    """Swapping the sides' labels cannot change a seed's score; one absurd seed cannot hide it."""
    draw = rng(4)
    pooled = np.exp(draw.standard_normal((3, 45)))
    pooled[1, 7] = 1e12
    order = draw.permutation(45)
    floors = (FloorSummary(0.5, 0.6, 0.01),) * 3
    scores = worst_metric(pooled, *centre_and_unit(pooled, floors))
    assert np.allclose(worst_metric(pooled[:, order], *centre_and_unit(pooled[:, order], floors)),
                       scores[order])
    calm = pooled.copy()
    calm[1, 7] = 1.0
    unit = centre_and_unit(pooled, floors)[1] / centre_and_unit(calm, floors)[1]
    assert np.all((unit > 0.8) & (unit < 1.25))


def test_a_metric_that_hardly_varies_does_not_rule() -> None:
    """A hundred of its own deviations are nothing where exact samples vary far more."""
    pooled = np.array([1.0 + 1e-9 * rng(4).standard_normal(45), rng(5).standard_normal(45)])
    pooled[0, :3] += 1e-7
    floors = FloorSummary(1.0, 1.1, 0.05), FloorSummary(0, 1, 0.1)
    scores = worst_metric(pooled, *centre_and_unit(pooled, floors))
    assert np.argmax(scores) == np.argmax(pooled[1])


@pytest.mark.parametrize("size", [5, 20, 45])
def test_a_rise_of_one_metric_is_detected_whatever_the_share_of_new_seeds(size: int) -> None:
    """By median and MAD of the pooled seeds, half of them raised would hide the rise."""
    old = cell(rng(10), range(45))
    new = cell(rng(11), range(100, 100 + size), rise=3.0)
    found = check(snapshot(old), snapshot(new)).findings[0].measured
    assert found is not None and found.p < 1e-5


def test_a_modest_change_of_one_metric_is_not_drowned_by_the_others() -> None:
    """Two deviations in one of eight metrics: hardly a worst metric, plain to its own rank sum."""
    draw = rng(12)
    names = tuple(f"m{i}" for i in range(8))
    floors = (FloorSummary(-9.0, -8.9, 0.01),) * 8
    sides = [replace(cell(draw, range(n)), metrics=names, values=draw.standard_normal((8, n)))
             for n in (45, 20)]
    sides[1].values[3] += 2.0
    found = quality_outcome(sides[0], sides[1], floors, Rule(tolerance=0.1))
    assert found.worse and found.rose == 3
    pooled = np.hstack([s.values for s in sides])
    worst = [worst_metric(s.values, *centre_and_unit(pooled, floors)) for s in sides]
    assert found.p_worse < 1e-5 < rank_sum(*worst)


def test_same_bits_are_identical_and_a_changed_one_is_tested() -> None:
    base = cell(rng(), range(45))
    same = check(snapshot(base), snapshot(base.of(range(5))))
    assert verdicts(same) == {("hmc", "quality"): "identical"} and same.code == 0
    new = base.of(range(5))
    turned = replace(new, bits=("other", *new.bits[1:]))
    tested = check(snapshot(base), snapshot(turned))
    assert tested.code == 0 and verdicts(tested)["hmc", "quality"] == "stayed"
    found = tested.findings[0].measured
    assert found is not None and found.seeds == (40, 5)


def test_all_seeds_shared_are_dealt_out() -> None:
    base, new = cell(rng(), range(45)), cell(rng(1), range(45))
    found = check(snapshot(base), snapshot(new)).findings[0].measured
    assert found is not None and found.seeds == (23, 22)
    more = check(snapshot(base), snapshot(cell(rng(1), range(200), rise=3.0))).findings[0]
    assert more.measured is not None and more.measured.seeds == (45, 45)
    assert more.verdict == "worse"


def test_a_rise_is_worse_a_fall_is_better_noise_stays() -> None:
    base = snapshot(cell(rng(), range(45)))
    assert check(base, snapshot(cell(rng(1), range(5), rise=3.0))).code == 1
    low = cell(rng(2), range(5))
    better = check(base, snapshot(replace(low, values=low.values * 0.2)))
    assert verdicts(better)["hmc", "quality"] == "better" and better.code == 0
    assert check(base, snapshot(cell(rng(3), range(5)))).code == 0


def test_significant_but_small_is_no_regression() -> None:
    """Values without spread: any shift is significant, only one beyond the allowance counts."""
    flat = cell(rng(), range(45))
    flat = replace(flat, values=1.0 + 1e-4 * rng(1).standard_normal(flat.values.shape))
    new = cell(rng(2), range(100, 105))
    for rise, code in ((0.05, 0), (0.12, 0), (0.3, 1)):
        values = 1.0 + rise + 1e-4 * rng(3).standard_normal(new.values.shape)
        made = check(snapshot(flat), snapshot(replace(new, values=values, curve=new.curve)))
        found = made.findings[0].measured
        assert found is not None and found.p < 1e-5
        assert found.limit == pytest.approx(0.125, abs=0.01)
        assert made.code == code


def test_floor_gap_guards_those_at_the_floor() -> None:
    """At the floor the excess is nothing, and a quarter of nothing is no allowance."""
    at_floor = replace(cell(rng(), range(45)), values=0.5 + 0.01 * rng(1).standard_normal((3, 45)))
    new = cell(rng(2), range(50, 55))
    inside = replace(new, values=0.58 + 0.01 * rng(3).standard_normal((3, 5)))
    beyond = replace(new, values=0.65 + 0.01 * rng(3).standard_normal((3, 5)))
    assert check(snapshot(at_floor), snapshot(inside)).code == 0
    assert check(snapshot(at_floor), snapshot(beyond)).code == 1


def test_a_new_way_of_ending_is_a_regression_an_old_one_is_not() -> None:
    base = snapshot(cell(rng(), range(45)))
    fails = cell(rng(1), range(50, 55), status={52: "diverged"})
    made = check(base, snapshot(fails))
    assert made.code == 1 and "diverged in 1 of 5 seeds" in made.findings[0].reason
    known = snapshot(cell(rng(), range(45), status={7: "diverged"}))
    assert check(known, snapshot(fails)).code == 0
    all_gone = cell(rng(1), range(50, 55), status=dict.fromkeys(range(50, 55), "diverged"))
    assert check(known, snapshot(all_gone)).code == 1


def test_slower_to_the_same_end_is_a_cost() -> None:
    base = snapshot(cell(rng(), range(45)))
    made = check(base, snapshot(cell(rng(1), range(50, 55), slower=2.5)))
    assert verdicts(made) == {("hmc", "cost"): "worse", ("hmc", "quality"): "stayed"}
    assert check(base, snapshot(cell(rng(1), range(50, 55), slower=1.1))).code == 0


def test_reach_interpolates_in_the_logarithm_and_knows_never() -> None:
    evals = np.array([[100.0] * 4, [200.0] * 4, [400.0] * 4])
    curve = np.array([[1.0, 8.0, 8.0, 3.0], [1.0, 4.0, 6.0, np.inf], [1.0, 1.0, 5.0, 1.0]])
    found = evaluations_to(2.0, evals, curve)
    assert found[0] == 100 and found[2] == np.inf and found[3] == 400
    assert found[1] == pytest.approx(200 * 2 ** (2 / 3))  # 4 -> 1, two thirds of an octave


def test_fresh_seeds_confirm_or_clear() -> None:
    base = snapshot(cell(rng(), range(45)))
    run = snapshot(cell(rng(1), range(5), rise=3.0))
    fresh = range(45, 45 + FRESH_SEEDS)
    assert check(base, run).fired
    held = check(base, run, fresh=snapshot(cell(rng(2), fresh, rise=3.0)))
    assert held.code == 1 and not held.fired
    again = held.findings[0].again
    assert again is not None and again.seeds == (45, 20)
    cleared = check(base, run, fresh=snapshot(cell(rng(2), fresh)))
    assert cleared.code == 0 and verdicts(cleared)["hmc", "quality"] == "not confirmed"


def test_one_sampler_touched_is_judged_alone() -> None:
    """Identical cells leave the family: the adjusted p is that of two tests, not of twenty."""
    others = [cell(rng(i), range(45), f"s{i}") for i in range(9)]
    base = snapshot(cell(rng(50), range(45)), *others)
    new = cell(rng(51), range(5), rise=3.0)
    alone = check(base, snapshot(new, *[o.of(range(5)) for o in others]))
    found = next(f.measured for f in alone.findings if f.sampler == "hmc" and f.what == "quality")
    assert found is not None and found.adjusted_p == pytest.approx(2 * found.p)
    crowd = check(base, snapshot(new, *[cell(rng(80 + i), range(5), f"s{i}") for i in range(9)]))
    found = next(f.measured for f in crowd.findings if f.sampler == "hmc" and f.what == "quality")
    assert found is not None and found.adjusted_p == pytest.approx(20 * found.p)


def test_what_changed_is_named_and_not_called_worse() -> None:
    base, bad = cell(rng(), range(45)), cell(rng(1), range(5), rise=9.0)
    old = snapshot(base)
    changed = {
        "step_size 0.1 → 0.2": snapshot(replace(bad, settings={"params": {"step_size": 0.2}})),
        "budget 1000evals → 2000evals": replace(snapshot(bad), settings={"budget": "2000evals"}),
        "another density": replace(snapshot(bad), targets={"gaussian": {
            **old.targets["gaussian"], "behaviour": [2.0, 1.0, -3.49]}}),
        "version 1 → 2": replace(snapshot(bad), metrics={
            **old.metrics, "mmd": {"version": 2, "params": {}}}),
        "mmd (scores fixed points": replace(snapshot(bad), targets={"gaussian": {
            **old.targets["gaussian"], "metric_behaviour": {**dict.fromkeys(METRICS, 0.3),
                                                            "mmd": 0.31}}})}
    for words, run in changed.items():
        made = check(old, run)
        assert made.code == 2 and [f.verdict for f in made.findings] == ["not compared"]
        assert words in made.findings[0].reason, made.findings[0].reason


def test_a_budget_of_seconds_binds_to_its_machine() -> None:
    timed = {"params": {}, "budget": "5 seconds"}
    base = snapshot(replace(cell(rng(), range(45)), settings=timed))
    run = snapshot(replace(cell(rng(1), range(5)), settings=timed))
    assert check(base, run).code == 0
    elsewhere = replace(run, made={"machine": {"cpu": "another", "cores": 64}})
    made = check(base, elsewhere)
    assert made.code == 2 and "another (64 cores)" in made.findings[0].reason


def test_last_bits_of_behaviour_do_not_matter() -> None:
    old = snapshot(cell(rng(), range(45)))
    run = snapshot(cell(rng(1), range(5)))
    facts = old.targets["gaussian"]
    near = {**facts, "behaviour": [2.0, 1.0, -3.5 * (1 + 1e-9)],
            "metric_behaviour": dict.fromkeys(METRICS, 0.3 * (1 + 1e-7))}
    assert check(old, replace(run, targets={"gaussian": near})).code == 0


def test_too_few_seeds_and_missing_cells_cannot_be_judged() -> None:
    base = snapshot(cell(rng(), range(45)), cell(rng(1), range(45), "mala"))
    made = check(base, snapshot(cell(rng(2), range(1), rise=9.0)))
    assert made.code == 2
    assert verdicts(made) == {("hmc", "quality"): "not compared", ("hmc", "cost"): "not compared",
                              ("mala", "quality"): "missing"}
    assert check(base, snapshot(cell(rng(2), range(5))), samplers={"hmc"}).code == 0


def test_visible_change_is_what_is_seen_nine_times_in_ten() -> None:
    base = snapshot(cell(rng(), range(45)))
    found = check(base, snapshot(cell(rng(1), range(5)))).findings[0].measured
    assert found is not None
    level = RULE.alpha
    hits = 0
    for i in range(100):
        new = cell(rng(100 + i), range(50, 55))
        values = new.values.copy()
        values[METRICS.index(found.metric)] += found.detectable
        made = check(base, snapshot(replace(new, values=values)), Rule(level))
        hits += verdicts(made)["hmc", "quality"] == "worse"
    assert 75 <= hits <= 99


def test_nothing_changed_is_rarely_called_worse() -> None:
    """A/A on heavy-tailed cells: the family-wise rate stays within alpha = 20 % beyond chance."""
    alarms = 0
    for i in range(100):
        cells = [(cell(rng(1000 * i + k), range(45), f"s{k}"),
                  cell(rng(1000 * i + 500 + k), range(5), f"s{k}")) for k in range(3)]
        made = check(snapshot(*[a for a, _ in cells]), snapshot(*[b for _, b in cells]),
                     Rule(alpha=0.2, tolerance=0.0))
        alarms += made.code == 1
    assert stats.binomtest(alarms, 100, 0.2, alternative="greater").pvalue > 0.001
