"""What a notebook shows of an object: sentences and tables as HTML without scripts."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from results.presentation.table import MARKS, Cell, Table

if TYPE_CHECKING:
    from bench.jobs.one_job import ExecutedJob
    from targets.base import Target

_COLOURS = {"floor": "#2e7d32", "good": "#2e7d32", "below": "#8e24aa", "fail": "#c62828",
            "warn": "#b26a00"}


def sentence(text: str, bold: bool = False) -> str:
    """A paragraph."""
    words = escape(text)
    return f"<p>{f'<b>{words}</b>' if bold else words}</p>"


def table(shown: Table) -> str:
    """A captioned table; the second lines of cells stand below the first in small print."""
    heads = "".join(f"<th>{escape(c.title)}{_small(c.sub)}</th>" for c in shown.columns)
    rows = "".join(f"<tr>{''.join(_cell(c) for c in row)}</tr>" for _, _, row in shown.lines)
    notes = "".join(sentence(note) for note in shown.notes)
    style = "text-align:left;white-space:nowrap"
    return (f"<table><caption style='{style}'>{escape(shown.caption)}</caption>"
            f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>{notes}")


def _cell(cell: Cell) -> str:
    mark = f" {MARKS[cell.mark]}" if MARKS[cell.mark] else ""
    colour = f" style='color:{_COLOURS[cell.mark]}'" if cell.mark in _COLOURS else ""
    return f"<td><span{colour}>{escape(cell.text + mark)}</span>{_small(cell.seeds)}</td>"


def _small(text: str) -> str:
    lines = "<br>".join(escape(line) for line in text.split("\n"))
    return f"<br><small style='opacity:.7;font-weight:normal'>{lines}</small>" if text else ""


def page(parts: Iterable[str]) -> str:
    """Parts one below the other."""
    return f"<div>{''.join(parts)}</div>"


def scatter(done: ExecutedJob, target: Target) -> list[str]:
    """A picture of the last points' first two coordinates, in the target's window; or nothing."""
    if done.points is None or target.dim < 2:
        return []
    x0, x1, y0, y1 = target.view()
    shown = done.points[:1000, :2].double().cpu().numpy()
    dots = "".join(f"<circle cx='{200 * (x - x0) / (x1 - x0):.1f}' "
                   f"cy='{200 * (y1 - y) / (y1 - y0):.1f}' r='1'/>" for x, y in shown)
    return [f"<svg viewBox='0 0 200 200' width='200' height='200' role='img' "
            f"aria-label='points' style='border:1px solid #bbb' fill='#1565c0' "
            f"fill-opacity='.5'>{dots}</svg>"]
