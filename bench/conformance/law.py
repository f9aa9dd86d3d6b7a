"""A law of the conformance kit, and what came of trying it.

A law is a function of a case (a sampler, target or metric with its small settings). Its docstring
says what is expected; it raises ``Broken`` with what was measured instead, or ``NotApplicable``
with the reason.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Status = Literal["ok", "failed", "not applicable"]


class Broken(Exception):
    """The law does not hold; the message says what was measured."""


class NotApplicable(Exception):
    """The law says nothing of this case; the message says why."""


@dataclass(frozen=True)
class Outcome:
    """What came of a law: what it expects, and what was measured or why it does not apply."""

    law: str
    status: Status
    expected: str
    said: str = ""


@dataclass(frozen=True)
class Law:
    """A law by its name, which is its function's."""

    check: Callable[[Any], None]

    @property
    def name(self) -> str:
        """The name under which a class may be exempt."""
        return self.check.__name__

    @property
    def expected(self) -> str:
        """What the law expects, in words: the first paragraph of its docstring."""
        return " ".join((inspect.getdoc(self.check) or "").split("\n\n")[0].split())

    def examine(self, case: object, exempt: Mapping[str, str]) -> Outcome:
        """Try the law. What is exempt from it must break it, or the exemption is a failure."""
        try:
            self.check(case)
        except NotApplicable as reason:
            return Outcome(self.name, "not applicable", self.expected, str(reason))
        except Exception as error:
            if self.name in exempt:
                return Outcome(self.name, "not applicable", self.expected,
                               f"exempt: {exempt[self.name]}")
            measured = (str(error) if isinstance(error, Broken)
                        else f"it raised {type(error).__name__}: {error}")
            return Outcome(self.name, "failed", self.expected, measured)
        if self.name in exempt:
            return Outcome(self.name, "failed", "that it breaks the law it is exempt from",
                           "it keeps the law: take the exemption out")
        return Outcome(self.name, "ok", self.expected)


def require(holds: object, measured: str) -> None:
    """Raise Broken with what was measured unless the condition holds."""
    if not holds:
        raise Broken(measured)


def unknown_laws(exempt: Mapping[str, str], laws: tuple[Law, ...]) -> list[str]:
    """Names in a class's ``exempt`` that no law has."""
    return sorted(set(exempt) - {law.name for law in laws})
