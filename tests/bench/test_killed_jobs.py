"""A job whose process was killed says what is known of its cost: a lower bound, or nothing.

Before, it had made 0 steps and spent nothing.
"""

from __future__ import annotations

import pytest

from results.records.schema import Job
from results.records.store import read
from tests.support.runs import finish

PLUGIN = '''
import os, signal
from tests.support.bad_samplers import Good

class Late(Good):
    """Kills its process once it made some steps."""
    name = "late"
    kind = "one-shot"
    calls = 0
    deadly = 70
    def step(self, target, state, progress, rng):
        type(self).calls += 1
        if self.calls > self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().step(target, state, progress, rng)

class Early(Late):
    """At its first."""
    name = "early"
    deadly = 0
'''
SUITE = """
targets = ["gaussian"]
samplers = ["late", "early"]
baselines = []
metrics = ["ksd"]
seeds = 1
budget = "5000evals"
n = 50
n_curve = 20
checkpoints = 2
floor_draws = 5
"""


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Job]:
    place = tmp_path_factory.mktemp("killed")
    text = PLUGIN.replace("class Late(Good)", "class Late(Good, Sampler)")
    (place / "late.py").write_text("from samplers import Sampler\n" + text)
    (place / "small.toml").write_text(SUITE)
    finish("--suite", str(place / "small.toml"), "--plugin", str(place / "late.py"), "--out",
           str(place / "run"), "--workers", "2")
    return {r.label: r for r in read(place / "run")[0] if isinstance(r, Job)}


def test_what_the_last_checkpoint_said_is_a_lower_bound(jobs: dict[str, Job]) -> None:
    late = jobs["late"]
    assert late.status == "killed" and "SIGKILL" in late.reason
    assert "at least what its last checkpoint says" in late.reason
    assert late.steps == 50 and late.train.score == 2500


def test_before_its_first_checkpoint_nothing_is_known(jobs: dict[str, Job]) -> None:
    assert jobs["early"].status == "killed" and jobs["early"].train.evaluations() == 0
    assert "it had spent nobody knows what" in jobs["early"].reason
