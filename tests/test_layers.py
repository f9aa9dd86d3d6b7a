"""Imports run one way: between the packages that CONTRIBUTING names, and between modules.

The table in CONTRIBUTING.md is the rule; it is read from there. Imports inside functions count:
one that would be a circle at the top of a file is a circle.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.core.places import ROOT
from tests.support.import_graph import Layers, circles, reachable, read_graph

PACKAGES = ("bench", "targets", "samplers", "metrics", "results")
GRAPH = read_graph(ROOT, PACKAGES)
#: What the record keepers must do without: a report can be made where no job could be run.
HEAVY = {"torch", "targets", "samplers", "metrics"}


def stated_layers() -> Layers:
    """The table of CONTRIBUTING.md: | `package`, ... | what it holds | what it may import |."""
    rows = []
    for line in (ROOT / "CONTRIBUTING.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        names = tuple(re.findall(r"`([^`]+)`", cells[0]))
        if line.startswith("| `") and len(cells) == 3:
            imports = tuple(re.findall(r"`([^`]+)`", cells[2]))
            rows.append((names, None if cells[2] == "all above" else imports))
    return Layers(rows)


def test_every_module_imports_only_what_its_layer_may() -> None:
    found = stated_layers().violations(GRAPH)
    assert found == set()


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circles(GRAPH) == []


def test_nothing_that_results_imports_leads_to_torch() -> None:
    leads = {module: {name.partition(".")[0] for name in reachable(GRAPH, module)} & HEAVY
             for module in GRAPH if module.startswith("results")}
    assert len(leads) > 50
    assert {module: heavy for module, heavy in leads.items() if heavy} == {}


def test_results_is_imported_without_torch() -> None:
    modules = sorted(m for m in GRAPH if m.startswith("results") and not m.endswith("__main__"))
    code = (f"import sys\nfor name in {modules}:\n    __import__(name)\n"
            f"sys.exit(str({HEAVY} & set(sys.modules) or 0))")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True,
                          check=False)
    assert done.stderr.strip() == "0", done.stderr


# ---- that the tests above can fail --------------------------------------------------------------


def written(root: Path, **texts: str) -> Path:
    """A project of one file a keyword: ``low__a="import low.b"`` is low/a.py."""
    for name, text in texts.items():
        path = root / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return root


TWO = Layers([(("low",), ()), (("middle", "beside"), ("low",)), (("high",), None)])


@pytest.mark.parametrize(("module", "text", "wrong"), [
    ("high__a", "import low.a\nfrom middle import a", None),
    ("low__b", "from low.a import x", None),
    ("low__b", "from middle.a import x", "middle.a"),
    ("low__b", "def late():\n    from high import a", "high.a"),
    ("middle__b", "import beside.a", "beside.a"),
    ("middle__b", "import torch", None)])
def test_an_import_upwards_or_sideways_is_found(module: str, text: str, wrong: str | None,
                                                tmp_path: Path) -> None:
    root = written(tmp_path, **{"low__a": "", "middle__a": "", "beside__a": "", "high__a": "",
                                module: text})
    found = TWO.violations(read_graph(root, ("low", "middle", "beside", "high")))
    assert found == ({(module.replace("__", "."), wrong)} if wrong else set())


def test_a_package_without_a_layer_and_a_table_out_of_order_are_errors() -> None:
    with pytest.raises(ValueError, match="no layer is named for 'other.a'"):
        TWO.violations({"other.a": frozenset({"low"}), "low": frozenset()})
    with pytest.raises(ValueError, match="no row above names"):
        Layers([(("low",), ("high",)), (("high",), None)])


def test_circles_are_found_also_through_imports_inside_functions(tmp_path: Path) -> None:
    root = written(tmp_path, p__a="import p.b", p__b="def late():\n    from p.c import x",
                   p__c="from p import a", p__d="import p.a\nimport torch")
    graph = read_graph(root, ("p",))
    assert circles(graph) == [["p.a", "p.b", "p.c"]]
    assert reachable(graph, "p.d") == {"p.a", "p.b", "p.c", "torch"}
    assert circles({**graph, "p.c": frozenset()}) == []
