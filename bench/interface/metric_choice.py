"""Which metrics are meant: names, instances, or both by label."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bench.core.errors import UserError
from bench.interface.instances import check_instance, metric, name_of
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


def _metric(given: str | Metric) -> Metric:
    if isinstance(given, str):
        return metric(given)
    check_instance(given, Metric)
    name_of(given)
    return given
