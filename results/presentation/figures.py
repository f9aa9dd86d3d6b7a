"""Figures as text: inline SVG with words that stand for it.

Text and axes take the page's own colour (``currentColor``), so that one figure serves light, dark
and print. Nothing depends on the clock or on a display.
"""

from __future__ import annotations

import base64
import io
import re
from dataclasses import dataclass

from results.presentation.drawing import (
    Figure,
    salted,
)
from results.presentation.palette import GREY


@dataclass(frozen=True)
class Image:
    """A figure: its markup, what it shows in words, its caption, and whose points it shows."""

    markup: str
    alt: str
    caption: str
    sampler: str = ""

    @property
    def inline(self) -> bool:
        """Whether the markup is an SVG element; else it is the address of a picture."""
        return self.markup.startswith("<svg")


def svg(figure: Figure, key: str, alt: str) -> str:
    """A figure as an inline SVG element with its alternative text; ids are made unique by key."""
    buffer = io.StringIO()
    with salted(key):
        figure.savefig(buffer, format="svg", transparent=True,
                       metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    text = text[text.index("<svg"):]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="([^"]+)"', rf'id="{key}-\1"', text)
    text = re.sub(r'href="#([^"]+)"', rf'href="#{key}-\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{key}-\1)", text)
    text = text.replace(GREY, "currentColor").replace("'DejaVu Sans'", "inherit")
    text = re.sub(r'<svg[^>]*viewBox="([^"]+)"[^>]*>',
                  rf'<svg viewBox="\1" role="img" aria-label="{_attribute(alt)}">', text, count=1)
    return re.sub(r"\n\s*", "\n", text).strip()


def png(figure: Figure) -> str:
    """A figure as the address of a small picture, for an ``img`` element."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", transparent=True, metadata={"Software": None},
                   pil_kwargs={"optimize": False})
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def _attribute(text: str) -> str:
    return (text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
            .replace(">", "&gt;"))
