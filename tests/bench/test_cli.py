"""The command line: quick answers, and one clear sentence for every mistake."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.commands.parser import main
from bench.core.entry import KINDS
from bench.core.places import ROOT
from bench.core.registry import catalogue, default_metrics


def bench(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "bench", *words], capture_output=True, text=True,
                          check=False, timeout=120, cwd=cwd)


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["audit", "--help"],
                                   ["compare", "--help"], ["list"], ["show", "drifting"]])
def test_help_list_and_show_import_nothing_heavy(words: list[str]) -> None:
    code = ("import runpy, sys\nsys.argv = ['bench', *" + repr(words) + "]\n"
            "try:\n    runpy.run_module('bench', run_name='__main__')\n"
            "except SystemExit: pass\n"
            "heavy = {'torch', 'numpy', 'pandas', 'scipy', 'ot'} & set(sys.modules)\n"
            "sys.exit(f'imported {heavy}' if heavy else 0)")
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - start < 10  # a hang, not a speed: seconds are not gated here


@pytest.mark.parametrize(("words", "said"), [
    (["run"], "--suite NAME"),
    (["run", "--suite", "toy2dd"], "did you mean 'toy2d'"),
    (["run", "--suite", "toy2d", "--samplers", "malla"], "did you mean 'mala'"),
    (["run", "--suite", "toy2d", "--targets", "bananna"], "did you mean 'banana'"),
    (["run", "--suite", "toy2d", "--budgett", "5s"], "did you mean '--budget'"),
    (["run", "--suite", "toy2d", "--budget=-5s"], "budget '-5s'"),
    (["run", "--suite", "toy2d", "--seeds", "none"], "seeds 'none'"),
    (["run", "--suite", "toy2d", "--device", "tpu"], "device 'tpu'"),
    (["run", "--suite", "toy2d", "--dtype", "int8"], "dtype 'int8'"),
    (["run", "--suite", "toy2d", "--workers", "0"], "workers = 0"),
    (["run", "--suite", "toy2d", "--plugin", "nowhere.py"], "'nowhere.py' does not exist"),
    (["run", "--suite", "toy2d", "--reference", "nope=x.npy"], "no target 'nope'"),
    (["run", "--suite", "nowhere.toml"], "'nowhere.toml' does not exist"),
    (["run", "--resume", "nowhere"], "not the folder of a run"),
    (["run", "--resume", "nowhere", "--suite", "smoke"], "leave out --suite"),
    (["runn"], "invalid choice: 'runn'"),
    (["list", "sampler"], "did you mean 'samplers'"),
    (["show", "drift"], "did you mean 'drifting'"),
    (["report", "nowhere"], "nowhere"),
    (["export", "nowhere", "--to", "x.csv"], "nowhere"),
    (["archive", "nowhere", "--to", "x"], "not the folder of a run"),
    (["compare", "nowhere"], "not the folder of a run"),
    (["audit", "--metric", "kds"], "did you mean 'ksd'"),
    (["audit", "--target", "gm4"], "did you mean 'gmm4'"),
    (["audit", "--n", "many"], "--n"),
    (["audit", "--draws", "0"], "--draws"),
])
def test_a_mistake_is_one_sentence(words: list[str], said: str,
                                   capsys: pytest.CaptureFixture[str],
                                   monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.startswith("error: ") and err.count("\n") == 1
    assert not list(tmp_path.iterdir()), "a refused command leaves nothing behind"


def test_a_foreign_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    assert main(["run", "--suite", "smoke", "--out", str(tmp_path)]) == 2
    assert "not an empty folder" in capsys.readouterr().err
    assert (tmp_path / "thesis.tex").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_folder_is_refused(tmp_path: Path,
                                         capsys: pytest.CaptureFixture[str]) -> None:
    tmp_path.chmod(0o500)
    assert main(["run", "--suite", "smoke", "--out", str(tmp_path / "run")]) == 2
    assert "cannot write" in capsys.readouterr().err


def test_a_folder_below_a_file_is_refused(tmp_path: Path,
                                          capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["run", "--suite", "smoke", "--out", str(tmp_path / "file" / "run")]) == 2
    assert "cannot write" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "said"), [
    ("def broken(:\n", "line 1"),
    ("x = 1\n", "registers nothing"),
    ("from samplers.base import Sampler\nclass A(Sampler):\n    name = 'mala'\n",
     "two samplers are called 'mala'"),
])
def test_a_broken_plugin(tmp_path: Path, text: str, said: str,
                         capsys: pytest.CaptureFixture[str]) -> None:
    plugin = tmp_path / "plugin.py"
    plugin.write_text(text)
    assert main(["list", "--plugin", str(plugin)]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(("body", "said"), [
    ("import nowhere_to_be_found\n", "fails to import: ModuleNotFoundError"),
    ("from targets.base import Target\nclass T(Target):\n    name = 't'\n    dim = 2\n"
     "    scale = 1.0\n    def log_prob(self, x):\n        return x\n", "breaks the contract"),
    ("from targets.base import Target\nclass T(Target):\n    name = 't'\n    dim = 2\n"
     "    scale = -1.0\n    def log_prob(self, x):\n        return x.sum(1)\n", "scale > 0"),
])
def test_a_plugin_that_breaks_the_contract(tmp_path: Path, body: str, said: str,
                                           capsys: pytest.CaptureFixture[str]) -> None:
    plugin = tmp_path / "plugin.py"
    if "class" not in body:
        body += ("from targets.base import Target\nclass T(Target):\n    name = 't'\n    dim = 2\n"
                 "    scale = 1.0\n    def log_prob(self, x):\n        return x.sum(1)\n")
    plugin.write_text(body)
    out = tmp_path / "run"
    assert main(["run", "--suite", "smoke", "--targets", "t", "--plugin", str(plugin),
                 "--out", str(out)]) == 2
    assert said in capsys.readouterr().err
    assert not out.exists()


def test_a_device_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    assert main(["run", "--suite", "smoke", "--device", "cuda:7", "--out", str(out)]) == 2
    assert "device 'cuda:7' is not there" in capsys.readouterr().err
    assert not out.exists()


def test_clashing_package_names_are_told(tmp_path: Path) -> None:
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "__init__.py").write_text("")
    done = subprocess.run(
        [sys.executable, "-m", "bench", "list"], capture_output=True, text=True, check=False,
        cwd="/", env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"})
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: '{tmp_path / 'metrics'}' is found where")
    assert done.stderr.count("\n") == 1


def test_list_as_json_has_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--json"]) == 0
    tables = json.loads(capsys.readouterr().out)
    for kind in KINDS:
        assert {row["name"] for row in tables[kind]} == set(catalogue()[kind])
    only_named = {r["name"] for r in tables["metrics"] if r.get("default") is False}
    assert only_named == set(catalogue()["metrics"]) - set(default_metrics())
    assert {"toy2d", "toy2d-full", "toy2d-gpu", "smoke"} <= {r["name"] for r in tables["suites"]}


@pytest.mark.parametrize("kind", KINDS)
def test_every_entry_is_documented(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    for name, entry in catalogue()[kind].items():
        assert entry.path.stem == name, "one file an entry, called as the entry"
        assert entry.summary and entry.attributes.get("citation"), name
        if kind == "samplers":
            assert entry.attributes.get("update") and entry.attributes.get("limitations"), name
        if kind == "metrics":
            assert entry.attributes.get("insensitive_to") and entry.attributes.get("title"), name
        assert main(["show", name]) == 0
        assert entry.summary in capsys.readouterr().out
