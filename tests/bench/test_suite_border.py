"""What a user may write in a suite, a plugin or on the command line: read, or refused in a line.

Before, ``seeds = 1000000000`` took all memory, ``wall_limit = nan``, ``--n 0`` and an empty
``--samplers`` were ignored, ``targets = []`` ran nothing, a byte-order mark or a wrong type gave a
traceback.
"""

from __future__ import annotations

from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from bench.commands.parser import main
from bench.core.errors import UserError
from bench.core.registry import load
from bench.suite.schema import KEYS
from bench.suite.suite import Suite, read_suite

GOOD = {"targets": '["gaussian"]', "samplers": '["mala"]', "budget": '"1s"'}


def written(folder: Path, **keys: str) -> Path:
    path = folder / "mine.toml"
    path.write_text("".join(f"{k} = {v}\n" for k, v in {**GOOD, **keys}.items()))
    return path


@pytest.mark.parametrize(("key", "value"), [
    ("seeds", "1000000000"), ("seeds", '"0:999999999"'), ("seeds", '"2000000000:2000000001"'),
    ("seeds", "-1"), ("seeds", '""'), ("seeds", "1.5"), ("seeds", "1979-05-27"),
    ("n", "0"), ("n", "-5"), ("n", "10000000000000"), ("n", "true"), ("n", "100.0"),
    ("n_curve", "0"), ("n_curve", "9"),
    ("wall_limit", "nan"), ("wall_limit", "inf"), ("wall_limit", "-1"), ("wall_limit", "true"),
    ("ladder_cap", "nan"), ("ladder_cap", "-0.1"), ("ladder_cap", "inf"),
    ("floor_draws", "0"), ("floor_draws", "-5"), ("floor_draws", "10000000000"),
    ("checkpoints", "[nan]"), ("checkpoints", "[]"), ("checkpoints", "[true, 1]"),
    ("checkpoints", "1000000000"), ("checkpoints", '["1"]'), ("checkpoints", "[[1]]"),
    ("budget", '""'), ("budget", '"nans"'), ("budget", '"infs"'), ("budget", '"1e999s"'),
    ("budget", "5"), ("budget", '"0s"'), ("budget", "1979-05-27T07:32:00Z"),
    ("device", '""'), ("device", '"cuda:"'), ("device", '"cuda:99999999999999999999"'),
    ("dtype", '""'), ("dtype", '"float16"'), ("compile", "1"), ("description", "3"),
    ("targets", "[]"), ("samplers", "[]"), ("metrics", "[]"), ("targets", '"gaussian"'),
    ("targets", "[3]"), ("samplers", "[[]]"), ("metrics", "[{}]"), ("samplers", "[1979-05-27]"),
    ("samplers", "[{name = 3}]"), ("samplers", '[{name = "mala", label = 3}]'),
    ("samplers", '[{name = ["mala"]}]'), ("samplers", '[{name = "mala", params = 3}]'),
    ("samplers", '[{name = "mala", params = ["chains"]}]'),
    ("samplers", '[{name = "mala", params = {chains = 1979-05-27}}]'),
    ("samplers", '[{name = "mala", params = {chains = nan}}]'),
    ("samplers", '[{name = "mala", params = {chains = [1, inf]}}]'),
    ("samplers", '[{name = "mala", budget = 5}]'), ("samplers", '[{name = "mala", budget = ""}]'),
    ("samplers", '[{name = "mala", budget = false}]'),
    ("targets", '[{name = "gaussian", scale = true}]'),
    ("targets", '[{name = "gaussian", scale = inf}]'),
    ("targets", '[{name = "gaussian", temperature = nan}]'),
    ("targets", '[{name = "gaussian", temperature = "1"}]'),
    ("published", "[3]"), ("published", "[[]]"), ("preset", "{mala = 3}"), ("preset", '""'),
    ("preset", "{mala = {chains = nan}}"), ("preset", "{nobody = {}}"), ("preset", "3"),
    ("baselines", '["exact", "exact"]'), ("baselines", "3")])
def test_a_hostile_value_is_refused_with_its_place(tmp_path: Path, key: str, value: str) -> None:
    path = written(tmp_path, **{key: value})
    line = next(i for i, text in enumerate(path.read_text().splitlines(), 1)
                if text.startswith(f"{key} ="))
    with pytest.raises(UserError) as told:
        read_suite(str(path))
    assert str(told.value).startswith(f"{path}, line {line}: "), told.value
    named = key in ("targets", "samplers", "baselines", "published", "preset")  # an item is
    assert named or key in str(told.value)
    assert "\n" not in str(told.value)


def test_what_is_unusual_and_right_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, baselines="[]", seeds="10000", wall_limit="0.5", checkpoints="1")
    suite = read_suite(str(path))
    assert [s.label for s in suite.samplers] == ["mala"] and len(suite.seeds) == 10_000
    assert read_suite(str(path), only_samplers=" mala , mala ,hmc").samplers[0].name == "mala"


VALUES = st.recursive(
    st.sampled_from(["0", "-1", "1", "5", "1e300", "nan", "inf", "true", '""', '"mala"', '"exact"',
                     '"1s"', '"a--b"', "1979-05-27", '"\\u0000"', '"é"', "07:32:00", "9" * 30,
                     '"' + "x" * 300 + '"']),
    lambda inner: st.lists(inner, max_size=3).map(lambda x: "[" + ", ".join(x) + "]")
    | st.dictionaries(st.sampled_from(["name", "label", "params", "budget", "scale", "mala", "n",
                                       "temperature", "chains"]), inner, max_size=3)
    .map(lambda x: "{" + ", ".join(f"{k} = {v}" for k, v in x.items()) + "}"), max_leaves=6)


@given(st.dictionaries(st.sampled_from(sorted(KEYS)), VALUES, min_size=1, max_size=3))
@settings(max_examples=300, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_suite_gives_anything_but_a_suite_or_a_sentence(tmp_path: Path,
                                                          keys: dict[str, str]) -> None:
    try:
        assert isinstance(read_suite(str(written(tmp_path, **keys))), Suite)
    except UserError as error:
        assert str(error) and len(str(error)) < 2000


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_give_anything_but_a_sentence(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(data)
    with pytest.raises(UserError):
        read_suite(str(path))


def test_byte_order_marks_and_line_ends(tmp_path: Path) -> None:
    path = written(tmp_path)
    text = path.read_text().replace("\n", "\r\n")
    path.write_bytes(text.encode("utf-8-sig"))
    assert read_suite(str(path)).samplers
    path.write_bytes((text + "n = 0\r\n").encode("utf-8-sig"))
    with pytest.raises(UserError, match="line 4: "):
        read_suite(str(path))
    for coding in ("utf-16", "latin-1"):
        path.write_bytes(('description = "é"\n' + text).encode(coding))
        with pytest.raises(UserError, match="is not UTF-8 text; save it as UTF-8"):
            read_suite(str(path))
    path.write_text("x = " + "[" * 100_000)
    with pytest.raises(UserError, match="is not a suite"):
        read_suite(str(path))


PLUGIN = '''from targets import Target
class Mine(Target):
    """Größe."""
    name = "mine"
    dim = 2
    scale = 1.0
    def log_prob(self, x):
        return -x.square().sum(1) / 2
'''


@pytest.mark.parametrize(("first", "coding"), [
    ("", "utf-8"), ("", "utf-8-sig"), ("# -*- coding: latin-1 -*-\n", "latin-1"),
    ("# vim: set fileencoding=cp1252 :\n", "cp1252")])
def test_a_plugin_is_read_in_the_coding_it_names(tmp_path: Path, first: str, coding: str) -> None:
    plugin = tmp_path / f"coded_{coding.replace('-', '_')}_{len(first)}.py"
    plugin.write_bytes((first + PLUGIN).replace("\n", "\r\n").encode(coding))
    target = load("targets", "mine", plugin)
    assert target.__doc__ == "Größe." and target.dim == 2


@pytest.mark.parametrize("data", [
    PLUGIN.encode("utf-16"), PLUGIN.encode("latin-1"), b"# coding: klingon\n" + PLUGIN.encode(),
    b"\x00", b"x = " + b"(" * 5000, b"", b"import sys\nsys.exit()\n"])
def test_a_plugin_that_cannot_be_read_is_refused(tmp_path: Path, data: bytes) -> None:
    plugin = tmp_path / "mine.py"
    plugin.write_bytes(data)
    with pytest.raises(UserError, match="plugin file '.*mine.py'") as told:
        load("targets", "mine", plugin)
    assert "\n" not in str(told.value)


def test_values_that_are_not_plain_are_no_attributes(tmp_path: Path) -> None:
    plugin = tmp_path / "odd.py"
    plugin.write_text(PLUGIN + "    odd = {1: object()}\n    more = float('nan')\n")
    assert "mine" in {t.name for t in read_suite(str(written(tmp_path)), plugin,
                                                 only_targets="mine").targets}


@pytest.mark.parametrize(("words", "said"), [
    (["--n", "0"], "n must be"), (["--n", "-5"], "n must be"), (["--n", "5"], "n_curve"),
    (["--n", "99999999999"], "n must be"), (["--n", "nan"], "--n"), (["--n", ""], "--n"),
    (["--samplers", ""], "--samplers '' names nothing"),
    (["--samplers", "mala,,hmc"], "names an empty one"), (["--samplers", " "], "names nothing"),
    (["--targets", ","], "--targets ','"), (["--targets", ""], "names nothing"),
    (["--seeds", ""], "seeds ''"), (["--seeds", "0:999999999"], "'0:999999999' are too many"),
    (["--seeds", "nan"], "seeds 'nan'"), (["--seeds", "5:2"], "are none"),
    (["--seeds", "1:2:3"], "not understood"), (["--seeds", "1000000000"], "too many"),
    (["--budget", ""], "budget ''"), (["--budget", "nan"], "budget 'nan'"),
    (["--budget", "1e400s"], "budget '1e400s'"), (["--budget=-1s"], "budget '-1s'"),
    (["--device", ""], "device ''"), (["--device", "cuda:x"], "device 'cuda:x'"),
    (["--dtype", ""], "dtype ''"), (["--workers", "0"], "workers = 0"),
    (["--workers", "-1"], "workers = -1"), (["--workers", "nan"], "--workers"),
    (["--plugin", ""], "plugin file ''"), (["--plugin", "."], "plugin file '.'"),
    (["--reference", "gaussian"], "write TARGET=FILE.npy"),
    (["--reference", "nobody=x.npy"], "no target 'nobody'"),
    (["--reference", "gaussian=."], "does not exist"), (["--reference", "="], "no target ''"),
    (["--alpha", "nan", "--check", "x.json"], "x.json"), (["--check", ""], "baseline"),
    (["--resume", ""], "leave out"), (["--samplers", "x" * 300], "unknown sampler")])
def test_a_hostile_option_is_refused_and_nothing_is_left(
        tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    out = ["--out", str(tmp_path / "run")] if "--resume" not in words else []
    assert main(["run", "--suite", str(written(tmp_path)), *out, *words]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ") and told.count("\n") == 1 and said in told
    assert not (tmp_path / "run").exists()


def test_an_empty_folder_is_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--suite", str(written(tmp_path)), "--out", ""]) == 2
    assert "out = '' names no folder" in capsys.readouterr().err
    assert main(["run", "--resume", ""]) == 2
    assert main(["run", "--resume", str(tmp_path), "--samplers", "", "--n", "0"]) == 2
    assert "leave out --samplers, --n" in capsys.readouterr().err


POINTS = np.zeros((4, 2))
REFERENCES = {"integers": POINTS.astype(int), "complex": POINTS.astype(complex),
              "text": np.array([["a"]]), "flat": POINTS[0], "empty": POINTS[:0],
              "pickled": np.array([[None]], dtype=object), "scalar": np.array(1.0)}


@pytest.mark.parametrize("name", [*REFERENCES, "archive", "nothing", "garbage"])
def test_a_reference_that_is_no_array_of_points(tmp_path: Path, name: str,
                                                capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "reference.npy"
    if name in REFERENCES:
        np.save(path, REFERENCES[name], allow_pickle=True)
    elif name == "archive":
        with open(path, "wb") as file:
            np.savez(file, points=POINTS)
    else:
        path.write_bytes(b"" if name == "nothing" else b"\x93NUMPY\x01\x00garbage")
    suite = str(written(tmp_path))
    pair = f"gaussian={path}"
    assert main(["run", "--suite", suite, "--out", str(tmp_path / "run"),
                 "--reference", pair]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "numpy.save" in told and str(path) in told
    np.save(path, POINTS)
    assert main(["run", "--suite", suite, "--out", str(tmp_path / "run"),
                 "--reference", pair, "--reference", pair]) == 2
    assert "has a reference already" in capsys.readouterr().err
