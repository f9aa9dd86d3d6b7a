"""Metrics of a sampler's own law, and what becomes of samplers whose packages are missing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

from bench.commands.parser import main
from bench.conformance.distributions import DISTRIBUTIONS
from bench.core import registry
from bench.core.density import Density
from bench.harness.budget import Budget
from bench.harness.judge import Judge
from bench.harness.loop import JobLoop
from metrics.base import Evidence
from results.records.floors_file import Floors
from results.records.schema import Job
from results.records.store import read
from samplers.base import LogWeights, Sampler, normal

SD, SHIFT, N = 1.3, 0.4, 200_000


def weighed(mass: float = 1.0) -> Evidence:
    """q = N(SHIFT, SD^2) against p~ = e^2 N(0, 1); ``mass`` scales p~ in the weights alone."""
    rng = torch.Generator().manual_seed(1)
    p, q = torch.distributions.Normal(0.0, 1.0), torch.distributions.Normal(SHIFT, SD)

    def log_w(x: Tensor) -> Tensor:
        return 2.0 + math.log(mass) + p.log_prob(x) - q.log_prob(x)

    z = torch.randn((2, N), generator=rng, dtype=torch.float64)
    x = SHIFT + SD * z[0]
    gap = (x - (x - SHIFT) / SD**2).square()
    target = DISTRIBUTIONS["skewed"].declaring(1.0)
    target.log_z = 2.0
    return Evidence(target, None, log_weights=LogWeights(log_w(x), log_w(z[1]), gap=gap))


def reverse_kl() -> float:
    return -math.log(SD) + (SD**2 + SHIFT**2 - 1) / 2


def forward_kl() -> float:
    return math.log(SD) + (1 + SHIFT**2) / (2 * SD**2) - 0.5


def square_weight() -> float:
    """E_q[(w/Z)^2] = int p^2 / q of two normals, in closed form."""
    a = 2 - 1 / SD**2  # p^2 / q is exp(-a x^2/2 - b x + ...)
    b = SHIFT / SD**2
    return SD / math.sqrt(a) * math.exp(b**2 / (2 * a) + SHIFT**2 / (2 * SD**2))


@pytest.mark.parametrize(("name", "truth", "within"), [
    ("elbo", reverse_kl(), 0.01), ("eubo", forward_kl(), 0.01),
    ("ess_reverse", 1 - 1 / square_weight(), 0.01), ("ess_forward", 1 - 1 / square_weight(), 0.01),
    ("fisher_relative", (1 - 1 / SD**2) ** 2 * SD**2 + SHIFT**2, 0.01)])
def test_two_normals_in_closed_form(name: str, truth: float, within: float) -> None:
    metric = registry.load("metrics", name)
    found = metric.estimate(torch.zeros(1, 1), weighed())
    assert found.value == pytest.approx(truth, abs=within)
    if found.se is not None:
        assert abs(found.value - truth) < 4.5 * found.se


def test_log_z_is_found_and_a_lost_half_is_seen() -> None:
    metric = registry.load("metrics", "log_z_error")
    right, half = (metric.estimate(torch.zeros(1, 1), weighed(m)) for m in (1.0, 0.5))
    assert right.value < 4.5 * right.se
    assert half.value == pytest.approx(math.log(2), abs=0.02)
    assert half.parts[0] == pytest.approx(2 - math.log(2), abs=0.02)


def test_one_mode_of_two_leaves_log_2_and_only_forward_measures_see_it() -> None:
    """q is one of two equal far modes: at_draws w = 2 everywhere; half of p has 1/w = 0."""
    evidence = weighed()
    evidence = Evidence(evidence.target, None, log_weights=LogWeights(
        torch.full((1000,), 2 - math.log(2)),
        torch.cat([torch.full((500,), 2 - math.log(2)), torch.full((500,), 800.0)])))
    values = {name: registry.load("metrics", name).estimate(torch.zeros(1, 1), evidence).value
              for name in ("elbo", "eubo", "ess_reverse", "ess_forward")}
    assert values["elbo"] == pytest.approx(math.log(2), abs=1e-6)
    assert values["ess_reverse"] == pytest.approx(0.0, abs=1e-9)
    assert values["eubo"] > 100
    assert values["ess_forward"] == pytest.approx(1.0)


def test_weights_that_are_no_numbers_are_refused() -> None:
    evidence = weighed()
    bad = Evidence(evidence.target, None, log_weights=LogWeights(torch.tensor([0.0, math.nan])))
    with pytest.raises(ValueError, match="not finite"):
        registry.load("metrics", "elbo").estimate(torch.zeros(1, 1), bad)


@dataclass(frozen=True)
class Knowing(Sampler):
    """A normal law that knows its density, and spends rows whenever it is asked."""

    name = "knowing"
    kind = "amortised"
    family = "flow"

    def init(self, target: Density, rng: torch.Generator) -> None:
        target.log_prob(normal(target, (10, target.dim), rng))

    def step(self, target: Density, state: None, progress: float, rng: torch.Generator) -> None:
        target.log_prob(normal(target, (10, target.dim), rng))

    def draw(self, target: Density, state: None, n: int, rng: torch.Generator) -> Tensor:
        return normal(target, (n, target.dim), rng)

    def log_weights(self, target: Density, state: None, n: int, points: Tensor | None,
              rng: torch.Generator) -> LogWeights:
        x = normal(target, (n, target.dim), rng)
        assert points is not None and len(points) == n
        return LogWeights(*(target.log_prob(y) + y.square().sum(1) / 2 + math.log(2 * math.pi)
                          for y in (x, points)))


def test_the_harness_asks_and_nobody_pays() -> None:
    target = registry.load("targets", "gaussian").to("cpu", torch.float32)
    names = ("elbo", "eubo", "log_z_error", "fisher_relative", "mmd")
    judge = Judge(target, "gaussian", {m: registry.load("metrics", m) for m in names}, 0, 100,
                  Floors())
    checkpoints = []
    run = JobLoop(Knowing(), target, "gaussian", Budget("evals", 1000), 0, 100, 50)
    outcome = run.play(lambda at: checkpoints.append(judge.measures("k", at, 50)), (0.5, 1.0))
    assert outcome.train.density == 1000 and outcome.draw.evaluations() == 0
    for measures in checkpoints:  # the density's score is not told, so one metric stays silent
        assert {m.metric for m in measures} == set(names) - {"fisher_relative"}
    final = {m.metric: m for m in checkpoints[-1] if m.stage == "final"}
    assert final["elbo"].n == 100 and final["elbo"].value is not None
    assert final["elbo"].floor_mean is None


PLUGIN = '''
from dataclasses import dataclass
from samplers import Sampler

@dataclass(frozen=True)
class Needy(Sampler):
    """Needs what is not there."""
    name = "needy"
    kind = "amortised"
    family = "flow"
    packages = ("no_such_package",)
    update = citation = limitations = "-"

    def init(self, target, rng):
        import no_such_package  # a plugin file is imported to be read, so not at its top

        return no_such_package.start(target, rng)

    def step(self, target, state, progress, rng):
        return state

    def draw(self, target, state, n, rng):
        return state
'''


def test_a_missing_package_is_listed_and_its_jobs_are_rows(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plugin = tmp_path / "needy.py"
    plugin.write_text(PLUGIN)
    assert main(["list", "samplers", "--plugin", str(plugin)]) == 0
    assert "needs pip install no_such_package" in " ".join(capsys.readouterr().out.split())
    folder, suite = tmp_path / "run", tmp_path / "suite.toml"
    suite.write_text('targets = ["gaussian"]\nsamplers = ["needy", "ula"]\nbaselines = []\n'
                     'seeds = 1\nn = 100\nn_curve = 100\nbudget = "1e4evals"\nmetrics = ["mmd"]\n'
                     'floor_draws = 20\n')
    words = f"run --suite {suite} --plugin {plugin} --out {folder}"
    assert main(words.split()) == 0
    jobs = {r.label: r for r in read(folder)[0] if isinstance(r, Job)}
    assert jobs["needy"].status == "unsupported"
    assert jobs["needy"].reason == "sampler 'needy' needs pip install no_such_package"
    assert jobs["ula"].status == "ok"
    assert "needs pip install no_such_package" in (folder / "report.md").read_text()
