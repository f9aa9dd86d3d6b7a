"""Fields of a hand-written TOML file, taken one by one, with errors that name the place."""

from __future__ import annotations

import math
from typing import Any, NoReturn

from bench.core.errors import ReportError, nearest


class Fields:
    """Fields of one part of a file, taken one by one; what is left over is an error."""

    def __init__(self, where: str, raw: dict[str, Any]) -> None:
        self.where, self._raw, self._taken = where, raw, set[str]()

    def fail(self, why: str) -> NoReturn:
        """Raise ReportError with the place."""
        raise ReportError(f"{self.where}: {why}")

    def _take(self, name: str, default: object) -> Any:  # noqa: ANN401
        self._taken.add(name)
        if name not in self._raw and default is ...:
            self.fail(f"'{name}' is missing")
        return self._raw.get(name, default)

    def text(self, name: str, default: object = ...) -> str:
        """Text; without a default it must be there and not be empty."""
        value = self._take(name, default)
        if not isinstance(value, str) or (not value.strip() and default is ...):
            self.fail(f"'{name}' must be text in quotes, not {value!r}")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts, possibly empty."""
        value = self._take(name, ...)
        if not isinstance(value, list) or not all(isinstance(v, str) and v for v in value):
            self.fail(f"'{name}' must be a list of texts, not {value!r}")
        return tuple(value)

    def whole(self, name: str, default: Any = ...) -> Any:  # noqa: ANN401
        """A whole number of at least 1, or the default."""
        value = self._take(name, default)
        if value is not default and (type(value) is not int or value < 1):
            self.fail(f"'{name}' must be a whole number of at least 1, not {value!r}")
        return value

    def numbers(self, name: str) -> tuple[float, ...]:
        """Two finite numbers or more."""
        value = self._take(name, ...)
        if (not isinstance(value, list) or len(value) < 2
                or not all(type(v) in (int, float) and math.isfinite(v) for v in value)):
            self.fail(f"'{name}' must be a list of two numbers or more, not {value!r}")
        return tuple(value)

    def table(self, name: str) -> dict[str, Any]:
        """A table of names to values."""
        value = self._take(name, ...)
        if not isinstance(value, dict):
            self.fail(f"'{name}' must be a table, column = figure")
        return value

    def parts(self, name: str, optional: bool = False) -> list[Fields]:
        """The tables of an array of tables."""
        value = self._take(name, [] if optional else ...)
        if not isinstance(value, list) or not all(isinstance(v, dict) for v in value) or not (
                value or optional):
            self.fail(f"'{name}' must be written as [[{name}]], once for each")
        return [Fields(f"{self.where}, {name} {i}", v) for i, v in enumerate(value, 1)]

    def done(self) -> None:
        """Raise where a field was not taken: a slip of the pen must not be silent."""
        for name in self._raw:
            if name not in self._taken:
                self.fail(f"unknown field '{name}'{nearest(name, sorted(self._taken))}")
