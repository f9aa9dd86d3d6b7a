"""Which metrics are meant: names, instances, or both by label."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bench.core.errors import UserError
from bench.interface import instances
from metrics.base import Metric

#: Names or instances, one or several; a dict gives them labels of the user's own.
Metrics = str | Metric | Iterable[str | Metric] | Mapping[str, str | Metric]


def metrics_of(given: Metrics) -> dict[str, Metric]:
    """Metrics by label, their names by default; UserError where two would have one label."""
    if isinstance(given, Mapping):
        return {label: _metric(one) for label, one in given.items()}
    found: dict[str, Metric] = {}
    for one in [given] if isinstance(given, str | Metric) else given:
        made = _metric(one)
        if found.setdefault(made.name, made) != made:
            raise UserError(f"two metrics are called '{made.name}'; give a dict with a label for "
                            "each")
    return found


def _metric(given: object) -> Metric:
    if isinstance(given, str):
        return instances.metric(given)
    if not isinstance(given, Metric):
        raise UserError(f"{given!r} is no metric; give a name (bench.metrics() lists them) or an "
                        "instance of a class derived from bench.Metric")
    if not isinstance(getattr(given, "name", None), str):
        raise UserError(f"class {type(given).__name__} has no name; add the line name = "
                        f"\"{type(given).__name__.lower()}\"")
    return given
