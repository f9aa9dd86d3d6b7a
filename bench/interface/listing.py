"""What there is: samplers, targets, metrics and suites, read from files without importing them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.core.entry import KINDS, Entry
from bench.core.errors import UserError, nearest
from bench.core.registry import catalogue, missing
from bench.suite.schema import describe, suite_names

if TYPE_CHECKING:
    import pandas as pd

#: What can be listed.
LISTED = (*KINDS, "suites")
#: The class attributes that an entry is described by.
SHOWN = ("kind", "family", "update", "citation", "insensitive_to", "needs", "limitations",
         "learned", "anneals")


def samplers() -> pd.DataFrame:
    """All samplers: a row each, indexed by name; kind, family, parameters with their defaults.

    bench.samplers().query("family == 'mcmc'")
    """
    return _frame("samplers", ("summary", "kind", "family", "learned", "citation", "missing"))


def targets() -> pd.DataFrame:
    """All targets: a row each, indexed by name, with its parameters and their defaults."""
    return _frame("targets", ("summary", "citation", "missing"))


def metrics() -> pd.DataFrame:
    """All metrics: a row each, indexed by name; what it needs of a target and cannot detect.

    ``default`` is False for those that serve only where they are named.
    """
    return _frame("metrics", ("summary", "needs", "insensitive_to", "default", "citation",
                              "missing"))


def suites() -> pd.DataFrame:
    """The suites that come with the program: a row each, indexed by name."""
    return _frame("suites", ("summary",))


def rows(kind: str, plugin: Path | None = None) -> list[dict[str, Any]]:
    """The entries of one of ``LISTED`` as plain values, by name; UserError for another word."""
    if kind not in LISTED:
        raise UserError(f"cannot list '{kind}'{nearest(kind, LISTED)} (there are: "
                        f"{', '.join(LISTED)})")
    if kind == "suites":
        return [{"name": name, "summary": describe(path)} for name, path in suite_names().items()]
    return [facts(entry) for _, entry in sorted(catalogue(plugin)[kind].items())]


def facts(entry: Entry) -> dict[str, Any]:
    """An entry as plain values."""
    return {"name": entry.name, "summary": entry.summary,
            **{k: entry.attributes[k] for k in SHOWN if entry.attributes.get(k)},
            **({"missing": lack} if (lack := missing(entry)) else {}),
            **({"default": False} if entry.attributes.get("default") is False else {}),
            "parameters": {k: {"type": t, "default": d} for k, (t, d) in entry.parameters.items()}}


def _frame(kind: str, columns: tuple[str, ...]) -> pd.DataFrame:
    """A row an entry; what an entry does not say is left empty."""
    import pandas as pd

    usual = {"learned": False, "default": True}
    table = [{"name": row["name"], **{c: _shown(row.get(c, usual.get(c, ""))) for c in columns},
              **({"parameters": _parameters(row)} if "parameters" in row else {})}
             for row in rows(kind)]
    return pd.DataFrame(table).set_index("name")


def _shown(value: Any) -> Any:  # noqa: ANN401
    return ", ".join(value) if isinstance(value, tuple | list) else value


def _parameters(row: dict[str, Any]) -> str:
    """``chains=1000, step_size=0.1``: a parameter without a default stands alone."""
    return ", ".join(f"{name}={about['default']}" if about["default"] else name
                     for name, about in row["parameters"].items())
