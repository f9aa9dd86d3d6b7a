"""Plugin files are imported and then read; what a class lacks is an error that says the line.

Before, ``name, dim, scale = "ring", 2, 3.0`` registered nothing, and next to another class it was
dropped in silence; so was a computed name.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.commands.parser import main
from bench.core import plugins
from bench.core.class_reader import _kind_of, _read, unreadable_names
from bench.core.entry import Entry
from bench.core.errors import UserError
from bench.core.places import ROOT
from bench.core.plugins import imported_entries, read_plugin
from bench.core.registry import load
from bench.jobs.instances import make_target
from bench.jobs.spec import RunSettings
from bench.suite.specs import TargetSpec

LOG_PROB = "    def log_prob(self, x): return -x.square().sum(1)\n"


def written(folder: Path, text: str, name: str = "mine") -> Path:
    """A plugin file; its stem is its module's name, so that each test has one of its own."""
    path = folder / f"{name}_{folder.name}.py"
    path.write_text(text)
    return path


def named(entries: list[Entry]) -> dict[str, Entry]:
    return {entry.name: entry for entry in entries}


COMPUTED = '''"""Rings."""
from dataclasses import dataclass
from targets import Target

class Ring(Target):
    """A ring."""
    name, dim, scale = "ring", 2, 3.0
''' + LOG_PROB + '''
class Wide(Target):
    name = "wide_" + Ring.name
    dim = Ring.dim
    def __init__(self, scale: float = 3.0): self.scale = scale
''' + LOG_PROB + '''
for size in (1, 2):
    globals()[f"Made{size}"] = dataclass(frozen=True)(type(f"Made{size}", (Ring,), {
        "__module__": __name__, "name": f"made{size}", "dim": size,
        "__annotations__": {"width": float}, "width": 2.0}))
'''


@pytest.mark.parametrize("read", [read_plugin, imported_entries])
def test_names_and_attributes_are_those_of_the_imported_classes(
        tmp_path: Path, read: Callable[[Path], list[Entry]]) -> None:
    found = named(read(written(tmp_path, COMPUTED)))
    assert set(found) == {"ring", "wide_ring", "made1", "made2"}
    assert found["ring"].attributes["dim"] == 2 and found["ring"].attributes["scale"] == 3.0
    assert found["ring"].summary == "A ring." and found["ring"].module_doc == "Rings."
    assert found["wide_ring"].parameters == {"scale": ("float", "3.0")}
    assert found["made2"].parameters == {"width": ("float", "2.0")}
    assert found["made2"].attributes["dim"] == 2 and "width" not in found["made2"].attributes
    assert {e.kind for e in found.values()} == {"targets"}


def test_a_process_that_reads_a_plugin_does_not_import_it(tmp_path: Path) -> None:
    path = written(tmp_path, "print('loud')\n" + COMPUTED)
    code = ("import sys\nfrom pathlib import Path\nfrom bench.core.registry import catalogue\n"
            f"print(*sorted(set(catalogue(Path({str(path)!r}))['targets']) & {{'ring'}}))\n"
            "print('torch' in sys.modules, any('sampler_bench_plugin' in m for m in sys.modules))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "ring\nFalse False\n"


def test_a_name_of_ours_is_loaded_without_importing_the_plugin(tmp_path: Path) -> None:
    path = written(tmp_path, COMPUTED)
    assert load("targets", "gmm4", path).dim == 2
    assert plugins._module_name(path) not in sys.modules
    assert load("targets", "wide_ring", path, scale=2.0).scale == 2.0
    assert plugins._module_name(path) in sys.modules


def test_parameters_are_those_of_the_constructor(tmp_path: Path) -> None:
    path = written(tmp_path, """
from dataclasses import dataclass
import targets as t
from targets import Target as Density

class _Base(t.Target):
    dim = scale = 1
    def __init__(self, a: int = 1, *, b=2): ...
class More(_Base):
    name = "more"
    def __init__(self, c=3, **rest): super().__init__(**rest)
@dataclass(frozen=True)
class Fields(_Base):
    name = "fields"
    d: float = 4.0
class Alias(Density):
    name, dim, scale = "alias", 2, 1.0
    e: int = 5
""")
    found = {e.name: list(e.parameters) for e in read_plugin(path)}
    assert found == {"more": ["a", "b", "c"], "fields": ["d"], "alias": []}


@pytest.mark.parametrize("name", ["", "    name = ''\n", "    name = 3\n"])
def test_a_class_without_a_name_is_an_error_with_its_line(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, "from targets import Target\nclass A(Target):\n"
                   "    name, dim, scale = 'a', 1, 1.0\n\n"
                   f"class Lost(Target):\n    dim = 2\n{name}")
    with pytest.raises(UserError, match='line 5: class Lost has no name; add the line name = "lo'):
        read_plugin(path)


@pytest.mark.parametrize(("lacks", "body"), [
    ("dim", "    scale = 1.0\n"), ("scale", "    dim = 2\n"), ("dim", "    dim: int\n")])
def test_a_target_without_dim_or_scale_says_which_line_to_add(tmp_path: Path, lacks: str,
                                                              body: str) -> None:
    path = written(tmp_path, "from targets import Target\n\nclass Ring(Target):\n"
                   f"    name = 'ring'\n{body}{LOG_PROB}")
    with pytest.raises(UserError, match=f"line 3: target Ring has no {lacks}; add a line like"):
        read_plugin(path)


@pytest.mark.parametrize("lacks", ["dim", "scale"])
def test_a_constructor_that_forgets_them_is_told(tmp_path: Path, lacks: str) -> None:
    sets = {"dim": "self.scale = 1.0", "scale": "self.dim = 2"}[lacks]
    path = written(tmp_path, "from targets import Target\nclass Ring(Target):\n    name = 'ring'\n"
                   f"    def __init__(self): {sets}\n{LOG_PROB}")
    assert read_plugin(path)
    settings = RunSettings(tmp_path, path, "cpu", "float32", 1, False, 60, 30, (1.0,), 0.01, 5, (),
                           {})
    with pytest.raises(UserError, match=f"target 'ring'.*{lacks}"):
        make_target(TargetSpec("ring", "ring"), settings)


@pytest.mark.parametrize(("text", "said"), [
    ("import os; os._exit(7)\n", r"ends the process that imports it \(exit code 7\)"),
    ("raise SystemExit(3)\n", "fails to import: SystemExit: 3"),
    ("def broken(:\n", "line 1: "),
    ("import nowhere_to_be_found\n", "fails to import: ModuleNotFoundError"),
    ("from targets import Target\nclass _Part(Target):\n    pass\n", "registers nothing"),
    ("from samplers.mcmc.hmc import Hmc\n", "registers nothing"),
])
def test_what_cannot_be_read_is_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as told:
        read_plugin(written(tmp_path, text))
    assert "\n" not in str(told.value)


def test_a_plugin_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "PATIENCE", 0.5)
    with pytest.raises(UserError, match="takes more than 0 s to import"):
        read_plugin(written(tmp_path, "import time\ntime.sleep(60)\n"))


def test_the_printed_ring_is_listed_with_another_class_next_to_it(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, COMPUTED)
    assert main(["show", "ring", "--plugin", str(path)]) == 0
    assert "ring (target): A ring." in capsys.readouterr().out
    assert main(["show", "made1", "--plugin", str(path)]) == 0


def test_no_class_of_ours_is_lost() -> None:
    """Each class of a kind has a name, or another class of ours derives from it."""
    files = [path for kind in ("samplers", "targets", "metrics")
             for path in (ROOT / kind).rglob("*.py") if path.stem not in ("base", "__init__")]
    modules = [_read(path) for path in files]
    bases = {base for m in modules for c in m.classes.values() for base in c.bases}
    lost = [cls for m in modules for cls, info in m.classes.items() if _kind_of(m, cls)
            and cls not in bases and not isinstance(info.attributes.get("name"), str)]
    assert set(lost) == {"Referenced", "TemperedMixture"}  # made of another target
    assert not [path for path in files if unreadable_names(path)]
