"""One colour, one marker and one dash a sampler, the same in every table and figure.

A family has a hue, its members have shades of it. A run whose samplers say no family takes the
colours of Okabe and Ito (2008) and three of Paul Tol's by place. All keep 3:1 contrast on white
and on near-black; markers and names carry the same information without colour.
"""

from __future__ import annotations

from results.records.run_folder import Run

COLOURS = ("#0077bb", "#d55e00", "#009e73", "#cc6699", "#b8860b", "#3a9ad9", "#8f63c9", "#a05a2c",
           "#e0457b", "#5f8f1f", "#4f7f8f", "#b04fc0")
SHADES = {"mcmc": ("#0581b2", "#0562d3", "#558ffb", "#0591b1"),
          "particles": ("#078b4d", "#06755f", "#09a394", "#089a47"),
          "diffusion": ("#8962d8", "#9239ce", "#bd74dc", "#8d75dc"),
          "flow": ("#d44a05", "#935a04", "#bf8705", "#f83f06"),
          "one-step": ("#db3575", "#c62336", "#e56c6e", "#e04e95"),
          "": ("#a96b09", "#746706", "#989608", "#ca6d0b")}
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*")
GREY = "#808081"


def colour(run: Run, label: str) -> str:
    """The sampler's colour; controls are grey."""
    if label not in run.ranked:
        return GREY
    if not any(run.family(x) for x in run.ranked):
        return COLOURS[run.ranked.index(label) % len(COLOURS)]
    family = run.family(label)
    shades = SHADES[family]
    return shades[[x for x in run.ranked if run.family(x) == family].index(label) % len(shades)]


def marker(run: Run, label: str) -> str:
    """The sampler's marker; controls have none."""
    return MARKERS[run.ranked.index(label) % len(MARKERS)] if label in run.ranked else ""


#: The markers as characters, for legends and tables.
GLYPHS = dict(zip(MARKERS, "●■▲◆▼✚✖◀▶⬟⬢★", strict=True))


def glyph(run: Run, label: str) -> str:
    """The sampler's marker as a character."""
    return GLYPHS.get(marker(run, label), "–")
