"""Templates to text: the HTML page and its Markdown version render the same tables."""

from __future__ import annotations

import math
import re
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bench.core.errors import ReportError
from results.presentation.palette import GLYPHS
from results.presentation.table import MARKS, Cell, Table, number
from results.records.store import write_atomically

TEMPLATES = Path(__file__).parent / "templates"


def order(value: float | str | None) -> str:
    """What a column is sorted by in the page; empty sorts last."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    return repr(value) if isinstance(value, float) else str(value)


def markdown_text(text: str) -> str:
    """Text that stays text in Markdown: no tags, no table bars, no line breaks."""
    text = re.sub(r"\s+", " ", str(text)).replace("\\", "\\\\")
    return re.sub(r"([|`*\[\]])", r"\\\1", text.replace("&", "&amp;").replace("<", "&lt;"))


def markdown_cell(cell: Cell) -> str:
    """A cell with its mark in words and its lines in brackets."""
    parts = [markdown_text(cell.text), MARKS[cell.mark]]
    if cell.seeds:
        parts.append(f"({markdown_text(cell.seeds.replace(chr(10), '; '))})")
    return " ".join(p for p in parts if p)


@cache
def _environment(html: bool) -> Environment:
    made = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=html, trim_blocks=True,
                       lstrip_blocks=True, undefined=StrictUndefined, keep_trailing_newline=True)
    made.filters |= {"order": order, "text": markdown_text, "cell": markdown_cell,
                     "safe_svg": Markup, "number": number}
    made.globals |= {"marks": MARKS, "glyphs": GLYPHS}
    return made


def page_and_markdown(name: str, shown: dict[str, Any]) -> tuple[str, str]:
    """The self-contained page of ``templates/NAME.html`` and the text of ``NAME.md``."""
    style, script = (Markup((TEMPLATES / file).read_text(encoding="utf-8"))
                     for file in ("report.css", "report.js"))
    page = _environment(True).get_template(f"{name}.html").render(
        **shown, style=style, script=script)
    return page, _environment(False).get_template(f"{name}.md").render(**shown)


def save_pages(texts: tuple[str, str], out: Path, name: str) -> tuple[Path, Path]:
    """Write a page and its Markdown version into a folder; raises ReportError where it cannot."""
    paths = out / f"{name}.html", out / f"{name}.md"
    try:
        out.mkdir(parents=True, exist_ok=True)
        for path, text in zip(paths, texts, strict=True):
            write_atomically(path, text.encode("utf-8", "replace"))  # a name of strange bytes
    except OSError as error:
        other = "copy the run to" if name == "report" else "with --out choose"
        raise ReportError(f"cannot write into '{out}': {error.strerror or error}; make it "
                          f"writable, or {other} another folder") from None
    return paths


def markdown_table(table: Table) -> str:
    """One table as Markdown: caption, rows and notes."""
    macros: Any = _environment(False).get_template("macros.md").module
    return str(macros.table(table)).strip() + "\n"
