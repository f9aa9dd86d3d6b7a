"""Whatever the user's machine says, a command ends with its documented exit code and a sentence.

Before: a full disk under standard output, an unexpected exception and a missing ``metrics`` ended
with a traceback and 1, the exit code of a regression; ``MPLBACKEND=nonsense`` stopped a report, a
``matplotlibrc`` with ``text.usetex`` changed it; ascii terminals raised UnicodeEncodeError.
"""

from __future__ import annotations

import ast
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.commands.parser import main
from bench.core.exits import printable
from bench.core.places import ROOT
from results.records.schema import Job
from results.records.store import read
from tests.support.report_fake import make

PACKAGES = ("bench", "samplers", "targets", "metrics", "results")
CODE = "import sys\nfrom bench.core.exits import answer\nsys.exit(answer(lambda: {}))"


#: Real runs, and every command of the program: `.ci/run` and `pytest -m slow` hold them.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("runs") / "run", ["ula", "mala", "exact", "initial"],
                ["gmm4"], seeds=2, draws=60, trouble=False)


def start(*words: str | bytes, code: str = "", **more: object) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **more.pop("env", {})}  # type: ignore
    head = ["-c", code] if code else ["-m", "bench"]
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, *head, *words], env=environment,
                            **{**options, **more})  # type: ignore


def done(*words: str | bytes, **more: object) -> tuple[int, str, str]:
    process = start(*words, **more)
    out, err = process.communicate(timeout=120)
    said = (err or b"").decode("utf-8", "replace")
    assert "Traceback" not in said and "Exception ignored" not in said, said
    return process.returncode, (out or b"").decode("utf-8", "replace"), said


# ---- exit codes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("body", "code", "said"), [
    ("0", 0, ""), ("1", 1, ""), ("1 / 0", 3, "a mistake of this program, not yours"),
    ("{}['x']", 3, "KeyError: 'x'"),
    ("open('/nowhere/x')", 2, "the machine refuses '/nowhere/x': No such file"),
    ("__import__('nowhere_at_all')", 2, "the installation is incomplete"),
    ("(_ for _ in ()).throw(MemoryError())", 2, "memory of this machine is exhausted"),
    ("(_ for _ in ()).throw(KeyboardInterrupt())", 130, "stopped"),
    ("sys.exit('a sentence')", 2, "error: a sentence"), ("sys.exit(2)", 2, ""),
    ("print('x', flush=True) or 0", 0, ""),
])
def test_what_ends_a_command_decides_its_exit_code(body: str, code: int, said: str,
                                                   tmp_path: Path) -> None:
    """All of these but the first two ended with 1, which is a regression's."""
    found, _, err = done(code=CODE.format(body), env={"TMPDIR": str(tmp_path)})
    assert (found, err.count("\n")) == (code, bool(said)) and said in err
    kept = list(tmp_path.iterdir())
    assert len(kept) == (code == 3)
    assert all("Traceback" in path.read_text("utf-8") for path in kept)


def test_an_exception_of_a_plugin_is_not_called_ours() -> None:
    code = ("import sys, types\nfrom bench.core.exits import answer\n"
            "m = types.ModuleType('sampler_bench_plugin_mine')\n"
            "exec(compile('def f(): raise KeyError(1)', 'mine.py', 'exec'), m.__dict__)\n"
            "sys.exit(answer(m.f))")
    found, _, err = done(code=code)
    assert found == 2 and "plugin file 'mine.py', line 1, raised KeyError: 1" in err


def test_tools_for_developers_keep_1_for_regressions(tmp_path: Path) -> None:
    from bench.maintain.__main__ import main as maintain

    for words in (["floors", "--targets", "nope"], ["audits", "--targets", "nope"],
                  ["floors", "--targets", "gmm4", "--n", "x"]):
        with pytest.raises(SystemExit) as stop:
            maintain(words)
        assert stop.value.code == 2
    for words in (["acceptance", str(tmp_path)],
                  ["mutations", "--out", str(tmp_path), "--only", "nope"], ["nope"]):
        assert maintain(words) == 2


# ---- output -------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["list", "suites"], ["--help"], ["report"]])
def test_a_full_disk_under_standard_output_is_a_sentence(words: list[str], run: Path) -> None:
    words = [*words, str(run)] if words == ["report"] else words
    with open("/dev/full", "wb") as full:
        found, _, err = done(*words, stdout=full)
    assert found == 2
    assert err == "error: cannot write to standard output: No space left on device\n"


@pytest.mark.parametrize("words", [["list"], ["run", "--help"]])
def test_a_reader_that_leaves_changes_nothing(words: list[str]) -> None:
    """``| head``: the exit code is the command's, and nothing is said at shutdown."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as pipe:
        assert done(*words, stdout=pipe)[::2] == (0, "")


@pytest.mark.parametrize("closed", ["1", "0, 1, 2"])
def test_closed_descriptors_are_not_given_to_the_next_file(closed: str, run: Path,
                                                           tmp_path: Path) -> None:
    to = tmp_path / "x.csv"
    code = (f"import os, sys\nfor n in ({closed},): os.close(n)\n"
            f"sys.argv = ['bench', 'export', {str(run)!r}, '--to', {str(to)!r}]\n"
            "import runpy; runpy.run_module('bench', run_name='__main__')")
    assert done(code=code)[::2] == (0, "") and to.read_text("utf-8").startswith("key,")


def test_a_terminal_that_cannot_show_a_sign_shows_a_likeness(run: Path) -> None:
    found, out, err = done("report", str(run), env={"PYTHONIOENCODING": "ascii"})
    assert (found, err) == (0, "")
    assert "10^4" in out and "~ " in out and "?" not in out and out.isascii()


def test_powers_keep_their_sign_and_their_caret() -> None:
    """10⁻⁴ must not become 10-4."""
    code = CODE.format("print('1.2×10⁻¹² ± 0.1 ≈, a\\u00a0b, \\ud800, 漢') or 0")
    shown = done(code=code, env={"PYTHONIOENCODING": "ascii"})[1]
    assert shown == "1.2x10^-12 +- 0.1 ~, a b, ?, ?\n"


def test_control_characters_are_written_out() -> None:
    assert printable("a\nb\x1b[2J\ud800\u202e ≈") == "a\\nb\\x1b[2J\\ud800\\u202e ≈"


def test_brackets_in_a_docstring_are_text(tmp_path: Path) -> None:
    """``[/x]`` in a docstring was a MarkupError, ``[red]`` vanished."""
    plugin = tmp_path / "mine.py"
    plugin.write_text("from samplers.base import Sampler\nclass A(Sampler):\n"
                      "    '''Draws [red]x[/x] :smile: [0, 1].'''\n    name = 'mine_own'\n")
    found, out, _ = done("list", "samplers", "--plugin", str(plugin), env={"COLUMNS": "200"})
    assert found == 0 and "Draws [red]x[/x] :smile: [0, 1]." in out


# ---- the environment ----------------------------------------------------------------------------


def test_any_environment_gives_the_report(run: Path) -> None:
    found, out, err = done("report", str(run), env={
        "COLUMNS": "²", "LINES": "²", "PYTHONWARNINGS": "error", "PYTHONOPTIMIZE": "2",
        "OMP_NUM_THREADS": "garbage", "TERM": "nonsense", "FORCE_COLOR": "1", "LC_ALL": "C",
        "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONHASHSEED": "7"})
    assert (found, err) == (0, "") and "report.html" in out


DRAW = """
import sys, io
from results.presentation.drawing import Figure, drawn, salted
with drawn(), salted("key"):
    figure = Figure(figsize=(2, 2), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([1, 2, 3], [3, 1, 2])
    axes.set_title("a $b and 10% _c_")
    for kind in ("svg", "png", "pdf"):
        figure.savefig(to := io.BytesIO(), format=kind, metadata={
            {"svg": "Date", "pdf": "CreationDate", "png": "Software"}[kind]: None})
        sys.stdout.buffer.write(to.getvalue())
"""


@pytest.mark.parametrize("text", [
    b"text.usetex: True\nsavefig.bbox: tight\nfont.size: 30\nfont.family: Nowhere\n"
    b"axes.prop_cycle: cycler('color', ['red'])\nsavefig.facecolor: red\nlines.linewidth: 9\n"
    b"savefig.format: pdf\nfigure.autolayout: True\naxes.grid: True\nsavefig.dpi: 30\n",
    b"# caf\xe9\nfont.size: 30\n", b"backend: nowhere\n::: [[[\n\x00"],
    ids=["usetex", "latin-1", "broken"])
def test_figures_are_drawn_under_our_settings_only(text: bytes, tmp_path: Path) -> None:
    """Bitwise: no matplotlibrc and no backend of the user changes a figure, or stops it."""
    hostile = tmp_path / "hostile"
    hostile.mkdir()
    plain = start(code=DRAW, cwd=tmp_path).communicate(timeout=60)
    (hostile / "matplotlibrc").write_bytes(text)
    backend = "module://matplotlib_inline.backend_inline"
    found = start(code=DRAW, cwd=hostile, env={"MPLBACKEND": backend, "MPLCONFIGDIR": str(hostile),
                                               "MATPLOTLIBRC": str(hostile)})
    assert found.communicate(timeout=60) == plain and len(plain[0]) > 9000


def test_settings_of_a_program_that_calls_us_change_no_figure(run: Path) -> None:
    import matplotlib as mpl

    from results.records.run_folder import load
    from results.report.page import render

    plain = render(load(run))
    with mpl.rc_context({"text.usetex": True, "savefig.bbox": "tight", "font.size": 30.0,
                         "axes.grid": True, "savefig.facecolor": "red", "lines.linewidth": 9.0}):
        assert render(load(run)) == plain
        assert mpl.rcParams["text.usetex"], "the caller's settings are its own"


def test_no_home_and_nowhere_to_cache(run: Path) -> None:
    found, out, _ = done("report", str(run), env={"HOME": "/proc/nowhere", "TMPDIR": "/nowhere",
                                                  "XDG_CACHE_HOME": "/proc/nowhere"})
    assert found == 0 and "report.html" in out


def test_a_working_folder_that_was_deleted(run: Path, tmp_path: Path) -> None:
    gone, to = tmp_path / "gone", tmp_path / "x.json"
    gone.mkdir()
    code = (f"import os, sys\nos.rmdir({str(gone)!r})\n"
            f"sys.argv = ['bench', 'export', {str(run)!r}, '--to', {str(to)!r}]\n"
            "import runpy; runpy.run_module('bench', run_name='__main__')")
    assert done(code=code, cwd=gone)[::2] == (0, "") and to.exists()


def test_files_of_the_working_folder_hide_nothing(tmp_path: Path, run: Path) -> None:
    """``python -m bench`` looked there first: tracebacks, and a silent stop with exit code 1."""
    for name in ("torch.py", "numpy.py", "random.py", "rich/__init__.py", "metrics/__init__.py",
                 "samplers/base.py", "results.py", "matplotlib.py", "json.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("import sys\nsys.exit(1)\n")
    found, out, err = done("report", str(run), cwd=tmp_path)
    assert (found, err) == (0, "") and "report.html" in out


SUITE = """
targets = ["gaussian"]
samplers = ["ula"]
baselines = []
metrics = ["mean_error"]
seeds = 2
budget = "2000evals"
n = 60
n_curve = 60
checkpoints = 1
floor_draws = 20
"""


def test_a_run_among_hostile_files_goes_on_when_its_reader_leaves(tmp_path: Path) -> None:
    """A child took the working folder's torch.py for torch; ``| head`` ended the run."""
    for name in ("torch.py", "random.py", "metrics/__init__.py", "samplers.py", "json.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("raise SystemExit(1)\n")
    (tmp_path / "mine.toml").write_text(SUITE)
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as pipe:
        found, _, err = done("run", "--suite", "mine.toml", "--out", "run", "--no-report",
                             stdout=pipe, cwd=tmp_path)
    assert (found, err) == (0, "")
    jobs = [r for r in read(tmp_path / "run")[0] if isinstance(r, Job)]
    assert [job.status for job in jobs] == ["ok", "ok"]


def test_a_file_that_does_hide_a_package_is_named(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("")
    found, _, err = done("report", "x", env={"PYTHONPATH": f"{tmp_path}:{ROOT}"})
    assert found == 2 and err.startswith(f"error: '{tmp_path / 'numpy.py'}' hides the package")


# ---- files --------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["report", "RUN"], ["export", "RUN", "--to", "out.csv"],
                                   ["export", "RUN", "--to", "out.parquet"],
                                   ["archive", "RUN", "--to", "out"]])
def test_a_disk_that_is_full_leaves_no_half_a_file(
        words: list[str], run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    """``export`` left half a file and ``archive`` half a folder."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(run, "RUN", ignore=shutil.ignore_patterns("report.*", "comparison.*"))
    before, usual = sorted(tmp_path.rglob("*")), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, usual[1]))
    try:
        found = main(words)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    err = capsys.readouterr().err
    assert found == 2 and err.startswith("error: cannot write") and err.count("\n") == 1
    assert "File too large" in err
    assert sorted(tmp_path.rglob("*")) == before


def test_names_with_line_breaks_and_strange_bytes(run: Path, tmp_path: Path,
                                                  capsys: pytest.CaptureFixture[str]) -> None:
    """``report`` ended in a UnicodeEncodeError."""
    strange = os.fsencode(tmp_path) + b"/a\nb\xff[red]"
    shutil.copytree(os.fsencode(run), strange)
    assert main(["report", os.fsdecode(strange)]) == 0
    assert "/a\\nb\\udcff[red]/report.html" in capsys.readouterr().out
    assert main(["report", os.fsdecode(strange) + "/no"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_every_file_is_opened_with_its_encoding_said() -> None:
    """Under LC_ALL=C a file without one was read as ascii."""
    kernel = {"machine.py"}  # read /proc, which is ASCII
    silent = []
    for path in (p for name in PACKAGES for p in (ROOT / name).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and _opens_text(node) and path.name not in kernel:
                silent.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not silent


def _opens_text(call: ast.Call) -> bool:
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    words = [a.value for a in call.args if isinstance(a, ast.Constant)]
    if name not in ("open", "read_text", "write_text") or "encoding" in {
            k.arg for k in call.keywords}:
        return False
    of = getattr(call.func.value, "id", "") if isinstance(call.func, ast.Attribute) else ""
    own = of in ("os", "gzip")
    if ".lock" in ast.unparse(call):  # nothing is written to it
        return False
    return not own and not any(isinstance(w, str) and "b" in w for w in words) and not (
        name == "read_text" and call.args)


def test_one_console_and_one_way_to_matplotlib() -> None:
    for path in (p for name in PACKAGES for p in (ROOT / name).rglob("*.py")):
        text = path.read_text("utf-8")
        if path.name != "console.py":
            assert " Console(" not in text, path
        if path.name != "drawing.py":
            assert "import matplotlib" not in text and "from matplotlib" not in text, path
