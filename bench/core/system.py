"""Which systems this program runs on."""

from __future__ import annotations

import sys


def unsupported() -> str:
    """The sentence that says why nothing can run on this system; '' where it can."""
    if sys.platform == "win32":
        return ("Windows is not supported: jobs run in forked processes that are ended by signals "
                "and write under file locks of Unix; use Linux, macOS or WSL")
    return ""
