"""The one way to matplotlib: a figure is drawn under our settings, whatever the user's are.

A ``matplotlibrc`` with ``text.usetex``, or one that cannot be read, and a backend that is not
there can neither change a figure nor stop a report. Whoever draws takes from here what else he
needs of matplotlib, so that nothing imports it earlier.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from results.presentation.palette import GREY

#: Holds a ``matplotlibrc`` that says nothing.
SETTINGS = Path(__file__).parent / "drawing_settings"
STYLE: Any = {"svg.fonttype": "none", "font.size": 9.0, "axes.spines.top": False,
         "axes.spines.right": False, "axes.edgecolor": GREY, "text.color": GREY,
         "axes.labelcolor": GREY, "xtick.color": GREY, "ytick.color": GREY,
         "axes.linewidth": 0.7, "xtick.major.width": 0.7, "ytick.major.width": 0.7,
         "font.family": "DejaVu Sans", "text.parse_math": False}  # a label may hold a $


def _import() -> None:
    """Import matplotlib without the user's settings, of which a bad one stops the import.

    It reads the ``matplotlibrc`` of the working folder before all others, and the backend from the
    environment.
    """
    if "matplotlib" in sys.modules:
        return
    here = os.open(".", getattr(os, "O_PATH", os.O_RDONLY))  # it may be deleted or unreadable
    backend = os.environ.pop("MPLBACKEND", None)
    try:
        os.chdir(SETTINGS)
        import matplotlib  # noqa: F401
    finally:
        os.fchdir(here)
        os.close(here)
        if backend is not None:
            os.environ["MPLBACKEND"] = backend


_import()
import matplotlib as mpl  # noqa: E402
import seaborn  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.lines import Line2D  # noqa: E402
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter  # noqa: E402

__all__ = ["Axes", "Figure", "FuncFormatter", "Line2D", "LogLocator", "NullFormatter", "drawn",
           "salted", "seaborn"]


@contextmanager
def drawn(settings: Any = None) -> Iterator[None]:  # noqa: ANN401
    """Draw and save within this: matplotlib's own defaults, our style and more settings."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE | (settings or {}))
        yield


def salted(key: str) -> AbstractContextManager[None]:
    """Within ``drawn``: the ids of an SVG depend on the key alone."""
    return mpl.rc_context({"svg.hashsalt": key})
