"""Files of a user that Python finds instead of ours, or instead of a package that we need.

Python looks in the folder of a script, or in the working folder of a notebook, before it looks
where packages are installed: a user's ``metrics/`` or ``torch.py`` would be taken for ours.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

from bench.core.places import ROOT

PACKAGES = ("bench", "samplers", "targets", "metrics", "results")
#: Packages that a file of the same name in a user's folder could hide.
DEPENDENCIES = ("torch", "numpy", "scipy", "ot", "pandas", "seaborn", "matplotlib", "rich",
                "jinja2", "psutil", "pyarrow")


def clash() -> str:
    """The sentence that names a file in the way, '' if there is none; this imports nothing."""
    for name in PACKAGES:
        if (found := _location(name)) != ROOT / name:
            return (f"'{found}' is found where '{ROOT / name}' is needed, since both are called "
                    f"'{name}': rename yours, or start Python in another folder or a fresh "
                    "virtual environment")
    folders = _users_folders()
    for name in DEPENDENCIES:
        if (found := _location(name)) is not None and found.parent in folders:
            return (f"'{found}' hides the package '{name}': rename it, or start Python in another "
                    "folder")
    return ""


def working_folder_last() -> None:
    """Look for imports in the working folder after everything else; ``python -m`` does not."""
    here = working_folder()
    if here is not None and Path(here).resolve() != ROOT:
        sys.path[:] = [p for p in sys.path if p not in ("", here)] + [here]


def _location(name: str) -> Path | None:
    """The folder of a package or the file of a module that an import would find."""
    try:
        spec = importlib.util.find_spec(name)
    except ValueError:  # somebody put a module there by hand
        return None
    if spec is None or spec.origin is None:  # a folder without code hides nothing
        return None
    path = Path(spec.origin).resolve()
    return path.parent if path.stem == "__init__" else path


def _users_folders() -> set[Path]:
    """The working folder and that of the script, where installed packages do not lie."""
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    found = (working_folder(), os.path.dirname(script) if script else None)
    return {Path(p).resolve() for p in found if p and "-packages" not in p}


def working_folder() -> str | None:
    """The working folder; None where it was deleted."""
    try:
        return os.getcwd()
    except OSError:
        return None
