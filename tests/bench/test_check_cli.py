"""``baseline``, ``check`` and ``run --check`` as a user meets them: words and exit codes."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.commands.parser import main
from results.records.store import read_header
from results.regression.baseline_file import read
from results.regression.matching import _setting
from tests.support import warm
from tests.support.check_fake import Fake
from tests.support.runs import finish

CELL = ("ula", "ring")
#: A run of five seeds on another draw of the law: no number is the baseline's.
OTHER = {"seeds": range(5), "draw": 1}


@dataclass
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one sentence of a refused command."""
        assert self.code == 2 and not self.out, self.out
        assert self.err.startswith("error: ") and self.err.count("\n") == 1, self.err
        assert "Traceback" not in self.err
        return self.err

    @property
    def findings(self) -> dict[tuple[str, str, str], str]:
        """Verdicts of ``--format json`` by (sampler, target, what)."""
        return {(f["sampler"], f["target"], f["what"]): f["verdict"]
                for f in json.loads(self.out)["findings"]}


Say = Callable[..., Said]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Say:
    monkeypatch.setenv("COLUMNS", "240")

    def run(*words: object) -> Said:
        code = main([str(w) for w in words])
        told = capsys.readouterr()
        return Said(code, told.out, told.err)
    return run


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A baseline of 45 seeds of the made-up law."""
    folder = tmp_path_factory.mktemp("base")
    assert main(["baseline", str(Fake().write(folder / "run")), "--to",
                 str(folder / "base.json")]) == 0
    return folder / "base.json"


@pytest.fixture
def judged(tmp_path: Path, base: Path, say: Say) -> Callable[..., Said]:
    """``check`` of a made-up run against the baseline."""
    def check(*words: object, **changes: Any) -> Said:
        folder = tmp_path / f"run{len(list(tmp_path.iterdir()))}"
        Fake(**{**OTHER, **changes}).write(folder)
        return say("check", folder, "--baseline", base, *words)
    return check


# ---- baseline -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("changes", "words", "said"), [
    ({"seeds": range(39)}, [], "has 39 seeds; run --seeds 45 (at least 40)"),
    ({}, ["--seeds", "39"], "has 39 seeds"),
    ({}, ["--seeds", "100:145"], "has 0 seeds"),
    ({}, ["--seeds", "few"], "seeds 'few' are not understood"),
    ({"lost": 3}, [], "3 of 180 jobs left no record; go on with 'python -m bench run --resume"),
    ({"lost": 180}, [], "180 of 180 jobs left no record"),
    ({"seeds": ()}, [], "holds no finished job"),
])
def test_a_run_that_is_no_baseline(tmp_path: Path, say: Say, changes: dict[str, Any],
                                   words: list[str], said: str) -> None:
    folder, to = Fake(**changes).write(tmp_path / "run"), tmp_path / "base.json"
    assert said in say("baseline", folder, "--to", to, *words).error
    assert [p.name for p in tmp_path.iterdir()] == ["run"], "nothing is left behind"


def test_a_baseline_needs_a_run_and_a_place(tmp_path: Path, say: Say) -> None:
    assert "not the folder of a run" in say("baseline", tmp_path, "--to", tmp_path / "b").error
    folder = Fake().write(tmp_path / "run")
    (tmp_path / "file").write_text("")
    assert "cannot write" in say("baseline", folder, "--to", tmp_path / "file" / "b.json").error
    assert "cannot write" in say("baseline", folder, "--to", folder).error
    assert {p.name for p in tmp_path.iterdir()} == {"run", "file"}, "no half-written file"
    assert "--to" in say("baseline", folder).error


def test_seeds_of_a_longer_run(tmp_path: Path, say: Say) -> None:
    folder = Fake(seeds=range(60)).write(tmp_path / "run")
    said = say("baseline", folder, "--to", tmp_path / "b.json", "--seeds", "0:45")
    assert said.code == 0 and "4 cells, 45 seeds" in said.out
    assert all(c.seeds == tuple(range(45)) for c in read(tmp_path / "b.json").cells)
    # Seeds that the baseline left out are new draws to it, the others its own, bitwise.
    late = Fake(seeds=range(45, 50)).write(tmp_path / "late")
    said = say("check", late, "--baseline", tmp_path / "b.json", "--format", "json")
    assert set(said.findings.values()) == {"stayed"}


def test_a_packed_baseline_judges_alike(tmp_path: Path, say: Say) -> None:
    folder = Fake().write(tmp_path / "run")
    run = Fake(**OTHER, rise={CELL: 6.0}).write(tmp_path / "new")
    for name in ("b.json", "b.json.gz"):
        assert say("baseline", folder, "--to", tmp_path / name).code == 0
    assert (tmp_path / "b.json.gz").stat().st_size < (tmp_path / "b.json").stat().st_size / 2
    plain, packed = (say("check", run, "--baseline", tmp_path / name, "--format", "json")
                     for name in ("b.json", "b.json.gz"))
    assert plain == packed and plain.code == 1


def test_a_baseline_is_the_same_file_twice_and_has_short_lines(base: Path, tmp_path: Path,
                                                              say: Say) -> None:
    say("baseline", Fake().write(tmp_path / "run"), "--to", tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == base.read_bytes()
    lines = base.read_text().splitlines()
    assert max(map(len, lines)) < 1000 and len(lines) > 40, "a diff shows what moved"


# ---- check: what a run comes out as -------------------------------------------------------------


def test_the_same_numbers_are_identical(judged: Callable[..., Said]) -> None:
    said = judged(draw=0)
    assert said.code == 0 and not said.err
    assert "identical" in said.out and "bitwise, 5 seeds" in said.out
    assert "No regression" in said.out and "4 identical" in said.out


@pytest.mark.parametrize("draw", [1, 2, 3])
def test_another_draw_of_the_law_stays(judged: Callable[..., Said], draw: int) -> None:
    said = judged("--format", "json", draw=draw)
    assert said.code == 0 and set(said.findings.values()) <= {"stayed"}
    assert len(said.findings) == 8, "four cells, quality and cost"


def test_a_planted_rise_is_a_regression(judged: Callable[..., Said]) -> None:
    said = judged("--format", "json", rise={CELL: 6.0})
    assert said.code == 1
    worse = {k for k, verdict in said.findings.items() if verdict == "worse"}
    assert worse == {(*CELL, "quality")}
    assert "REGRESSION: ula on ring got worse" in judged(rise={CELL: 6.0}).out


def test_a_rise_in_a_metric_that_is_not_gated_is_none(judged: Callable[..., Said]) -> None:
    assert judged(rise={CELL: 50.0}, rises=("kl_kde",)).code == 0
    assert judged(rise={CELL: 50.0}, rises=("w2",)).code == 1


def test_a_fall_is_better_and_no_regression(judged: Callable[..., Said]) -> None:
    said = judged("--format", "json", rise={CELL: -6.0})
    assert said.code == 0 and said.findings[*CELL, "quality"] == "better"


def test_a_dearer_quality_is_a_regression(judged: Callable[..., Said]) -> None:
    said = judged("--format", "json", slow={CELL: 1.6})
    assert said.code == 1 and said.findings[*CELL, "cost"] == "worse"
    assert said.findings[*CELL, "quality"] == "stayed"


def test_one_new_ending_is_a_regression_alone(judged: Callable[..., Said]) -> None:
    said = judged(draw=0, endings={(*CELL, 3): "diverged"})
    assert said.code == 1
    assert "diverged in 1 of 5 seeds, never in the baseline's 45" in said.out
    assert "3 identical" in said.out


def test_an_ending_the_baseline_knows_is_none(tmp_path: Path, say: Say) -> None:
    old = Fake(endings={(*CELL, 20): "diverged"}).write(tmp_path / "old")
    new = Fake(seeds=range(5), endings={(*CELL, 3): "diverged"}).write(tmp_path / "new")
    say("baseline", old, "--to", tmp_path / "b.json")
    said = say("check", new, "--baseline", tmp_path / "b.json", "--format", "json")
    assert said.code == 0 and said.findings[*CELL, "quality"] == "stayed"


def test_tolerance_is_the_users(judged: Callable[..., Said]) -> None:
    assert judged(rise={CELL: 6.0}).code == 1  # mmd's excess grows by .6, w2's by .9
    assert judged("--tolerance", "2", rise={CELL: 6.0}).code == 0


def test_alpha_is_the_users(judged: Callable[..., Said]) -> None:
    said = judged("--alpha", "1e-6", rise={CELL: 6.0})  # below the least p of 5 against 40
    assert said.code == 2 and "too few seeds" in said.out
    assert judged("--alpha", "1e-6", rise={CELL: 6.0}, seeds=range(100, 108)).code == 1


# ---- check: what cannot be judged ---------------------------------------------------------------


@pytest.mark.parametrize(("changes", "said"), [
    ({"params": {"ula": {"step_size": 0.2}}}, "a setting differs: step_size 0.1 → 0.2"),
    ({"defaults": {"step_size": "0.05"}}, "a setting differs: step_size 0.1 → 0.05"),
    ({"defaults": {"warmup": "3"}}, "a setting differs: warmup absent → 3"),
    ({"target_params": {"temperature": 2.0}}, "target's temperature 1.0 → 2.0"),
    ({"settings": {"budget": "7evals"}}, "a setting differs: budget 100000evals → 7evals"),
    ({"settings": {"n": 500}}, "number of points 1000 → 500"),
    ({"settings": {"dtype": "float64"}}, "dtype float32 → float64"),
    ({"moved": {"ring": 1e-3}}, "the target ring is another density (fingerprint ring0 → ring0.0"),
    ({"scored": {"w2": 0.05}}, "w2 (scores fixed points 0.5 → 0.55 under the same version)"),
    ({"versions": {"mmd": 2}}, "a metric differs: mmd (version 1 → 2)"),
])
def test_what_differs_is_named_and_not_called_worse(judged: Callable[..., Said],
                                                    changes: dict[str, Any], said: str) -> None:
    told = judged(rise={CELL: 9.0}, **changes)
    assert told.code == 2 and not told.err
    line = next(x for x in told.out.splitlines() if x.startswith("cannot be compared"))
    assert "ula on ring" in line and said in line
    assert "COULD NOT BE JUDGED" in told.out and "REGRESSION" not in told.out


def test_an_option_that_came_later_and_is_not_used_is_the_same_setting(
        judged: Callable[..., Said]) -> None:
    assert judged(params={"ula": {"later": None}}).code == 0
    said = judged(params={"ula": {"later": 0}})
    assert said.code == 2 and "a setting differs: later absent → 0" in said.out


@pytest.mark.parametrize(("budget", "said"), [
    ("5 seconds", "a setting differs: compiling False → True"), ("100000 evals", "")])
def test_compiling_matters_where_seconds_do(budget: str, said: str) -> None:
    old, new = (SimpleNamespace(settings=s, made={}) for s in ({}, {"compile": True}))
    cell = SimpleNamespace(settings={"budget": budget})
    assert _setting(old, new, cell, cell) == said


def test_only_what_differs_is_left_out(judged: Callable[..., Said]) -> None:
    said = judged("--format", "json", moved={"ring": 1e-3}).findings
    assert {t for (_, t, _), v in said.items() if v == "not compared"} == {"ring"}
    assert {v for (_, t, _), v in said.items() if t == "banana"} == {"stayed"}
    said = judged("--format", "json", params={"mala": {"step_size": 0.2}}).findings
    assert {s for (s, _, _), v in said.items() if v == "not compared"} == {"mala"}


@pytest.mark.parametrize("changes", [
    {"defaults": {"step_size": "1e-1"}}, {"moved": {"ring": 1e-9}}, {"scored": {"w2": 1e-6}}])
def test_last_bits_and_spellings_are_no_difference(judged: Callable[..., Said],
                                                   changes: dict[str, Any]) -> None:
    assert judged(**changes).code == 0


def test_a_regression_outweighs_what_cannot_be_compared(judged: Callable[..., Said]) -> None:
    said = judged("--format", "json", rise={CELL: 6.0}, moved={"banana": 1.0})
    assert said.code == 1 and "not compared" in said.findings.values()
    said = judged(endings={(*CELL, 0): "failed"}, samplers=("ula",))
    assert said.code == 1 and "missing" in said.out


def test_a_missing_cell_is_open_unless_it_was_not_asked_for(judged: Callable[..., Said]) -> None:
    said = judged(samplers=("ula",))
    assert said.code == 2
    assert "missing: mala on ring, mala on banana: in the baseline, not in the run" in said.out
    assert judged("--samplers", "ula", samplers=("ula",)).code == 0


def test_a_new_cell_is_told_and_harmless(judged: Callable[..., Said]) -> None:
    said = judged(samplers=("ula", "mala", "hmc"))
    assert said.code == 0 and "new: hmc on ring, hmc on banana" in said.out


def test_samplers_and_targets_restrict(judged: Callable[..., Said]) -> None:
    assert judged("--samplers", "mala", rise={CELL: 6.0}).code == 0
    assert judged("--samplers", "mala, ula", rise={CELL: 6.0}).code == 1
    assert judged("--targets", "banana", rise={CELL: 6.0}).code == 0
    said = judged("--targets", "ring", "--samplers", "ula", "--format", "json", rise={CELL: 6.0})
    assert said.code == 1 and {k[:2] for k in said.findings} == {CELL}


def test_too_few_seeds_cannot_be_judged(judged: Callable[..., Said]) -> None:
    said = judged(seeds=range(1), rise={CELL: 9.0})  # least p 1/45, level .01/8
    assert said.code == 2 and "too few seeds: 1 against 44" in said.out and "--seeds" in said.out
    # Two seeds: least p 1/990, twice that for a quality, whose level is split; three: 1/14,190.
    assert "too few seeds: 2 against 43" in judged(seeds=range(2), rise={CELL: 9.0}).out
    assert judged(seeds=range(3), rise={CELL: 9.0}).code == 1


@pytest.mark.parametrize(("words", "said"), [
    (["--samplers", "mal"], "sampler 'mal' is not in the baseline; did you mean 'mala'"),
    (["--targets", "rings"], "target 'rings' is not in the baseline; did you mean 'ring'"),
    (["--alpha", "2"], "alpha = 2"), (["--alpha", "0"], "alpha = 0"),
    (["--alpha", "nan"], "alpha = nan"), (["--alpha", "some"], "'some'"),
    (["--tolerance", "-1"], "tolerance = -1"), (["--tolerance", "nan"], "tolerance = nan"),
    (["--tolerance", "inf"], "tolerance = inf"),
    (["--format", "jsn"], "did you mean 'json'"), (["--formt", "json"], "'--format'"),
])
def test_a_mistake_is_one_sentence(judged: Callable[..., Said], words: list[str],
                                   said: str) -> None:
    assert said in judged(*words).error


def _edited(text: str) -> str:
    """One value of one seed, as a hand would change it."""
    changed = re.sub(r'("w2": \[)0\.\d+', r"\g<1>0.05", text, count=1)
    assert changed != text
    return changed


@pytest.mark.parametrize(("change", "said"), [
    (lambda text: text[:len(text) // 2], "is cut off or no baseline"),
    (lambda text: "", "is cut off or no baseline"),
    (_edited, "was changed since it was frozen"),
    (lambda text: text.replace('"step_size": 0.1', '"step_size": 0.2', 1), "was changed since"),
    (lambda text: re.sub(r',\s*"digest": "\w+"', "", text), "was changed since"),
    (lambda text: text.replace('"v": 2', '"v": 3', 1), "is a baseline of version 3"),
    (lambda text: '{"outcome": "no baseline", "v": 1}', "is no baseline file"),
    (lambda text: "[1, 2]", "is no baseline file"),
    (lambda text: "\x00\ufffd", "is cut off or no baseline"),
])
def test_a_damaged_baseline_is_refused(tmp_path: Path, base: Path, say: Say,
                                       change: Callable[[str], str], said: str) -> None:
    folder = Fake(**OTHER).write(tmp_path / "run")
    (tmp_path / "b.json").write_text(change(base.read_text()))
    error = say("check", folder, "--baseline", tmp_path / "b.json").error
    assert said in error and "freeze" in error


@pytest.mark.parametrize("spoil", [
    lambda data: data[:-20], lambda data: data[:40] + bytes(20) + data[60:], lambda data: b"none"])
def test_a_damaged_packed_baseline_is_refused(tmp_path: Path, base: Path, say: Say,
                                              spoil: Callable[[bytes], bytes]) -> None:
    folder = Fake(**OTHER).write(tmp_path / "run")
    (tmp_path / "b.json.gz").write_bytes(spoil(gzip.compress(base.read_bytes())))
    assert "is cut off or no baseline" in say("check", folder, "--baseline",
                                              tmp_path / "b.json.gz").error


def test_a_baseline_may_be_laid_out_anew(tmp_path: Path, base: Path, say: Say) -> None:
    folder = Fake(seeds=range(5)).write(tmp_path / "run")
    (tmp_path / "b.json").write_text(json.dumps(json.loads(base.read_text()), indent=4))
    assert say("check", folder, "--baseline", tmp_path / "b.json").code == 0


def test_what_is_no_baseline_or_no_run(tmp_path: Path, base: Path, say: Say,
                                       judged: Callable[..., Said]) -> None:
    folder = Fake(**OTHER).write(tmp_path / "run")
    assert "does not exist; freeze one" in say("check", folder, "--baseline", "none.json").error
    assert "no baseline" in say("check", folder, "--baseline", folder).error
    assert "not the folder of a run" in say("check", tmp_path, "--baseline", base).error
    assert "run.json" in say("check", base, "--baseline", base).error
    assert "--baseline" in say("check", folder).error
    assert "the baseline is of suite 'fake', the run of 'toy'" in judged(suite="toy").error
    assert "--resume" in judged(lost=1).error
    assert "nothing to judge" in judged(seeds=()).error


# ---- run --check --------------------------------------------------------------------------------

SUITE = """
targets = ["uneven"]
samplers = [{name = "mine", params = {chains = 50, step_size = 0.1}}]
baselines = []
metrics = ["mean_error", "cov_error", "near"]
seeds = 45
budget = "4000evals"
n = 100
n_curve = 50
checkpoints = 2
floor_draws = 40
"""
PLUGIN = '''
"""A sampler, a target and a metric whose insides a change can move; names stay."""

from dataclasses import dataclass

import numpy as np
import torch

from metrics.base import Estimate, Metric
from samplers.mcmc.ula import Ula, UlaState
from targets.mixtures.gaussian_mixture import Mixture


@dataclass(frozen=True)
class Mine(Ula):
    """Langevin steps with {noise} of the noise."""

    name = "mine"

    def step(self, target, state, progress, rng):
        z = torch.randn(state.x.shape, generator=rng)
        x = state.x + self.step_size * target.score(state.x)
        x = x + {noise} * (2 * self.step_size) ** 0.5 * z
        return UlaState(x, state.history.append(x))


class Uneven(Mixture):
    """Two modes."""

    name = "uneven"

    def __init__(self) -> None:
        super().__init__(np.array([{weight}, 1.0]), np.array([[-2.0, 0.0], [2.0, 0.0]]),
                         np.tile(np.eye(2), (2, 1, 1)), scale=2.0)


@dataclass(frozen=True)
class Near(Metric):
    """How much less of the samples than of the reference lies near the origin."""

    name = "near"
    title = "near the origin"

    def estimate(self, x, evidence):
        mass = [torch.exp(-(p / {width}).square().sum(1)).mean()
                for p in (evidence.first(len(x)), x)]
        return Estimate(float(mass[0] - mass[1]))
'''


def _plugin(folder: Path, noise: float = 1.0, weight: float = 1.0, width: float = 3.0) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "plugin.py"
    path.write_text(PLUGIN.format(noise=noise, weight=weight, width=width))
    return path


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small suite and its baseline of 45 real seeds."""
    folder = tmp_path_factory.mktemp("real")
    (folder / "small.toml").write_text(SUITE)
    finish("--suite", str(folder / "small.toml"), "--out", str(folder / "run"), "--plugin",
           str(_plugin(folder)), "--workers", "1")
    assert main(["baseline", str(folder / "run"), "--to", str(folder / "small.json")]) == 0
    return folder


@pytest.fixture
def checked(real: Path, tmp_path: Path) -> Callable[..., Said]:
    """``run --check`` of the small suite into tmp_path/new."""
    def run(*words: object, plugin: Path | None = None, check: object = None) -> Said:
        told = warm.run(*map(str, (
            "run", "--suite", real / "small.toml", "--out", tmp_path / "new", "--check",
            check or real / "small.json", "--plugin", plugin or real / "plugin.py",
            "--no-report", "--workers", "1", *words)), COLUMNS="240")
        return Said(told.returncode, told.stdout, told.stderr)
    return run


def test_an_unchanged_program_passes(checked: Callable[..., Said], tmp_path: Path) -> None:
    said = checked()
    assert said.code == 0 and "identical: mine on uneven: bitwise, 5 seeds" in said.out
    assert read_header(tmp_path / "new")["suite"]["seed_list"] == [0, 1, 2, 3, 4]
    assert not (tmp_path / "new" / "confirmation").exists()
    files = {s: (tmp_path / "new" / f"check.{s}").read_text() for s in ("md", "xml", "json")}
    assert json.loads(files["json"])["exit_code"] == 0
    assert files["md"].startswith("### No regression") and 'failures="0"' in files["xml"]


def test_a_planted_mistake_is_confirmed_by_fresh_seeds(checked: Callable[..., Said], real: Path,
                                                       tmp_path: Path, say: Say) -> None:
    said = checked(plugin=_plugin(tmp_path / "p", noise=2.0))
    assert said.code == 1 and "running 20 fresh seeds to confirm" in said.out
    assert "REGRESSION: mine on uneven got worse." in said.out
    fresh = read_header(tmp_path / "new" / "confirmation")["suite"]["seed_list"]
    assert len(fresh) == 20 and min(fresh) >= 45, "seeds that neither side has seen"
    kept = json.loads((tmp_path / "new" / "check.json").read_text())
    assert kept["exit_code"] == 1 and kept["confirmed"]
    worse = [f for f in kept["findings"] if f["verdict"] == "worse"]
    assert worse and all(f["again"]["seeds"] == [45, 20] for f in worse)
    again = say("check", tmp_path / "new", "--baseline", real / "small.json", "--format", "json")
    assert again.code == 1 and json.loads(again.out) == kept


@pytest.mark.parametrize(("change", "says", "silent"), [
    ({"weight": 1.2}, "the target uneven is another density", "metric"),
    ({"width": 2.0}, "a metric differs: near (scores fixed points", "target")])
def test_another_weight_or_bandwidth_cannot_be_compared(
        checked: Callable[..., Said], tmp_path: Path, change: dict[str, float], says: str,
        silent: str) -> None:
    said = checked(plugin=_plugin(tmp_path / "p", **change))
    assert said.code == 2 and "REGRESSION" not in said.out
    assert "cannot be compared: mine on uneven: " + says in said.out
    findings = json.loads((tmp_path / "new" / "check.json").read_text())["findings"]
    assert [f["verdict"] for f in findings] == ["not compared"]
    assert findings[0]["reason"].startswith(says) and silent not in findings[0]["reason"]
    assert not (tmp_path / "new" / "confirmation").exists()


@pytest.mark.parametrize(("words", "said"), [
    (["--budget", "4001evals"], "budget = 4000evals, the run would have 4001evals"),
    (["--n", "80"], "n = 100, the run would have 80"),
    (["--dtype", "float64"], "dtype = float32"),
    (["--alpha", "3"], "alpha = 3"),
    (["--tolerance", "-1"], "tolerance = -1"),
    (["--samplers", "mine,svgd"], "svgd"),
    (["--targets", "banana"], "banana"),
])
def test_what_could_not_be_judged_is_refused_first(checked: Callable[..., Said], tmp_path: Path,
                                                   words: list[str], said: str) -> None:
    assert said in checked(*words).error
    assert not (tmp_path / "new").exists(), "nothing ran"


def test_a_baseline_that_is_none_is_refused_first(checked: Callable[..., Said], tmp_path: Path,
                                                  base: Path, real: Path) -> None:
    (tmp_path / "cut.json").write_text((real / "small.json").read_text()[:500])
    for file, said in ((base, "suite 'fake', not of 'small'"), ("none.json", "does not exist"),
                       (tmp_path / "cut.json", "cut off")):
        assert said in checked(check=file).error
        assert not (tmp_path / "new").exists(), "nothing ran"
