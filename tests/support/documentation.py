"""What the documentation prints that can be run: blocks of Python, and lines of commands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from bench.core.places import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
_FENCED = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_COMMAND = re.compile(r"python -m (bench(?:\.maintain)?)(?=\s|$)(.*)", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block of Python, and its first line on the page."""

    line: int
    text: str

    @property
    def file(self) -> str:
        """The name of the file that it shows, where it begins with ``# file.py``; else ''."""
        named = re.match(r"# ([\w-]+\.py)$", self.text.split("\n")[0])
        return named[1] if named else ""


@dataclass(frozen=True)
class Command:
    """A command as printed: the program (``bench`` or ``bench.maintain``) and its words.

    ``words`` are those that must be given; ``optional`` holds a list for each pair of brackets.
    Alternatives ``a|b`` and names in capitals stand in them as printed.
    """

    page: str
    line: int
    program: str
    words: tuple[str, ...]
    optional: tuple[tuple[str, ...], ...]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {' '.join(self.words)}"


def python_blocks(text: str) -> list[Block]:
    """The fenced Python blocks of a page, in order."""
    return [Block(text.count("\n", 0, m.start(2)) + 1, m[2]) for m in _FENCED.finditer(text)
            if m[1] in ("python", "py")]


def commands(page: str, text: str) -> list[Command]:
    """Every ``python -m bench ...`` of a page: in blocks, in indented lines, within sentences."""
    plain = _FENCED.sub(lambda m: _indented(m[2]) if m[1] not in ("python", "py", "toml")
                        else "\n" * m[0].count("\n"), text)
    found = [_read(page, plain.count("\n", 0, start) + 1, said)
             for start, said in [*_from_lines(plain), *_from_sentences(plain)]]
    return [command for command in found if command is not None]


def _indented(block: str) -> str:
    return "\n" + "".join(f"    {line}\n" for line in block.splitlines())


def _from_lines(text: str) -> list[tuple[int, str]]:
    """Indented lines with their place; those that go on in brackets below are one."""
    found: list[tuple[int, str]] = []
    place = 0
    for line in text.splitlines(keepends=True):
        if re.match(r" {16,}\[", line) and found:
            found[-1] = (found[-1][0], f"{found[-1][1]} {line.strip()}")
        elif re.match(r"\s*( {4}|- ).*python -m bench", line) and "`python -m" not in line:
            found.append((place, re.split(r"\s{2,}(?=[^\s\[])|\s+#", line.strip())[0]))
        place += len(line)
    return found


def _from_sentences(text: str) -> list[tuple[int, str]]:
    return [(m.start(), " ".join(m[1].split())) for m in _INLINE.finditer(text)]


def _read(page: str, line: int, said: str) -> Command | None:
    match = _COMMAND.search(said.split(" > ")[0])
    if match is None:
        return None
    rest = re.split(r" && |; | \| (?!-)", match[2])[0] if "[" not in match[2] else match[2]
    optional = [alternative for group in re.findall(r"\[([^\]]*)\]", rest)
                for alternative in group.split(" | ")]
    words = re.sub(r"\[[^\]]*\]", "", rest).replace("...", "").split()
    return Command(page, line, match[1], tuple(words),
                   tuple(tuple(o.replace("...", "").split()) for o in optional))


def pages_with_blocks() -> list[Path]:
    """The pages that hold Python to run."""
    return [path for path in PAGES if python_blocks(path.read_text(encoding="utf-8"))]


def all_commands() -> list[Command]:
    """Every command of every page."""
    return [command for path in PAGES
            for command in commands(str(path.relative_to(ROOT)), path.read_text("utf-8"))]
