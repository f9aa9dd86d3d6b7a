"""How every command begins and ends: output that cannot break it, and its exit code.

The exit code of a command never depends on who reads its output, and says one of five things:

====  =====================================================================================
0     done
1     a regression (``check``), or a broken floor (``audit``, ``acceptance --strict``)
2     a mistake in what was asked, or the machine refused: one sentence says which
3     a mistake of this program; the traceback is kept in a file
130   interrupted (Ctrl-C or SIGTERM)
====  =====================================================================================
"""

from __future__ import annotations

import codecs
import io
import os
import re
import select
import sys
import tempfile
import traceback
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from bench.core.shadowing import DEPENDENCIES, working_folder

MISTAKE, BUG, STOPPED = 2, 3, 130
#: What a terminal that cannot show a character shows instead.
ASCII_LIKENESSES = str.maketrans({
    "≈": "~", "↓": "v", "↑": "^", "→": "->", "✗": "x", "✕": "x", "×": "x", "·": ".", "±": "+-",
    "–": "-", "—": "-", "−": "-", "‑": "-", "…": "...", "∞": "inf", "≤": "<=", "≥": ">=",
    "µ": "u", "“": '"', "”": '"', "‘": "'", "’": "'",
    "─": "-", "━": "-", "│": "|", "\u00a0": " ", "\u202f": " "})
_RAISED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def printable(text: str) -> str:
    """Text in one line that cannot move a cursor: control characters are written out."""
    return "".join(ascii(c)[1:-1] if unicodedata.category(c) in _UNSEEN else c for c in text)


def _likeness(error: UnicodeError) -> tuple[str, int]:
    """The error handler of output: a likeness where there is one, else a question mark."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = re.sub("[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda power: "^" + power[0].translate(_RAISED),
                  error.object[error.start:error.end])  # 10⁻⁴ must not become 10-4
    lost = lost.translate(ASCII_LIKENESSES)
    return "".join(c if c.isascii() else "?" for c in lost), error.end


codecs.register_error("likeness", _likeness)


class Outlet(io.FileIO):
    """A descriptor to write to that never stops a command.

    A reader that has left (``| head``) has seen enough: the rest is dropped. Any other trouble (a
    full disk) is kept in ``trouble``, for the exit code.
    """

    trouble: OSError | None = None
    _gone = False

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Write, wait where the reader is slow, or drop."""
        if self._gone:
            return len(data)
        try:
            while (written := super().write(data)) is None:  # somebody made it non-blocking
                select.select([], [self], [])
            return written
        except OSError as error:
            self._gone = True
            self.trouble = None if isinstance(error, BrokenPipeError) else error
            return len(data)


def _open_descriptors() -> None:
    """A closed 0, 1 or 2 would be given to the next file that is opened: a run's records."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free one, which is this


def _stream(number: int, old: TextIO | None) -> tuple[Outlet, TextIO]:
    outlet = Outlet(number, "w", closefd=False)
    encoding = getattr(old, "encoding", None) or "utf-8"
    buffered = io.BufferedWriter(outlet)  # type: ignore[type-var]
    return outlet, io.TextIOWrapper(buffered, encoding=encoding, errors="likeness",
                                    line_buffering=number == 2 or os.isatty(number))


def say_error(sentence: str) -> None:
    """One sentence on standard error."""
    print(f"error: {printable(sentence)}", file=sys.stderr, flush=True)


def hidden() -> str:
    """The file in a folder of the user that hides a package or a module of Python, else ''."""
    folders = {os.path.abspath(p) for p in
               (*os.environ.get("PYTHONPATH", "").split(os.pathsep), working_folder()) if p}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and (name in DEPENDENCIES or name in sys.stdlib_module_names):
            path = Path(file)
            path = path.parent if path.name == "__init__.py" else path
            if str(path.parent) in folders:
                return str(path)
    return ""


def _kept(error: BaseException) -> str:
    """Where the traceback was kept; without any place to write, it is printed."""
    text = "".join(traceback.format_exception(error))
    try:
        with tempfile.NamedTemporaryFile("w", prefix="sampler-bench-", suffix=".txt",
                                         encoding="utf-8", errors="replace",
                                         delete=False) as file:
            file.write(text)
        return f"'{file.name}'"
    except OSError:
        print(text, file=sys.stderr)
        return "above"


def _plugin(error: Exception) -> str:
    """Where a user's own file raised, else ''."""
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        if str(frame.f_globals.get("__name__", "")).startswith("sampler_bench_plugin"):
            return f"plugin file '{frame.f_code.co_filename}', line {line},"
    return ""


def _fault(error: Exception) -> int:
    """What went wrong in one sentence, and whose fault it is as the exit code."""
    what = f"{type(error).__name__}: {error}"
    if place := _plugin(error):
        say_error(f"{place} raised {what}; mend it")
    elif isinstance(error, ImportError | AttributeError) and (file := hidden()):
        say_error(f"'{file}' hides the package of that name ({what}); rename it, or run from "
                  "another folder")
    elif isinstance(error, ImportError):
        say_error(f"the installation is incomplete ({what}); install sampler-bench again, in a "
                  "fresh virtual environment")
    elif isinstance(error, MemoryError):
        say_error("the memory of this machine is exhausted; ask for less")
    elif isinstance(error, OSError):
        where = f" '{os.fsdecode(error.filename)}'" if error.filename else ""
        say_error(f"the machine refuses{where}: {error.strerror or error}; mend that and try "
                  "again")
    else:
        say_error(f"a mistake of this program, not yours ({what}); the traceback is in "
                  f"{_kept(error)}, please report it")
        return BUG
    return MISTAKE


def _outcome(body: Callable[[], int]) -> int:
    try:
        return body()
    except SystemExit as stop:  # argparse
        if isinstance(stop.code, str):
            say_error(stop.code)
        return stop.code if isinstance(stop.code, int) else MISTAKE if stop.code else 0
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return STOPPED
    except Exception as error:
        return _fault(error)


def answer(body: Callable[[], int]) -> int:
    """The exit code of a command, whatever ``body`` raises and whoever reads its output."""
    _open_descriptors()
    outlet, sys.stdout = _stream(1, sys.stdout)
    _, sys.stderr = _stream(2, sys.stderr)
    code = _outcome(body)
    sys.stdout.flush()
    if outlet.trouble is not None:
        say_error(f"cannot write to standard output: {outlet.trouble.strerror}")
        code = code or MISTAKE
    return code
