"""What a run's numbers come from is hashed, compared on --resume, named, and reported as mixed.

Before, a plugin or a reference edited between run and resume, or another torch, was mixed in
without a word.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.core.plugins import import_plugin
from bench.jobs.plan import header
from bench.jobs.provenance import allowed, changes, provenance
from bench.suite.suite import Suite, read_suite
from results.comparison.compatibility import unequal
from results.presentation.run_words import mixture
from results.records.frames import Scores
from results.records.run_folder import load
from results.regression.tables import explained
from results.regression.verdicts import check
from results.report.sections.summary import facts
from results.report.sentences import warnings
from tests.support import warm
from tests.support.check_fake import cell, snapshot

PLUGIN = '''
from pathlib import Path
import torch
import numpy as np
import helper
from pack import part
from samplers import Sampler

HERE = Path(__file__).parent
SHIFT = np.loadtxt(HERE / "shift.csv")
CHAINS = [np.load(HERE / f"chain_{i}.npy") for i in range(2)]
BESIDE = np.load(Path(__file__).with_suffix(".npy"))

class Mine(Sampler):
    """Normal draws."""
    name = "mine"
    kind = "amortised"
    family = "flow"
    def init(self, target, rng):
        return None
    def step(self, target, state, progress, rng):
        target.log_prob(torch.zeros(100, target.dim))
        return None
    def draw(self, target, state, n, rng):
        return helper.draw(n, target.dim, rng)
'''
HELPER = "import torch\ndef draw(n, dim, rng):\n    return torch.randn(n, dim, generator=rng)\n"
SUITE = """
targets = ["gaussian"]
samplers = ["mine"]
baselines = []
metrics = ["mmd"]
seeds = 2
budget = "2000evals"
n = 60
n_curve = 30
checkpoints = 1
floor_draws = 10
"""


def written(folder: Path) -> Path:
    (folder / "pack").mkdir(parents=True)
    (folder / "pack" / "__init__.py").write_text("")
    (folder / "pack" / "part.py").write_text("from . import deeper\n")
    (folder / "pack" / "deeper.py").write_text("x = 1\n")
    (folder / "helper.py").write_text(HELPER)
    (folder / "mine.py").write_text(PLUGIN)
    (folder / "mine.toml").write_text(SUITE)
    (folder / "shift.csv").write_text("1 2\n")
    (folder / "notes.txt").write_text("a note of the user's\n")
    for name in ("chain_0", "chain_1", "mine"):
        np.save(folder / f"{name}.npy", np.zeros((2, 2)))
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The user's folder; its plugin is imported here, which spares a process that reads it."""
    folder = written(tmp_path / "home")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(folder)
    import_plugin(folder / "mine.py")
    yield folder
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(folder)):
            del sys.modules[name]


def suite_of(home: Path, **more: Any) -> Suite:  # noqa: ANN401
    return dataclasses.replace(read_suite(str(home / "mine.toml"), home / "mine.py"), **more)


@pytest.mark.parametrize("name", ["mine.py", "helper.py", "pack/part.py", "pack/deeper.py",
                                  "pack/__init__.py", "shift.csv", "chain_1.npy", "mine.npy"])
def test_each_file_that_a_plugin_reaches_is_hashed(home: Path, name: str) -> None:
    suite = suite_of(home)
    head = json.loads(json.dumps(header(suite, "")))
    assert changes(head, provenance(suite)) == []
    path = home / name
    path.write_bytes(path.read_bytes() + b"\n")
    found = changes(head, provenance(suite))
    assert len(found) == 1 and str(path) in found[0], found
    path.unlink()
    assert str(path) in "; ".join(changes(head, provenance(suite)))


def test_what_it_does_not_reach_is_free(home: Path) -> None:
    suite = suite_of(home)
    head = json.loads(json.dumps(header(suite, "")))
    (home / "notes.txt").write_text("another note\n")
    (home / "new.py").write_text("x = 1\n")
    assert changes(head, provenance(suite)) == []


def test_a_reference_is_hashed(home: Path) -> None:
    path = home / "chain.npy"
    np.save(path, np.zeros((3, 2)))
    suite = suite_of(home, references={"gaussian": str(path)})
    head = json.loads(json.dumps(header(suite, "")))
    np.save(path, np.ones((3, 2)))
    assert "reference of gaussian" in "; ".join(changes(head, provenance(suite)))


@pytest.mark.parametrize(("where", "key", "said"), [
    ("versions", "torch", "package torch has changed (0.1 → "), ("versions", "python", "python"),
    ("machine", "cpu", "processor has changed (0.1 → "), ("machine", "platform", "system"),
    ("machine", "gpu", "GPU has changed")])
def test_packages_and_the_machine_are_compared(home: Path, where: str, key: str,
                                               said: str) -> None:
    suite = suite_of(home)
    head = json.loads(json.dumps(header(suite, "")))
    head[where][key] = "0.1"
    assert said in "; ".join(changes(head, provenance(suite)))


def test_what_moves_no_number_is_not_compared(home: Path) -> None:
    suite = suite_of(home)
    head = json.loads(json.dumps(header(suite, "")))
    head["versions"] |= {"matplotlib": "0", "pandas": "0"}
    head["machine"]["cores"] = 0
    platform = head["machine"]["platform"]
    release, _, rest = platform.partition("-x86_64")
    if rest:
        head["machine"]["platform"] = f"Linux-0.0.1-generic-x86_64{rest}"
    assert changes(head, provenance(suite)) == []


def test_an_allowed_change_is_the_new_state(home: Path) -> None:
    suite = suite_of(home)
    head = json.loads(json.dumps(header(suite, "")))
    (home / "helper.py").write_text(HELPER + "\n")
    now = provenance(suite)
    mixed = json.loads(json.dumps(allowed(head, now, changes(head, now))))
    assert changes(mixed, provenance(suite)) == []
    assert "helper.py has changed" in mixture(mixed)
    (home / "helper.py").write_text(HELPER)
    assert len(changes(mixed, provenance(suite))) == 1, "back is a change too"


def test_a_header_of_an_earlier_version_is_compared_as_far_as_it_goes(home: Path) -> None:
    suite = suite_of(home)
    head = json.loads(json.dumps(header(suite, "")))
    del head["inputs"]
    assert changes(head, provenance(suite)) == []
    head["code"] = "other"
    assert changes(head, provenance(suite)) == ["the code has changed"]


def run_in(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return warm.run("run", *words, "--no-report", cwd=home)


def test_resume_refuses_and_the_report_says_mixed(home: Path) -> None:
    run = home / "run"
    done = run_in(home, "--suite", "mine.toml", "--plugin", "mine.py", "--out", str(run))
    assert done.returncode == 0, done.stderr
    (run / "records.jsonl").write_bytes(b"")
    (home / "helper.py").write_text(HELPER.replace("return ", "return 2 * "))
    done = run_in(home, "--resume", str(run))
    assert done.returncode == 2 and "helper.py has changed" in done.stderr
    assert done.stderr.count("\n") == 1 and "--allow-changed-code" in done.stderr
    assert run_in(home, "--resume", str(run), "--allow-changed-code").returncode == 0
    assert run_in(home, "--resume", str(run)).returncode == 0
    made = load(run)
    assert len(made.header["changes"]) == 1 and len(made.jobs) == 2
    scores = Scores(made)
    assert any("This run is mixed" in w and "helper.py" in w for w in warnings(scores))
    assert "helper.py" in dict(facts(made))["Mixed"]
    assert any("is mixed" in w for w in unequal([scores]))


def test_a_check_says_that_a_side_is_mixed() -> None:
    made = {"changes": [{"when": "now", "what": ["helper.py has changed"]}]}
    seeds = np.random.default_rng(0).random(40)
    old = snapshot(cell({"mmd": seeds, "w2": seeds}))
    new = dataclasses.replace(old, made={**old.made, **made})
    assert explained(check(old, old)) == []
    assert explained(check(old, new)) == [
        "The run is mixed: resumed at now although helper.py has changed."]
