"""Which module imports which, read from the source without importing any of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

#: Of each module of a project, all that it imports anywhere in its text: modules of the project
#: by their full names, everything else as it is written.
Graph = Mapping[str, frozenset[str]]


def read_graph(root: Path, packages: tuple[str, ...]) -> Graph:
    """The graph of all modules below ``packages``, which are folders of ``root``."""
    files = {_name(path, root): path for p in packages for path in (root / p).rglob("*.py")}
    return {name: frozenset(_imported(path, files)) - {name} for name, path in files.items()}


def _name(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(path: Path, modules: Mapping[str, Path]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: imports are written from the root"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in modules else str(node.module)


def reachable(graph: Graph, start: str) -> set[str]:
    """All that importing ``start`` can lead to, without ``start`` unless it leads to itself."""
    seen: set[str] = set()
    ahead = [start]
    while ahead:
        new = graph.get(ahead.pop(), frozenset()) - seen
        seen |= new
        ahead += new
    return seen


def circles(graph: Graph) -> list[list[str]]:
    """Groups of modules each of which leads to all others of its group, sorted."""
    leads = {module: reachable(graph, module) for module in graph}
    groups = {tuple(sorted(other for other in leads[module] if module in leads.get(other, ())))
              for module in graph if module in leads[module]}
    return [list(group) for group in sorted(groups)]


class Layers:
    """A table of packages, lowest first, and what each may import.

    ``rows``: names of packages, and the names of those that they may import (with all that lies
    below these), or None for everything in the rows above. A module belongs to the longest name
    that it begins with. Packages that share a row do not import each other.
    """

    def __init__(self, rows: list[tuple[tuple[str, ...], tuple[str, ...] | None]]) -> None:
        self.allowed: dict[str, set[str]] = {}
        for names, imports in rows:
            above = set(self.allowed)
            ours = above if imports is None else {
                a for a in above for i in imports if a == i or a.startswith(f"{i}.")}
            for wanted in imports or ():
                if not any(a == wanted or a.startswith(f"{wanted}.") for a in above):
                    raise ValueError(f"{names} may import {wanted!r}, which no row above names")
            self.allowed |= dict.fromkeys(names, ours)

    def package(self, module: str) -> str:
        """The package of the table that a module belongs to; ValueError where there is none."""
        name = module
        while name not in self.allowed:
            name, dot, _ = name.rpartition(".")
            if not dot:
                raise ValueError(f"no layer is named for {module!r}")
        return name

    def violations(self, graph: Graph) -> set[tuple[str, str]]:
        """Pairs (module, what it imports) that the table does not allow."""
        return {(module, other) for module, imports in graph.items() for other in imports
                if other in graph and self.package(other) not in
                self.allowed[self.package(module)] | {self.package(module)}}
