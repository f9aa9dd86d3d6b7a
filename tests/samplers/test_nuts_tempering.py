"""The No-U-Turn sampler and parallel tempering against what is known of them exactly.

The trees are held to a recursion written from the papers, one chain at a time. Each law here has
a broken twin, a sampler wrong in one line, that it must refuse.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor

import samplers.mcmc.nuts as nuts_file
import samplers.mcmc.parallel_tempering as tempering_file
from bench.conformance.distributions import DISTRIBUTIONS, distribution
from bench.conformance.trial import Trial
from bench.conformance.verdict import verdict
from bench.harness.meter import Ledger, MeteredTarget
from samplers.base import Sampler
from samplers.mcmc.mala import Mala
from samplers.mcmc.nuts import Nuts, transition
from samplers.mcmc.parallel_tempering import ParallelTempering
from samplers.mcmc.temperature_ladder import Ladder
from samplers.mcmc.uturn import Trail
from samplers.transitions.history import History
from samplers.transitions.metropolis import Evaluated
from targets.base import Target
from tests.samplers.test_mcmc import Cliff, Quartic, settled
from tests.support.law_cases import LOG_Z, log_z_case, two_modes

SE = 4.0  # how many standard errors are chance

# ---- trees --------------------------------------------------------------------------------------


@dataclass
class Tree:
    """One chain's tree by recursion, states in order of time: Hoffman, Gelman 2014, Betancourt."""

    target: Target
    eps: float
    energy: float
    leaves: int = 0
    diverged: bool = False
    law: list[tuple[Tensor, float]] = field(default_factory=list)  # x, its probability
    depth: int = 0

    def grow(self, state: tuple[Tensor, Tensor], sign: int, j: int) -> tuple[list[Any], bool]:
        """2^j states on from ``state``, and whether they may be kept."""
        if j == 0:
            x, v = state
            v = v + sign * self.eps / 2 * self.target.score(x[None])[0]
            x = x + sign * self.eps * v
            v = v + sign * self.eps / 2 * self.target.score(x[None])[0]
            self.leaves += 1
            self.diverged |= not self.log_weight((x, v)) > -1000
            return [(x, v)], not self.diverged
        one, fine = self.grow(state, sign, j - 1)
        if not fine:
            return one, False
        two, fine = self.grow(one[0 if sign < 0 else -1], sign, j - 1)
        halves = (two, one) if sign < 0 else (one, two)
        return sum(halves, []), fine and not self.turns(*halves)

    def log_weight(self, state: tuple[Tensor, Tensor]) -> float:
        x, v = state
        return self.energy + float(self.target.log_prob(x[None])) - float(v @ v) / 2

    @staticmethod
    def turns(one: list[Any], two: list[Any]) -> bool:
        def back(states: list[Any]) -> bool:
            rho = sum(v for _, v in states)
            return bool(rho @ states[0][1] <= 0 or rho @ states[-1][1] <= 0)
        return back(one + two) or back([*one, two[0]]) or back([one[-1], *two])

    def run(self, x: Tensor, v: Tensor, sides: list[int]) -> Tree:
        states, self.law, total = [(x, v)], [(x, 1.0)], 1.0
        for j, side in enumerate(sides):
            new, fine = self.grow(states[-1 if side else 0], 2 * side - 1, j)
            if not fine:
                break
            weights = [math.exp(self.log_weight(z)) for z in new]
            a = min(1.0, sum(weights) / total)
            self.law = [(at, (1 - a) * p) for at, p in self.law]
            self.law += [(z[0], a * w / sum(weights)) for z, w in zip(new, weights, strict=True)]
            total += sum(weights)
            halves = (states, new) if side else (new, states)
            states = sum(halves, [])
            self.depth += 1
            if self.turns(*halves):
                break
        return self


def starts(target: Target, x: Tensor, eps: float, max_depth: int = 5) -> tuple[Any, ...]:
    """(x, log p, score), momenta, steps, sides: what a transition begins with."""
    rng = torch.Generator().manual_seed(12)
    v = torch.randn(x.shape, generator=rng, dtype=x.dtype)
    sides = torch.randint(2, (max_depth, len(x)), generator=rng)
    log_p, score = target.log_prob_and_score(x)
    return Evaluated(x, log_p, score), v, x.new_full((len(x), 1), eps), sides


def compare_trees(target: Target, x: Tensor, eps: float) -> tuple[list[Tree], list[str]]:
    """The trees of the reference, and in what the sampler's differ from them."""
    start, v, steps, sides = starts(target, x, eps)
    ledger = Ledger(target.device)
    metered: Any = MeteredTarget(target, ledger)
    _, depth, tally = transition(metered, start, v, steps, sides, torch.Generator())
    trees = [Tree(target, eps, float(v[i] @ v[i] / 2 - start[1][i])).run(
        x[i], v[i], sides[:, i].tolist()) for i in range(len(x))]
    wrong = []
    for what, found, wanted in (("depth", depth, [t.depth for t in trees]),
                                ("states", tally[:, 1], [t.leaves for t in trees]),
                                ("divergences", tally[:, 2], [t.diverged for t in trees])):
        if found.tolist() != wanted:
            wrong.append(what)
    if ledger.cost("train").score != sum(t.leaves for t in trees):
        wrong.append("score rows")
    return trees, wrong


def test_trees_are_those_of_the_recursion() -> None:
    x = DISTRIBUTIONS["skewed"].sample(150, torch.Generator().manual_seed(1))
    fine, wrong = compare_trees(DISTRIBUTIONS["skewed"], x, 0.15)
    assert not wrong and max(t.depth for t in fine) >= 4
    coarse, wrong = compare_trees(DISTRIBUTIONS["skewed"], x, 0.9)
    assert not wrong
    stopped_within = [t for t in fine + coarse if t.leaves > 2**t.depth - 1]
    assert len(stopped_within) > 20
    wild, wrong = compare_trees(Quartic(), 2 * x[:, :1], 0.4)
    assert not wrong and 10 < sum(t.diverged for t in wild) < 140


def never(self: Trail, i: int, rows: Tensor) -> Tensor:
    """A broken twin of ``Trail.turned``: sub-trees are not asked."""
    return torch.zeros_like(rows, dtype=torch.bool)


def equal(energy: Tensor, log_p: Tensor, v: Tensor) -> Tensor:
    """A broken twin of ``fall``: all states weigh the same."""
    return torch.zeros_like(energy)


def test_trees_whose_sub_trees_are_not_asked_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trail, "turned", never)
    x = DISTRIBUTIONS["skewed"].sample(150, torch.Generator().manual_seed(1))
    assert compare_trees(DISTRIBUTIONS["skewed"], x, 0.15)[1]


def deviations(seed: int) -> list[float]:
    """From one start, how often each state is chosen less what the recursion says, in se."""
    target, n = DISTRIBUTIONS["skewed"], 40_000
    x = target.sample(30, torch.Generator().manual_seed(seed))
    start, v, eps, sides = starts(target, x, 0.5)
    trees = [Tree(target, 0.5, float(v[i] @ v[i] / 2 - start[1][i])).run(
        x[i], v[i], sides[:, i].tolist()) for i in range(len(x))]
    i = max(range(len(x)), key=lambda i: sum(p > 0 for _, p in trees[i].law))
    many = tuple(t[i : i + 1].repeat(n, *[1] * (t.ndim - 1)) for t in (*start, v, eps))
    (chosen, *_), _, _ = transition(target, many[:3], many[3], many[4],
                                    sides[:, i : i + 1].repeat(1, n), torch.Generator())
    places = torch.stack([at for at, _ in trees[i].law])
    gap, which = (chosen[:, None] - places).abs().sum(-1).min(1)
    assert float(gap.max()) < 1e-9 and len(places) >= 8
    share = torch.bincount(which, minlength=len(places)).double() / n
    wanted = torch.tensor([p for _, p in trees[i].law]).double()
    assert float(wanted.sum()) == pytest.approx(1.0)
    # a state that gave way to a heavier half can never be chosen
    spread = (wanted * (1 - wanted) / n).sqrt().clamp_min(1e-9)
    return ((share - wanted) / spread).tolist()


@pytest.mark.parametrize("seed", [2, 3])
def test_states_are_chosen_with_the_probabilities_of_the_recursion(
        seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(abs(z) < SE for z in deviations(seed))
    monkeypatch.setattr(nuts_file, "fall", equal)
    assert any(abs(z) > 2 * SE for z in deviations(seed))


@pytest.mark.parametrize("where", DISTRIBUTIONS)
@pytest.mark.parametrize(("owner", "name", "twin"), [(Trail, "turned", never),
                                                     (nuts_file, "fall", equal)])
def test_broken_trees_do_not_keep_the_law(owner: Any, name: str, twin: Any, where: str,
                                          monkeypatch: pytest.MonkeyPatch) -> None:
    """As tests/samplers/test_mcmc.py runs the sound sampler, which passes there."""
    monkeypatch.setattr(owner, name, twin)
    start = distribution(where).sample(8000, torch.Generator().manual_seed(4))
    x = settled(Nuts(chains=8000), distribution(where), start, 0.7).run(40).state.x
    assert verdict(x, where)


def test_divergences_and_depths_are_told() -> None:
    calm = Trial(Nuts(chains=50), distribution("skewed"), 60).run()
    wild = settled(Nuts(chains=50), Quartic(), torch.full((50, 1), 0.8).double(), 1.5).run(20)
    calm, wild = (r.sampler.diagnostics(r.state) for r in (calm, wild))
    assert calm["divergences"] == 0 < wild["divergences"]
    assert 1 < calm["tree_depth"] < 6


# ---- tempering ----------------------------------------------------------------------------------


def modes(sampler: Sampler, steps: int = 400) -> tuple[float, float]:
    """(z, se) of the first mode's weight on the two modes, over independent chains."""
    target = two_modes()
    state = Trial(sampler, target, steps).run().state
    half = state.history.later_half()
    inside = target.mode_of(half.flatten(0, 1)).view(half.shape[:2]) == 0
    share = inside.double().mean(0)
    se = float(share.std()) / len(share) ** 0.5
    assert target.mode_weights is not None
    return (float(share.mean()) - float(target.mode_weights[0])) / se, se


def stay(self: Ladder, r: Tensor, odd: int, u: Tensor) -> tuple[Tensor, Ladder]:
    """A broken twin of ``Ladder.swap``: never."""
    return torch.arange(len(r))[:, None].repeat(1, r.shape[1]), self


def always(self: Ladder, r: Tensor, odd: int, u: Tensor) -> tuple[Tensor, Ladder]:
    """A broken twin of ``Ladder.swap``: whatever the probability."""
    order = stay(self, r, odd, u)[0]
    low = torch.arange(odd, len(r) - 1, 2)
    order[low], order[low + 1] = order[low + 1], order[low]
    return order, self


MANY = ParallelTempering(replicas=6, chains=300)


def test_tempering_recovers_the_weights_of_modes_ten_deviations_apart() -> None:
    z, se = modes(MANY)
    assert abs(z) < SE and se < 0.005


@pytest.mark.parametrize("twin", [stay, always])
def test_without_fair_swaps_it_does_not(twin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ladder, "swap", twin)
    assert abs(modes(MANY)[0]) > 2 * SE


def test_nor_do_chains_without_temperatures() -> None:
    assert abs(modes(Mala(chains=300))[0]) > 2 * SE
    assert abs(modes(Nuts(chains=300), 100)[0]) > 2 * SE


def rungs(betas: Tensor) -> tuple[Tensor, Tensor]:
    """Means (k, 2) and covariances (k, 2, 2) on the path from the initial law to a Gaussian."""
    target: Any = DISTRIBUTIONS["correlated"]
    b = betas.double()[:, None, None]
    covariance = torch.linalg.inv(b * target.precision + (1 - b) * torch.eye(2) / target.scale**2)
    return (b * covariance @ target.precision @ target.mean[:, None])[..., 0], covariance


def ladder_off_its_laws() -> float:
    """Exact copies at five temperatures, 40 coarse steps: the worst deviation of a moment, in se.

    Moments of order one and two of the whitened copies, at each temperature.
    """
    target, n = DISTRIBUTIONS["correlated"], 6000
    run = Trial(ParallelTempering(replicas=5, chains=n, leapfrog_steps=2), target, 1)
    betas = torch.tensor([0.0, 0.05, 0.2, 0.5, 1.0]).double()
    mean, covariance = rungs(betas)
    root = torch.linalg.cholesky(covariance)
    z = torch.randn((5, n, 2), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    x = z @ root.mT + mean[:, None]
    log_p, score = target.log_prob_and_score(x.flatten(0, 1))
    even = run.state.ladder
    changed = {"x": x, "log_p": log_p.view(5, n), "score": score.view(x.shape),
               "ladder": Ladder(betas, even.rejected, even.offered),
               "history": History.start(x[-1])}
    for key, value in changed.items():
        object.__setattr__(run.state, key, value)
    object.__setattr__(run.state.size, "log_mean", torch.tensor(0.7).double().log())
    run.made = 1  # past the warm-up
    run.run(40)
    rejected = 1 - run.state.size.accepted.view(4, n)[:, 0] / 40
    assert float(rejected.max()) > 0.1 and float(run.state.ladder.rates.max()) > 0.1
    z = torch.linalg.solve_triangular(root[:, None], (run.state.x - mean[:, None])[..., None],
                                      upper=False)[..., 0]
    found = torch.cat([z, z.square() - 1, (z[..., :1] * z[..., 1:])], -1)
    return float((found.mean(1) / found.std(1) * math.sqrt(n)).abs().max())


def test_every_temperature_keeps_its_law_at_a_coarse_step() -> None:
    assert ladder_off_its_laws() < SE


def upside_down(target: Target, x: Tensor, log_p: Tensor) -> Tensor:
    """A broken twin of ``log_ratio``: the base is left out of the swaps."""
    return log_p


def test_swaps_that_forget_the_reference_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempering_file, "log_ratio", upside_down)
    assert ladder_off_its_laws() > 2 * SE


def test_warmed_up_temperatures_refuse_alike_and_even_ones_do_not(
        monkeypatch: pytest.MonkeyPatch) -> None:
    target = two_modes()
    adapted = Trial(ParallelTempering(), target, 200).run().state.ladder.rates
    assert float(adapted.max() - adapted.min()) < 0.06
    monkeypatch.setattr(Ladder, "respaced", lambda self: self)
    even = Trial(ParallelTempering(), target, 200).run().state.ladder.rates
    assert float(even.max() - even.min()) > 0.2


def test_spacing_is_even_in_the_barrier() -> None:
    even = Ladder.even(DISTRIBUTIONS["skewed"], 6)
    rates = torch.tensor([0.9, 0.3, 0.1, 0.4, 0.05]).double()
    betas = Ladder(even.betas, 7 * rates, torch.full_like(rates, 7.0)).respaced().betas
    whole = torch.cumsum(torch.cat([torch.zeros(1).double(), rates]), 0)
    i = (betas * 5).long().clamp_max(4)
    at = whole[i] + (betas * 5 - i) * rates[i]
    assert at.diff().tolist() == pytest.approx([0.35] * 5)


def round_trips() -> tuple[float, float]:
    """Round trips a step, and what the rates of refusal say of alternating swaps."""
    sampler = ParallelTempering(replicas=8, chains=400, leapfrog_steps=10)
    run = Trial(sampler, distribution("correlated"), 400).run()
    rates = run.state.ladder.rates
    found = run.sampler.diagnostics(run.state)
    assert found["barrier"] == pytest.approx(float(rates.sum()))
    return found["round_trips_a_step"], 1 / (2 + 2 * float((rates / (1 - rates)).sum()))


def test_round_trips_come_as_often_as_theory_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Syed et al. 2022, where exploring is perfect; here it nearly is."""
    found, theory = round_trips()
    assert 0.85 * theory < found < 1.02 * theory
    swap, coin = Ladder.swap, torch.Generator().manual_seed(0)

    def by_chance(self: Ladder, r: Tensor, odd: int, u: Tensor) -> Any:
        return swap(self, r, int(torch.randint(2, (), generator=coin)), u)

    monkeypatch.setattr(Ladder, "swap", by_chance)  # the classical, reversible order
    found, theory = round_trips()
    assert found < 0.5 * theory


def log_z(sampler: Sampler, target: Target, steps: int, seed: int = 0) -> tuple[float, float]:
    run = Trial(sampler, target, steps, seed).run()
    said = sampler.log_weights(target, run.state, 100, None, torch.Generator())
    assert said is not None and said.log_z is not None
    return said.log_z


def test_tempering_tells_log_z(monkeypatch: pytest.MonkeyPatch) -> None:
    value, se = log_z(ParallelTempering(), log_z_case(), 400)
    assert abs(value - LOG_Z) < SE * se and se < 0.02
    bridges = Ladder.bridges
    monkeypatch.setattr(Ladder, "bridges", lambda self, r: bridges(self, r) / 2)
    value, se = log_z(ParallelTempering(), log_z_case(), 400)  # not the identity any more
    assert abs(value - LOG_Z) > 2 * SE * se


def test_the_error_of_log_z_is_what_it_says() -> None:
    """Over 30 runs on a Gaussian, whose log Z is log(2 pi) + log det C / 2."""
    target: Any = DISTRIBUTIONS["correlated"]
    known = math.log(2 * math.pi) + float(torch.linalg.slogdet(target.precision)[1]) / -2
    sampler = ParallelTempering(replicas=5, chains=40, leapfrog_steps=3)
    runs = [log_z(sampler, target, 100, seed) for seed in range(30)]
    z = torch.tensor([(value - known) / se for value, se in runs])
    assert abs(float(z.mean())) < SE / math.sqrt(30)
    assert 0.6 < float(z.std()) < 1.45


def test_log_z_waits_for_the_frozen_part() -> None:
    run = Trial(ParallelTempering(), distribution("skewed"), 100).run(20)
    assert run.sampler.log_weights(run.target, run.state, 10, None, run.rng) is None


def test_copies_that_start_where_p_is_no_number_leave_by_the_reference() -> None:
    run = Trial(ParallelTempering(chains=400), Cliff().to("cpu", torch.float32), 200).run()
    x = run.state.x[-1]
    assert bool((x > 0).all())
    se = math.sqrt((1 - 2 / math.pi) / 400)
    assert abs(float(x.mean()) - math.sqrt(2 / math.pi)) < SE * se


def test_a_step_costs_the_ladder() -> None:
    ledger = Ledger(torch.device("cpu"))
    metered: Any = MeteredTarget(distribution("skewed"), ledger)
    run = Trial(ParallelTempering(replicas=4, chains=10, leapfrog_steps=3), metered, 30)
    costs = []
    for _ in range(30):
        before = ledger.cost("train").score
        run.run(1)
        costs.append(ledger.cost("train").score - before)
    assert set(costs) == {10 + 30, 10 + 60, 10 + 90}


@pytest.mark.parametrize(("made", "says"), [(lambda: ParallelTempering(replicas=1), "replicas"),
                                            (lambda: Nuts(max_depth=0), "max_depth")])
def test_senseless_settings_are_refused(made: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        made()
