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

from bench.registry import ROOT
from results.command import printable
from tests.report_fake import make

PACKAGES = ("bench", "samplers", "targets", "metrics", "results")
CODE = "import sys\nfrom results.command import answer\nsys.exit(answer(lambda: {}))"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("runs") / "run", ["ula", "mala", "exact", "prior"],
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
    code = ("import sys, types\nfrom results.command import answer\n"
            "m = types.ModuleType('sampler_bench_plugin_mine')\n"
            "exec(compile('def f(): raise KeyError(1)', 'mine.py', 'exec'), m.__dict__)\n"
            "sys.exit(answer(m.f))")
    found, _, err = done(code=code)
    assert found == 2 and "plugin file 'mine.py', line 1, raised KeyError: 1" in err


def test_tools_for_developers_keep_1_for_regressions(tmp_path: Path) -> None:
    for words in (["metrics.floors", "--targets", "nope"], ["metrics.audit", "--targets", "nope"],
                  ["metrics.floors", "--targets", "gmm4", "--n", "x"],
                  ["targets.references", "--targets", "nope"], ["results.bars", "nowhere"],
                  ["bench.drills", "--out", str(tmp_path), "--only", "nope"]):
        found, _, err = done(*words[1:], code=f"import runpy, sys\nsys.argv[0] = 'x'\n"
                             f"runpy.run_module({words[0]!r}, run_name='__main__')")
        assert found == 2, (words, err)


# ---- output -------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["list", "samplers"], ["show", "ula"], ["--help"], ["report"]])
def test_a_full_disk_under_standard_output_is_a_sentence(words: list[str], run: Path) -> None:
    words = [*words, str(run)] if words == ["report"] else words
    with open("/dev/full", "wb") as full:
        found, _, err = done(*words, stdout=full)
    assert found == 2 and err == "error: cannot write to standard output: No space left on device\n"


@pytest.mark.parametrize("words", [["list"], ["show", "drifting"], ["run", "--help"], ["report"]])
def test_a_reader_that_leaves_changes_nothing(words: list[str], run: Path) -> None:
    """``| head``: the exit code is the command's, and nothing is said at shutdown."""
    words = [*words, str(run)] if words == ["report"] else words
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as pipe:
        assert done(*words, stdout=pipe)[::2] == (0, "")


@pytest.mark.parametrize("closed", ["0", "1", "2", "0, 1, 2"])
def test_closed_descriptors_are_not_given_to_the_next_file(closed: str, run: Path) -> None:
    code = (f"import os, sys\nfor n in ({closed},): os.close(n)\n"
            f"sys.argv = ['bench', 'report', {str(run)!r}]\n"
            "import runpy; runpy.run_module('bench', run_name='__main__')")
    found, _, err = done(code=code)
    assert found == 0 and not err
    assert (run / "report.html").read_text("utf-8").startswith("<!")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_a_terminal_that_cannot_show_a_sign_shows_a_likeness(encoding: str, run: Path) -> None:
    process = start("report", str(run), env={"PYTHONIOENCODING": encoding})
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, b"")
    text = out.decode(encoding)
    assert ("× 10⁴" if encoding == "utf-8" else "10^4") in text
    assert "?" not in text and ("~ " if encoding != "utf-8" else "≈ ") in text


def test_powers_keep_their_sign_and_their_caret() -> None:
    """10⁻⁴ must not become 10-4."""
    code = CODE.format("print('1.2×10⁻¹² ± 0.1 ≈, a\\u00a0b, \\ud800, 漢') or 0")
    assert done(code=code, env={"PYTHONIOENCODING": "ascii"})[1] == "1.2x10^-12 +- 0.1 ~, a b, ?, ?\n"


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


@pytest.mark.parametrize("environment", [
    {"COLUMNS": "²", "LINES": "²"}, {"COLUMNS": "0"}, {"PYTHONWARNINGS": "error"},
    {"PYTHONOPTIMIZE": "2"}, {"OMP_NUM_THREADS": "garbage", "TERM": "dumb"},
    {"FORCE_COLOR": "1", "NO_COLOR": "1", "TERM": "nonsense"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
], ids=str)
def test_any_environment_gives_the_report(environment: dict[str, str], run: Path) -> None:
    found, out, err = done("report", str(run), env=environment)
    assert (found, err) == (0, "") and "report.html" in out


def test_figures_are_drawn_under_our_settings_only(run: Path, tmp_path: Path) -> None:
    """Bitwise: no matplotlibrc and no backend of the user changes a page, or stops it."""
    assert done("report", str(run))[0] == 0
    plain = (run / "report.html").read_bytes()
    hostile = tmp_path / "hostile"
    hostile.mkdir()
    for text in (b"text.usetex: True\nsavefig.bbox: tight\nfont.size: 30\nfont.family: Nowhere\n"
                 b"axes.prop_cycle: cycler('color', ['red'])\nsavefig.facecolor: red\n"
                 b"savefig.format: pdf\nfigure.autolayout: True\naxes.grid: True\n",
                 b"# caf\xe9\nfont.size: 30\n", b"backend: nowhere\n::: [[[\n\x00"):
        (hostile / "matplotlibrc").write_bytes(text)
        for name, value in (("MATPLOTLIBRC", str(hostile / "matplotlibrc")),
                            ("MPLCONFIGDIR", str(hostile))):
            found, _, err = done("report", str(run), cwd=hostile, env={
                name: value, "MPLBACKEND": "module://matplotlib_inline.backend_inline"})
            assert (found, err) == (0, "")
            assert (run / "report.html").read_bytes() == plain


def test_settings_of_a_program_that_calls_us_change_no_figure(run: Path) -> None:
    import matplotlib as mpl

    from results.folder import load
    from results.report import render

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
    gone = tmp_path / "gone"
    gone.mkdir()
    code = (f"import os, sys\nos.rmdir({str(gone)!r})\n"
            f"sys.argv = ['bench', 'report', {str(run)!r}]\n"
            "import runpy; runpy.run_module('bench', run_name='__main__')")
    found, out, err = done(code=code, cwd=gone)
    assert (found, err) == (0, "") and "report.html" in out


@pytest.mark.parametrize("name", ["torch.py", "numpy.py", "random.py", "rich/__init__.py",
                                  "metrics/__init__.py", "samplers/base.py", "results.py"])
def test_files_of_the_working_folder_hide_nothing(name: str, tmp_path: Path, run: Path) -> None:
    """``python -m bench`` looked there first: tracebacks, and a silent stop with exit code 1."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("import sys\nsys.exit(1)\n")
    found, out, err = done("report", str(run), cwd=tmp_path)
    assert (found, err) == (0, "") and "report.html" in out


def test_a_file_that_does_hide_a_package_is_named(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("")
    found, _, err = done("report", "x", env={"PYTHONPATH": f"{tmp_path}:{ROOT}"})
    assert found == 2 and err.startswith(f"error: '{tmp_path / 'numpy.py'}' hides the package")


# ---- files --------------------------------------------------------------------------------------


def small_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))


@pytest.mark.parametrize("words", [["report", "RUN"], ["compare", "RUN"],
                                   ["export", "RUN", "--to", "out.csv"],
                                   ["export", "RUN", "--to", "out.parquet"],
                                   ["archive", "RUN", "--to", "out"]])
def test_a_disk_that_is_full_leaves_no_half_a_file(words: list[str], run: Path,
                                                   tmp_path: Path) -> None:
    """``export`` left half a file and ``archive`` half a folder."""
    here = tmp_path / "run"
    shutil.copytree(run, here, ignore=shutil.ignore_patterns("report.*", "comparison.*"))
    before = sorted(tmp_path.rglob("*"))
    found, _, err = done(*(w.replace("RUN", "run") for w in words), cwd=tmp_path,
                         preexec_fn=small_files)
    assert found == 2 and err.startswith("error: cannot write") and err.count("\n") == 1
    assert "File too large" in err
    assert sorted(tmp_path.rglob("*")) == before


def test_names_with_line_breaks_and_strange_bytes(run: Path, tmp_path: Path) -> None:
    """``report`` ended in a UnicodeEncodeError."""
    strange = os.fsencode(tmp_path) + b"/a\nb\xff[red]"
    shutil.copytree(os.fsencode(run), strange)
    found, out, err = done(b"report", strange)
    assert (found, err) == (0, "") and "/a\\nb\\udcff[red]/report.html" in out.replace("\n", "")
    found, _, err = done(b"report", strange + b"/no")
    assert found == 2 and err.count("\n") == 1


def test_every_file_is_opened_with_its_encoding_said() -> None:
    """Under LC_ALL=C a file without one was read as ascii."""
    silent = []
    for path in (p for name in PACKAGES for p in (ROOT / name).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and _opens_text(node):
                silent.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not silent


def _opens_text(call: ast.Call) -> bool:
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    words = [a.value for a in call.args if isinstance(a, ast.Constant)]
    if name not in ("open", "read_text", "write_text") or "encoding" in {
            k.arg for k in call.keywords}:
        return False
    own = isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") in ("os", "gzip")
    return not own and not any(isinstance(w, str) and "b" in w for w in words) and not (
        name == "read_text" and call.args)


def test_one_console_and_one_way_to_matplotlib() -> None:
    for path in (p for name in PACKAGES for p in (ROOT / name).rglob("*.py")):
        text = path.read_text("utf-8")
        if path.name != "console.py":
            assert " Console(" not in text, path
        if path.name != "drawing.py":
            assert "import matplotlib" not in text and "from matplotlib" not in text, path
