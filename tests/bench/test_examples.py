"""What README.md and docs/adding.md print works as printed, in one small run; and so does NumPy.

Before, README's target was not seen (its name stood in a tuple), the documented sampler drew
without its generator and gave a view of its state, constructor arguments were refused, and a
density without gradient was refused whatever sampler was asked for.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

from bench.commands.parser import main
from bench.core.density import NoGradient
from bench.core.errors import UserError
from bench.core.places import ROOT
from bench.core.registry import catalogue, load
from bench.harness.meter import Ledger, MeteredTarget
from results.records.schema import Job, Measure
from results.records.store import read
from tests.support import sampler_cases as kit
from tests.support.runs import finish

NUMPY = '''
import numpy as np
from samplers import Sampler

class Plain(Target):
    """A bell computed by NumPy, with exact samples."""

    name = "plain"
    dim = 2
    scale = 1.0
    has_reference = True

    def log_prob(self, x):
        return torch.from_numpy(-np.square(x.numpy()).sum(1) / 2)

    def sample(self, n, rng):
        return torch.randn((n, 2), generator=rng, dtype=self.dtype)
'''
SUITE = """
targets = ["ring", {name = "rate", params = {shape = 5.0}}, "plain"]
samplers = ["tamed", "mh"]
baselines = []
metrics = ["mmd", "ksd", "energy_w1"]
seeds = 1
budget = "4000evals"
n = 60
n_curve = 60
checkpoints = 1
floor_draws = 20
"""
NEED_NONE = {"mh", "nested", "ais", "smc", "fab"}


def blocks(page: str) -> list[str]:
    """Those that are written to a file: they begin with its name."""
    return re.findall(r"```python\n(# \w+\.py\n.*?)```", (ROOT / page).read_text(encoding="utf-8"),
                      re.DOTALL)


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("examples") / "printed.py"
    path.write_text("\n".join([*blocks("README.md"), *blocks("docs/adding.md"), NUMPY]))
    return path


@pytest.fixture(scope="module")
def folder(plugin: Path) -> Path:
    suite, out = plugin.with_name("tiny.toml"), plugin.with_name("run")
    suite.write_text(SUITE)
    finish("--suite", str(suite), "--plugin", str(plugin), "--out", str(out))
    return out


def jobs(folder: Path) -> dict[tuple[str, str], Job]:
    return {(r.label, r.target): r for r in read(folder)[0] if isinstance(r, Job)}


@pytest.mark.parametrize("target", ["ring", "rate", "plain"])
def test_what_is_printed_runs(folder: Path, target: str) -> None:
    assert jobs(folder)["mh", target].status == "ok"
    if target != "plain":
        assert jobs(folder)["tamed", target].status == "ok"


def test_a_sampler_that_wants_a_gradient_is_unsupported_where_there_is_none(folder: Path) -> None:
    job = jobs(folder)["tamed", "plain"]
    assert job.status == "unsupported"
    assert "the target gives no gradient" in job.reason


@pytest.mark.parametrize("name", [n for n, e in sorted(catalogue()["samplers"].items())
                                  if e.attributes["kind"] != "baseline"])
def test_every_sampler_runs_without_a_gradient_or_says_that_it_needs_one(
        name: str, plugin: Path) -> None:
    """A backward pass through log_prob says it too; sbtm first fits a network for 200 steps."""
    target = load("targets", "plain", plugin).to("cpu", torch.float32)
    trial = kit.trial(name)
    trial.target = MeteredTarget(target, Ledger(target.device))
    try:
        trial.state = trial.sampler.init(trial.target, trial.rng)
        x = trial.run(220 if name.startswith("sbtm") else 12).draw(20)
    except NoGradient as error:
        assert "the target gives no gradient" in str(error)
    else:
        assert name in NEED_NONE and bool(torch.isfinite(x).all())


def test_metrics_that_need_no_gradient_are_there(folder: Path) -> None:
    found = {r.metric for r in read(folder)[0] if isinstance(r, Measure) and "plain" in r.key
             and r.value is not None and r.p is not None}
    assert found == {"mmd", "energy_w1"}
    facts = json.loads((folder / "run.json").read_text())["targets"]
    assert facts["plain"]["has_score"] is False and facts["ring"]["has_score"] is True
    assert (folder / "density" / "plain.npz").exists()


def test_constructor_arguments_are_parameters(plugin: Path) -> None:
    assert catalogue(plugin)["targets"]["rate"].parameters == {"shape": ("float", "3.0")}
    u = torch.linspace(-6, 4, 4001, dtype=torch.float64)[:, None]
    density = load("targets", "rate", plugin, shape=5.0).log_prob(u).exp()
    mean = float((density * u[:, 0].exp()).sum() / density.sum())
    assert mean == pytest.approx(5.0, abs=1e-3)
    with pytest.raises(UserError, match="no parameter 'shap'; did you mean 'shape'"):
        load("targets", "rate", plugin, shap=5.0)


@pytest.mark.parametrize("name", ["tamed", "ring", "rate"])
def test_what_is_printed_keeps_the_laws(name: str, plugin: Path,
                                        capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["test", name, "--plugin", str(plugin)])
    assert code == 0, capsys.readouterr().out
