"""The record of a run of chains, its mixing estimates, and saving."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bench.conformance.plain_state import load, save
from samplers.transitions.convergence import autocorrelation_time, split_rhat
from samplers.transitions.history import DEPTH, History, choose


def counted(steps: int, chains: int = 3) -> History:
    """A run whose snapshot at step t holds t in every place."""
    history = History.start(torch.zeros(chains, 1))
    for t in range(1, steps + 1):
        history = history.append(torch.full((chains, 1), float(t)))
    return history


@pytest.mark.parametrize("steps", [1, 2, 3, 100, 255, 256, 257, 1000, 4096, 5001])
def test_later_half_is_late_even_and_bounded(steps: int) -> None:
    times = counted(steps).later_half()[:, 0, 0]
    assert float(times[0]) > steps / 2
    gaps = times.diff().unique()
    assert len(gaps) <= 1
    gap = float(gaps[0]) if len(gaps) else 1.0
    assert steps - float(times[-1]) < gap
    assert float(times[0]) - steps / 2 <= gap  # all of the later half
    assert min(steps / 2, DEPTH / 2) <= len(times) <= DEPTH


def test_memory_grows_with_the_logarithm_of_the_run() -> None:
    for steps in (1000, 10_000):
        kept = sum(len(level) for level in counted(steps, 1).levels)
        assert kept <= DEPTH * (math.log2(steps / DEPTH) + 3)


def test_append_leaves_the_older_record_alone() -> None:
    old = counted(300)
    before = [list(level) for level in old.levels]
    old.append(torch.zeros(3, 1))
    assert old.steps == 300
    assert all(a is b for was, level in zip(before, old.levels, strict=True)
               for a, b in zip(was, level, strict=True))


def numbered(steps: int, chains: int) -> History:
    history = History.start(torch.arange(float(chains))[:, None])
    for t in range(1, steps + 1):
        history = history.append(torch.arange(t * chains, (t + 1.0) * chains)[:, None])
    return history


def test_draw_is_without_replacement_and_of_now_where_that_is_enough() -> None:
    history, rng = numbered(50, 40), torch.Generator().manual_seed(0)
    few = history.draw(30, rng)[:, 0]
    assert len(few.unique()) == 30 and float(few.min()) >= 50 * 40
    more = history.draw(200, rng)[:, 0]
    assert len(more.unique()) == 200 and float(more.min()) >= 26 * 40
    everything = history.draw(10**6, rng)[:, 0]
    assert len(everything) == len(everything.unique()) == 25 * 40


def test_draw_takes_every_row_equally_often() -> None:
    rng = torch.Generator().manual_seed(0)
    x = torch.arange(10.0)[:, None]
    counts = sum(nn.functional.one_hot(choose(x, 3, rng)[:, 0].long(), 10).sum(0)
                 for _ in range(2000))
    assert isinstance(counts, Tensor)
    assert float((counts - 600).abs().max()) < 4 * math.sqrt(2000 * 0.3 * 0.7)


# ---- mixing -------------------------------------------------------------------------------------


def autoregression(rho: float, steps: int, chains: int) -> History:
    """x <- rho x + sqrt(1 - rho^2) z, whose coordinate has the time (1 + rho)/(1 - rho)."""
    rng = torch.Generator().manual_seed(1)
    x = torch.randn((chains, 1), generator=rng)
    history = History.start(x)
    for _ in range(steps):
        x = rho * x + math.sqrt(1 - rho**2) * torch.randn((chains, 1), generator=rng)
        history = history.append(x)
    return history


@pytest.mark.parametrize("rho", [-0.5, 0.0, 0.5, 0.9, 0.98])
def test_independent_steps_is_the_autocorrelation_time_at_any_thinning(rho: float) -> None:
    # of the coordinate, or of its square, whichever is longer
    wanted = max((1 + rho) / (1 - rho), (1 + rho**2) / (1 - rho**2))
    history = autoregression(rho, 4000, 200)
    assert history.level >= 4
    assert history.steps_to_independence() == pytest.approx(wanted, rel=0.15)


def test_stuck_chains_need_the_run_again() -> None:
    """Chains in two modes that never swap look well mixed one by one, and are not."""
    rng = torch.Generator().manual_seed(1)
    side = torch.where(torch.arange(100) < 50, -5.0, 5.0)[:, None]
    history = History.start(side)
    for _ in range(1000):
        history = history.append(side + torch.randn((100, 1), generator=rng))
    assert history.steps_to_independence() > 300
    assert history.diagnostics()["rhat"] > 3


def test_a_run_too_short_or_diverged_is_as_long_as_it_took() -> None:
    assert History.start(torch.zeros(3, 1)).steps_to_independence() == 1
    assert counted(9).steps_to_independence() == 9
    history = counted(40)
    for _ in range(30):
        history = history.append(torch.full((3, 1), math.nan))
    assert history.steps_to_independence() == 70
    assert all(math.isfinite(v) for v in history.diagnostics().values())


def test_autocorrelation_of_what_never_moves_is_finite() -> None:
    assert autocorrelation_time(torch.ones(20, 5, 2)) == 1.0


def test_split_rhat_is_its_formula() -> None:
    x = torch.randn((40, 6, 2), generator=torch.Generator().manual_seed(2)).cumsum(0)
    a = x.double().numpy()
    wanted = []
    for j in range(2):
        halves = np.concatenate([a[:20, :, j].T, a[20:, :, j].T])  # 12 sequences of 20
        within = np.var(halves, axis=1, ddof=1).mean()
        between = 20 * np.var(halves.mean(axis=1), ddof=1)
        wanted.append(math.sqrt((19 / 20 * within + between / 20) / within))
    assert split_rhat(x) == pytest.approx(max(wanted), rel=1e-9)
    assert math.isnan(split_rhat(x[:3]))


def test_split_rhat_is_one_where_chains_mix() -> None:
    assert autoregression(0.0, 200, 50).diagnostics()["rhat"] == pytest.approx(1.0, abs=0.02)


# ---- saving -------------------------------------------------------------------------------------


@dataclass
class Inner:
    x: Tensor
    notes: dict[str, Any]


@dataclass
class Outer:
    net: nn.Module
    optimiser: torch.optim.Optimizer
    rng: torch.Generator
    inner: Inner
    tail: list[Tensor]
    last: Tensor | None = None


def outer() -> Outer:
    torch.manual_seed(0)
    net = nn.Linear(2, 1)
    optimiser = torch.optim.Adam(net.parameters())
    return Outer(net, optimiser, torch.Generator(), Inner(torch.zeros(2), {}), [])


def work(state: Outer) -> Outer:
    x = torch.randn((8, 2), generator=state.rng)
    loss = state.net(x).square().mean()
    state.optimiser.zero_grad()
    loss.backward()
    state.optimiser.step()
    state.tail.append(x[0])
    state.last, state.inner = loss.detach(), Inner(x[1], {"n": len(state.tail)})
    return state


def test_a_loaded_state_goes_on_as_the_saved_one() -> None:
    with torch.random.fork_rng():
        old = work(work(outer()))
        saved = save(old)
        work(old)  # must not reach into what was saved
        new = load(outer(), saved)
    assert new.inner.notes == {"n": 2} and len(new.tail) == 2
    work(new)
    assert torch.equal(new.net.weight, old.net.weight)
    assert torch.equal(new.last, old.last) and torch.equal(new.tail[-1], old.tail[-1])


def test_what_has_no_plain_form_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot hold a function"):
        save({"f": outer})
