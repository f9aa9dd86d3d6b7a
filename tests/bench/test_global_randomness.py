"""A seed's numbers are those of the seed, whatever else ran, also where a sampler draws from the
process's global states; and that is said by name.

Before, such a sampler gave other points for seed 1 alone than for seed 1 among three.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.core.seeds import global_stream
from bench.jobs.plan import job_tasks, prepare_tasks
from bench.jobs.spec import DoJobs
from bench.suite.suite import read_suite
from tests.support.hostile import Fair, State, play, spoilt


def through_torch(self: Any, target: Any, state: State, progress: float, rng: Any) -> State:
    noise = torch.distributions.Normal(0.0, 0.3).sample(state.x.shape)
    return State(state.x + 0.05 * target.score(state.x) + noise, state.steps + 1)


def through_numpy(self: Any, target: Any, state: State, progress: float, rng: Any) -> State:
    noise = torch.as_tensor(np.random.normal(size=state.x.shape), dtype=state.x.dtype)
    return State(state.x + 0.05 * target.score(state.x) + 0.3 * noise, state.steps + 1)


def through_python(self: Any, target: Any, state: State, progress: float, rng: Any) -> State:
    return State(state.x + 0.05 * target.score(state.x) + random.gauss(0, 0.3), state.steps + 1)


WAYS = {"torch": through_torch, "numpy": through_numpy, "Python": through_python}


@pytest.mark.parametrize("owner", WAYS)
def test_a_seed_alone_gives_the_points_of_the_seed_among_others(owner: str) -> None:
    sampler = spoilt(step=WAYS[owner])
    among = [play(sampler, seed=seed)[1][-1].points for seed in range(3)]
    np.random.seed(5)
    torch.manual_seed(5)
    random.seed(5)
    outcome, checkpoints, _ = play(sampler, seed=1)
    assert torch.equal(checkpoints[-1].points, among[1])
    assert not torch.equal(among[0], among[1]), "another seed has another stream"
    assert outcome.status == "ok"
    assert outcome.notes == (f"{owner}'s global random state was changed by the sampler or the "
                             "target; draw from the generator handed in",)


def test_looking_changes_nothing_for_them_either() -> None:
    def draw(self: Any, target: Any, state: State, n: int, rng: Any) -> Tensor:
        return state.x[:n] + 0.0 * torch.randn(n, 2)
    def observe(checkpoint: Any) -> None:
        torch.rand(100)
        np.random.rand(100)
    from tests.support.hostile import Bell, Budget, JobLoop

    ends = []
    for fractions in ((1.0,), (0.25, 0.5, 1.0)):
        run = JobLoop(spoilt(step=through_torch, draw=draw), Bell().to("cpu", torch.float32),
                      "bell", Budget("evals", 2000), 1, 60, 30)
        ends.append(run.play(observe, fractions))
    assert torch.equal(ends[0].state.x, ends[1].state.x)
    assert any("changed by a metric" in note for note in ends[1].notes)


def test_the_process_s_own_states_are_put_back() -> None:
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # type: ignore[index,union-attr]
    play(spoilt(step=through_numpy))
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # type: ignore[index]
    assert before[2] == random.getstate()
    with pytest.raises(KeyError), global_stream("x", "y", 0) as drawn_from:
        assert drawn_from() == []
        random.random()
        assert drawn_from() == ["Python"]
        raise KeyError
    assert before[2] == random.getstate()


def test_a_fair_sampler_is_not_touched_by_them() -> None:
    torch.manual_seed(1)
    one = play(Fair())[1][-1].points
    torch.manual_seed(2)
    assert torch.equal(one, play(Fair())[1][-1].points)


PLUGIN = '''
from dataclasses import dataclass
import numpy as np
import torch
from metrics import Metric
from samplers import Sampler, initial_points
from targets import Target

RNG = np.random.default_rng(0)

class Mine(Target):
    """Theirs."""
    name = "mine"
    dim, scale = 2, 1.0
    def log_prob(self, x):
        return -x.square().sum(-1)

@dataclass(frozen=True)
class Own(Sampler):
    """Draws from a generator of its module's."""
    name = "own"
    kind = "continuing"
    family = "mcmc"
    def init(self, target, rng):
        return initial_points(target, 50, rng)
    def step(self, target, state, progress, rng):
        noise = torch.as_tensor(RNG.normal(size=state.shape), dtype=state.dtype)
        return state + .05 * target.score(state) + .3 * noise
    def draw(self, target, state, n, rng):
        return state[:n]
    def independent_steps(self, state):
        return 50, 5.0
'''
SUITE = """
targets = ["gaussian", "mog2", "mine"]
samplers = ["own", "ula"]
baselines = []
metrics = ["ksd"]
seeds = 3
budget = "2000evals"
n = 50
n_curve = 20
checkpoints = 2
floor_draws = 5
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "own.py").write_text(PLUGIN)
    (tmp_path / "small.toml").write_text(SUITE)
    return tmp_path / "small.toml"


def test_users_code_has_a_process_a_seed(suite: Path) -> None:
    """A module's own generator or cache would otherwise leak from seed to seed."""
    read = read_suite(str(suite), suite.with_name("own.py"))
    copied = {t.name for t in job_tasks(read, suite.parent, 1, set())
              if isinstance(t.work, DoJobs) and t.work.copied}
    assert copied == {"own--gaussian", "own--mog2", "ula--mine", "own--mine"}, "ours share one"
    left = {t.name: [job.seed for job in t.jobs]
            for t in job_tasks(read, suite.parent, 1, {"own--gaussian--s1"})}
    assert left["own--gaussian"] == [0, 2] and left["ula--gaussian"] == [0, 1, 2]
    deals = [task.targets for task in prepare_tasks(read, suite.parent, 1)]
    assert deals == [("gaussian", "mog2"), ("mine",)]


@pytest.mark.slow
def test_a_module_s_own_generator_gives_a_seed_its_numbers(suite: Path, tmp_path: Path) -> None:
    from tests.support.runs import finish, numbers

    words = ["--suite", str(suite), "--plugin", str(suite.with_name("own.py")), "--targets",
             "gaussian", "--samplers", "own"]
    finish(*words, "--out", str(tmp_path / "three"))
    finish(*words, "--out", str(tmp_path / "alone"), "--seeds", "1:2")
    three, alone = numbers(tmp_path / "three"), numbers(tmp_path / "alone")
    assert alone and all(three[key] == value for key, value in alone.items())
    assert not [m for m in sys.modules if m.startswith("sampler_bench_plugin_own")]
