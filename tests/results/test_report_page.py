"""The page in a real browser, its Markdown version, and the folder it is a pure function of."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from results.records.run_folder import load
from results.report.page import render, write
from results.report.terminal import print_report, summary
from tests.support.report_fake import HOSTILE, make
from tests.support.report_pages import tables

SAMPLERS = ["drifting", "ula", "hmc", "svgd", "dft", "exact", "initial", "overhead"]
TARGETS = ["gmm4", "banana", "mine"]
BROWSER = next((p for n in ("chromium", "chromium-browser", "google-chrome", "chrome")
                if (p := shutil.which(n))), None)
browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium: apt-get install chromium")
FLAGS = ("--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
         "--disable-background-networking --disable-component-update --disable-sync "
         "--allow-file-access-from-files --virtual-time-budget=8000 --dump-dom").split()
#: Runs before anything else on the page: collects errors and requests.
WATCH = """<script>window.seen = {errors: [], policy: []};
addEventListener("error", (e) => seen.errors.push(String(e.message || e.target)), true);
addEventListener("securitypolicyviolation", (e) => seen.policy.push(e.blockedURI));</script>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:;
 style-src 'unsafe-inline'; script-src 'unsafe-inline'">
"""
CLICK = """<script>
const column = (t, i) => [...t.tBodies[0].rows].map((r) => r.cells[i].dataset.order);
const names = (t) => [...t.tBodies[0].rows].map((r) => r.cells[0].textContent);
const table = document.getElementById("quality--gmm4");
const head = table.tHead.rows[0].cells[1];
head.querySelector("button").click();
const up = {order: column(table, 1), sort: head.getAttribute("aria-sort"), names: names(table)};
head.querySelector("button").click();
const down = {order: column(table, 1), sort: head.getAttribute("aria-sort")};
const other = table.tHead.rows[0].cells[2];
other.querySelector("button").click();
Object.assign(seen, {up, down, left: head.getAttribute("aria-sort"),
  other: other.getAttribute("aria-sort"), hacked: window.hacked ?? null,
  requests: performance.getEntriesByType("resource").map((r) => r.name)
    .filter((u) => !u.startsWith("data:")),
  bare: [...document.querySelectorAll("img")].filter((i) => !i.alt).length
    + [...document.querySelectorAll("svg")].filter((s) => s.getAttribute("role") !== "img"
        || !s.getAttribute("aria-label")).length,
  pictures: document.querySelectorAll("img, svg").length,
  broken: [...document.images].filter((i) => !i.naturalWidth).length,
  ids: [...document.querySelectorAll("[id]")].map((e) => e.id),
  links: [...document.querySelectorAll("a")].map((a) => a.getAttribute("href"))});
</script>"""
FILTER = """<script>
const shown = () => ({
  rows: [...document.querySelectorAll("#overview tbody tr")].filter((r) => !r.hidden)
    .map((r) => r.dataset.sampler),
  pictures: new Set([...document.querySelectorAll("[data-sampler] img")]
    .filter((i) => i.checkVisibility()).map((i) => i.closest("figure").dataset.sampler)).size,
  lines: [...document.querySelectorAll('g[id*="-of-"]')]
    .filter((g) => g.style.display !== "none").length});
const form = document.querySelector(".filter"), search = form.querySelector("[type=search]");
const boxes = [...form.querySelectorAll("[data-members]")];
const put = (change) => { change(); form.dispatchEvent(new Event("input")); return shown(); };
Object.assign(seen, {all: shown(), families: boxes.map((b) => b.parentElement.textContent.trim()),
  chains: put(() => boxes.forEach((b, i) => { b.checked = i === 0; })),
  named: put(() => { boxes.forEach((b) => { b.checked = true; }); search.value = "DR"; }),
  none: put(() => { search.value = "no such name"; }),
  again: put(() => { search.value = ""; })});
</script>"""
WIDTH = """<script>addEventListener("load", () => { const r = document.documentElement;
  document.querySelectorAll("details").forEach((d) => { d.open = true; });
  seen.width = r.clientWidth; seen.scroll = r.scrollWidth;
  seen.wide = [...document.querySelectorAll("body *")].filter((e) => !e.closest(".box")
    && e.getBoundingClientRect().right > r.clientWidth + 1).map((e) => e.className || e.tagName);
  parent.postMessage(JSON.stringify(seen), "*"); });</script>"""
FRAME = """<!doctype html><body><pre id="out"></pre><script>
addEventListener("message", (e) => { document.getElementById("out").textContent = e.data; });
</script><iframe src="child.html" style="width:%dpx;height:800px;border:0"></iframe></body>"""
REPORT = """<script>addEventListener("load", () => { const p = document.createElement("pre");
  p.id = "out"; p.textContent = JSON.stringify(seen); document.body.append(p); });</script>"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("run") / "x", SAMPLERS, TARGETS)


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return write(folder)[0].read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def markdown(folder: Path, page: str) -> str:
    return (folder / "report.md").read_text(encoding="utf-8")


def visit(path: Path, profile: Path) -> dict[str, Any]:
    """What the page's hook saw, from the DOM that Chromium dumps."""
    assert BROWSER is not None
    done = subprocess.run([BROWSER, *FLAGS, f"--user-data-dir={profile}", path.as_uri()],
                          capture_output=True, text=True, timeout=120, check=False)
    found = re.search(r'<pre id="out">(.*?)</pre>', done.stdout, flags=re.DOTALL)
    assert found and found[1], done.stderr[-2000:]
    return json.loads(html.unescape(found[1]))  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def seen(page: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    where = tmp_path_factory.mktemp("browser")
    hooked = page.replace("<head>", "<head>" + WATCH)
    hooked = hooked.replace("</body>", CLICK + REPORT + "</body>")
    (where / "page.html").write_text(hooked, encoding="utf-8")
    return visit(where / "page.html", where / "profile")


@browser
def test_the_filter_hides_rows_lines_and_pictures(page: str, tmp_path: Path) -> None:
    hooked = page.replace("<head>", "<head>" + WATCH)
    (tmp_path / "page.html").write_text(hooked.replace("</body>", FILTER + REPORT + "</body>"),
                                        encoding="utf-8")
    seen = visit(tmp_path / "page.html", tmp_path / "profile")
    assert seen["errors"] == []
    assert [" ".join(f.split()) for f in seen["families"]] == [
        "Markov chains 2", "particles 1", "one-step generators 2"]
    assert seen["all"] == seen["again"]
    assert seen["all"]["rows"] == ["ula", "hmc", "svgd", "drifting", "dft"]
    assert seen["chains"]["rows"] == ["ula", "hmc"] and seen["named"]["rows"] == ["drifting"]
    assert seen["none"]["rows"] == [] and seen["none"]["lines"] == 0
    assert seen["all"]["pictures"] == 6 and seen["chains"]["pictures"] == 3  # exact among them
    assert 0 < seen["named"]["lines"] < seen["chains"]["lines"] < seen["all"]["lines"]


@browser
def test_the_page_runs_without_errors_and_asks_for_nothing(seen: dict[str, Any]) -> None:
    assert seen["errors"] == [] and seen["requests"] == [] and seen["policy"] == []
    assert seen["hacked"] is None


@browser
def test_a_click_sorts_and_says_so(seen: dict[str, Any]) -> None:
    floor, *rest = seen["up"]["order"]
    values = [float(x) for x in rest if x]
    assert values == sorted(values) and len(values) == 7
    assert rest[-1] == "" and seen["up"]["names"][-1].endswith("dft")
    assert seen["up"]["names"][0].startswith("floor")
    downward = [float(x) for x in seen["down"]["order"][1:] if x]
    assert downward == values[::-1] and seen["down"]["order"][-1] == ""
    assert seen["down"]["order"][0] == floor
    assert (seen["up"]["sort"], seen["down"]["sort"]) == ("ascending", "descending")
    assert seen["left"] is None and seen["other"] == "ascending"


@browser
def test_every_picture_has_words_and_every_link_an_end(seen: dict[str, Any]) -> None:
    # Two metrics in two currencies on two targets with a floor; mine has neither metric.
    assert seen["bare"] == 0 and seen["broken"] == 0 and seen["pictures"] >= 8 + 2 * 6
    assert len(seen["ids"]) == len(set(seen["ids"]))
    assert {x.removeprefix("#") for x in seen["links"] if x.startswith("#")} <= set(seen["ids"])
    assert all(x.startswith("#") for x in seen["links"])


@browser
@pytest.mark.parametrize("width", [390, 1200])
def test_nothing_but_a_tables_own_box_scrolls_sideways(page: str, tmp_path: Path,
                                                       width: int) -> None:
    hooked = page.replace("<head>", "<head>" + WATCH).replace("</body>", WIDTH + "</body>")
    (tmp_path / "child.html").write_text(hooked, encoding="utf-8")
    (tmp_path / "frame.html").write_text(FRAME % width, encoding="utf-8")
    found = visit(tmp_path / "frame.html", tmp_path / "profile")
    assert found["width"] <= width and found["scroll"] <= found["width"]
    assert found["wide"] == []


def test_the_sections_stand_in_order(page: str, markdown: str) -> None:
    numbers = [str(i) for i in range(1, 11)]
    assert re.findall(r"<h2><span>(\d+)</span>", page) == numbers
    assert re.findall(r"^## (\d+)", markdown, flags=re.MULTILINE) == numbers


def test_what_others_wrote_stays_text(page: str, markdown: str) -> None:
    assert "<script>window.hacked" not in page and "<script>" not in markdown
    assert html.escape(HOSTILE, quote=False).split(" &amp; ")[0] in page
    assert r"\| pipe" in markdown


def test_the_same_folder_gives_the_same_bytes(folder: Path, page: str, markdown: str,
                                              tmp_path: Path) -> None:
    moved = shutil.copytree(folder, tmp_path / "elsewhere")
    for name in ("report.html", "report.md"):
        (moved / name).unlink()
    code = "import sys, pathlib, results.report.page as r; r.write(pathlib.Path(sys.argv[1]))"
    # Another process with another hash seed: no order of a set, no cache, no clock.
    subprocess.run([sys.executable, "-c", code, str(moved)], check=True, timeout=300,
                   env={**os.environ, "PYTHONHASHSEED": "7"})
    assert (moved / "report.html").read_text(encoding="utf-8") == page
    assert (moved / "report.md").read_text(encoding="utf-8") == markdown


def test_the_markdown_version_holds_every_number_of_the_page(folder: Path, markdown: str) -> None:
    shown = tables(load(folder))
    rows = [line for line in markdown.splitlines() if line.startswith("| ")]
    assert len(rows) >= sum(len(t.rows) for t in shown)
    flat = " ".join(rows).replace("\\", "")
    for table in shown:
        for _, _, row in table.lines:
            for cell in row:
                assert re.sub(r"\s+", " ", cell.text).replace("<", "&lt;").replace(
                    "&", "&amp;").replace("&amp;lt;", "&lt;") in flat


def test_every_row_of_a_markdown_table_has_all_its_cells(markdown: str) -> None:
    block: list[int] = []
    for line in [*markdown.splitlines(), ""]:
        if line.startswith("|"):
            block.append(len(re.findall(r"(?<!\\)\|", line)))
        else:
            assert len(set(block)) <= 1, block
            block = []
    assert sum(line.startswith("|") for line in markdown.splitlines()) > 100


def test_each_metrics_insensitivity_and_floor_draws_are_said(page: str, markdown: str) -> None:
    for text in (html.unescape(re.sub(r"<[^>]+>", "", page)), markdown):
        assert "it cannot see how mass is split between far modes" in text
        assert "Floor draws: 1000 for MMD²" in text and "200 for W2" in text
        assert "would go undetected" in text and "indistinguishable from exact samples" in text
        assert "is exact" not in text


def test_damaged_lines_are_reported(page: str, markdown: str) -> None:
    assert "skipped: not JSON" in page and "skipped: not JSON" in markdown


def test_a_folder_with_nothing_but_failures_still_has_a_report(tmp_path: Path) -> None:
    folder = make(tmp_path / "run", ["dft"], ["gmm4"])
    for name in ("floors", "density", "samples"):
        shutil.rmtree(folder / name)
    page, markdown = render(load(folder))
    assert "3 unaffordable" in page and "40 updates within the budget" in markdown
    (folder / "records.jsonl").write_text("")
    page, markdown = render(load(folder))
    assert "0 of 3" in page and "0 of 3" in markdown


def test_the_terminal_shows_the_same_verdict(folder: Path, markdown: str) -> None:
    console = Console(width=160, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    with console.file:
        print_report(folder, console)
        console.print(summary(folder))
        text = " ".join(console.export_text().split())
    assert "Best at 5s by MMD²: hmc" in text and "Best at 5s by MMD²: hmc" in markdown
    assert "3 unaffordable" in text and "no answer within" not in text
    assert "<script>window.hacked=1</script>" in text
