"""The audit of a target's metrics: committed where it still holds, the rest computed here."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.core.errors import UserError
from bench.core.places import AUDITS
from bench.core.registry import load
from bench.jobs.floors import committed_floors
from metrics.audit.audit import audit
from metrics.audit.power import CannotJudge, Effort
from metrics.base import Metric
from metrics.floors import draw_missing
from results.records.audit_file import read_content
from targets.base import Target


def load_entry(plugin: Path | None, kind: str, name: str) -> Any:  # noqa: ANN401
    """A target or metric by name, ours or a plugin's; works in a process of its own."""
    return load(kind, name, plugin)


def target_audit(name: str, metrics: Sequence[str], sizes: Sequence[int], effort: Effort,
                 plugin: Path | None = None, jobs: int = 1, fresh: bool = False,
                 say: Callable[[str], None] = lambda line: None) -> dict[str, Any]:
    """Content of the audit of a target (``results.records.audit_file``) by the named metrics.

    Floors that are not committed are drawn. ``fresh`` computes even what is committed; ``say`` is
    told what takes time. Raises UserError where the audit cannot be made.
    """
    loader = functools.partial(load_entry, plugin)
    target: Target = loader("targets", name)
    if not target.has_reference:
        raise UserError(f"target '{name}' has no exact sampler, so nothing can be injected in "
                        "exact samples; give it sample() and has_reference = True")
    applying: list[Metric] = [m for m in (loader("metrics", n) for n in metrics)
                              if m.applies(target)]
    if not applying:
        raise UserError(f"of the metrics asked for none applies to '{name}': "
                        f"{', '.join(metrics)}")
    path = AUDITS / f"{name}.json"
    stored = read_content(path) if path.exists() and not fresh else None
    try:
        floors = committed_floors(name, target, applying)
        floors |= draw_missing(target, applying, sizes, floors, say)
        return audit(name, sizes, effort, floors, stored, [m.name for m in applying], jobs,
                     loader, say)
    except (CannotJudge, ValueError, ArithmeticError, NotImplementedError) as error:
        raise UserError(f"the audit of '{name}' stops: {error}") from error
